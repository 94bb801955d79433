"""Regular times: the only module that computes with dates.

A grid has a start and a frequency; step 0 is the start. So `W` counts seven days from the first day
of a series, `MS` keeps the day of the month (or takes the last of a shorter one), and `ME` the
distance to the end of the month. Times are in UTC where the frequency names a zone.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from foreseq.series.frequency import DAY, HOUR, MINUTE, WEEK, Step, days_of, parse, spell

YEAR = 365.25 * DAY
YEARS = 584
"""From 1678 to 2261."""
ONE_DAY = np.timedelta64(1, "D")


def is_integer(freq: str) -> bool:
    """Return whether steps are integers rather than timestamps."""
    return freq.isdigit()


def zone(freq: str) -> str:
    """Return the zone whose clocks count; empty if times have none."""
    return parse(freq).zone


def with_zone(freq: str, zone: str) -> str:
    """Return a frequency on the clocks of a zone, or of none.

    Example:
        >>> with_zone("D@Asia/Tokyo", "Europe/Berlin"), with_zone("D@Asia/Tokyo", "")
        ('D@Europe/Berlin', 'D')
    """
    name = canonical(freq).partition("@")[0]
    return canonical(f"{name}@{zone}") if zone and not is_integer(name) else name


def to_clock(times: ArrayLike, zone: str) -> NDArray[Any]:
    """Return what the clocks of a zone show at times in UTC; the times themselves without a zone.

    Example:
        >>> to_clock(np.datetime64("2024-07-01T00:00"), "Europe/Berlin").astype("datetime64[h]")
        array('2024-07-01T02', dtype='datetime64[h]')
    """
    utc = np.asarray(times, dtype="datetime64[ns]") if zone else np.asarray(times)
    if not zone:
        return utc
    clock = pd.DatetimeIndex(utc.ravel()).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return clock.to_numpy(dtype="datetime64[ns]").reshape(utc.shape)


def stamped(times: NDArray[Any], zone: str) -> Any:
    """Return times in UTC for a data frame: in their zone, if they have one."""
    if not zone:
        return times
    return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(zone)


def from_clock(times: ArrayLike, zone: str, again: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Return the UTC of times on the clocks of a zone; a time that they skip is the next one.

    Args:
        times: datetime64[ns] of any shape.
        zone: As pandas knows it.
        again: Which times are the second of two that the clocks show alike. None: no one is.
    """
    clock = np.asarray(times, dtype="datetime64[ns]")
    first = np.full(clock.size, True) if again is None else ~again
    local = pd.DatetimeIndex(clock.ravel()).tz_localize(
        zone, ambiguous=first, nonexistent="shift_forward"
    )
    return local.tz_convert(None).to_numpy(dtype="datetime64[ns]").reshape(clock.shape)


def canonical(freq: str | int) -> str:
    """Return the standard spelling of a frequency: pandas alias without anchor, or digits.

    Raises:
        ConfigError: If there is no such frequency.

    Example:
        >>> [canonical(freq) for freq in ("1h", "60min", "W-SUN", "QS-OCT", "7D", "M", 1)]
        ['h', 'h', 'W', 'QS', 'W', 'ME', '1']
        >>> canonical("60min[Mon 08:00-09:00, Tue 08:00-09:00]"), canonical("BQE-DEC")
        ('h[Mon-Tue 08:00-09:00]', '3BME')
    """
    return spell(parse(str(freq)))


def times(start: ArrayLike, first: int, count: int, freq: str) -> NDArray[Any]:
    """Return `count` times on the grid that begins at `start`, from step `first` on.

    Example:
        >>> times(np.datetime64("2024-01-31"), 0, 3, "ME").astype("datetime64[D]").tolist()
        [datetime.date(2024, 1, 31), datetime.date(2024, 2, 29), datetime.date(2024, 3, 31)]
    """
    return at(start, np.arange(first, first + count), freq)


def at(start: ArrayLike, steps: ArrayLike, freq: str) -> NDArray[Any]:
    """Return the time of each step on the grid that begins at `start`.

    Args:
        start: Time of step 0; broadcasts with `steps`.
        steps: Integers of any shape; negative ones lie before the start.
        freq: Frequency of the grid.

    Returns:
        datetime64[ns], or int64 for integer steps.
    """
    step = parse(freq)
    steps = np.asarray(steps, dtype=np.int64)
    if step.unit == "integer":
        return np.asarray(np.asarray(start, dtype=np.int64) + steps * step.size)
    begin = np.asarray(start, dtype="datetime64[ns]")
    if step.is_local:
        return from_clock(_at(to_clock(begin, step.zone), steps, step), step.zone)
    return _at(begin, steps, step)


def _at(begin: NDArray[Any], steps: NDArray[np.int64], step: Step) -> NDArray[Any]:
    count = steps * step.size
    if step.unit == "ns":
        return np.asarray(begin + count.astype("timedelta64[ns]"))
    if step.unit == "cycle":
        begin, clock = _split(begin, step)
        whole, slot = np.divmod(_slot(begin, step) + steps, len(step.slots))
        time = step.origin + whole * step.period + np.array(step.slots)[slot]
        return np.asarray(time.astype("datetime64[ns]") + clock)
    day = begin.astype("datetime64[D]")
    clock = begin - day
    if step.unit == "business":
        shifted: Any = np.busday_offset(day, count, roll="forward")
    elif step.unit == "rule":
        days = days_of(step.rule)
        shifted = days[np.searchsorted(days, day) + count]
    elif step.unit == "month end":
        month = begin.astype("datetime64[M]") + 1
        shifted = (month + count).astype("datetime64[D]") - (month.astype("datetime64[D]") - day)
    else:
        month = begin.astype("datetime64[M]")
        wanted = step.day * ONE_DAY or day - month.astype("datetime64[D]") + ONE_DAY
        first = (month + count).astype("datetime64[D]")
        longest = (month + count + 1).astype("datetime64[D]") - first
        shifted = first + np.minimum(wanted, longest) - ONE_DAY
    return np.asarray(shifted.astype("datetime64[ns]") + clock)


def positions(ds: ArrayLike, start: ArrayLike, freq: str) -> NDArray[np.int64]:
    """Return the last step at or before each time; for times on the grid the inverse of `at`.

    Args:
        ds: Times, none missing.
        start: Time of step 0; broadcasts with `ds`.
        freq: Frequency of the grid.

    Example:
        >>> ds = np.array(["2024-03-01", "2024-04-02"], dtype="datetime64[ns]")
        >>> positions(ds, ds[0], "MS").tolist(), on_grid(ds, ds[0], "MS").tolist()
        ([0, 1], [True, False])
    """
    step = parse(freq)
    if step.unit == "integer":
        distance = np.asarray(ds, dtype=np.int64) - np.asarray(start, dtype=np.int64)
        return np.asarray(distance // step.size)
    time = np.asarray(ds, dtype="datetime64[ns]")
    begin = np.asarray(start, dtype="datetime64[ns]")
    if step.is_local:
        time, begin = to_clock(time, step.zone), to_clock(begin, step.zone)
    if step.unit == "ns":
        return np.asarray((time - begin).astype(np.int64) // step.size)
    if step.unit == "cycle":
        steps = _slot(time, step) - _slot(_split(begin, step)[0], step)
    elif step.unit == "rule":
        days, from_day = days_of(step.rule), np.searchsorted(days_of(step.rule), _day(begin))
        passed: Any = np.searchsorted(days, _day(time), side="right") - 1 - from_day
        steps = passed // step.size
    elif step.unit == "business":
        steps = np.busday_count(_day(begin), _day(time)) // step.size
    else:
        passed = (time.astype("datetime64[M]") - begin.astype("datetime64[M]")).astype(np.int64)
        steps = passed // step.size
    return np.asarray(steps - (_at(begin, np.asarray(steps), step) > time))


def _day(times: NDArray[Any]) -> NDArray[Any]:
    return times.astype("datetime64[D]")


def _split(times: NDArray[Any], step: Step) -> tuple[NDArray[Any], Any]:
    """Return days and times of day, where a cycle counts whole days and any time of day may do."""
    if step.size % DAY:
        return times, np.timedelta64(0, "ns")
    return _day(times).astype("datetime64[ns]"), times - _day(times)


def _slot(times: NDArray[Any], step: Step) -> NDArray[np.int64]:
    """Return the number of the last time of a cycle at or before each time, counted from 1970."""
    whole, rest = np.divmod(times.astype(np.int64) - step.origin, step.period)
    slot = np.searchsorted(np.array(step.slots), rest, side="right") - 1
    return np.asarray(whole * len(step.slots) + slot)


def on_grid(ds: ArrayLike, start: ArrayLike, freq: str) -> NDArray[np.bool_]:
    """Return which times lie on the grid that begins at `start`."""
    return np.asarray(at(start, positions(ds, start, freq), freq) == np.asarray(ds))


def shown(time: Any, zone: str = "") -> str:
    """Return a time as text, in seconds at most and without midnight; on the clocks of a zone.

    Example:
        >>> shown(np.datetime64("2024-01-31", "ns")), shown(np.int64(7))
        ('2024-01-31', '7')
    """
    if not isinstance(time, np.datetime64):
        return str(time)
    time = to_clock(time, zone)
    return str(time.astype("datetime64[s]")).replace("T", " ").removesuffix(" 00:00:00")


def seasons(freq: str) -> tuple[int, ...]:
    """Return the usual seasons of a frequency in steps, the shortest first; (1,) if there are none.

    Example:
        >>> [seasons(freq) for freq in ("h", "15min", "D", "B", "W", "MS", "QE", "YE", "1")]
        [(24, 168), (96, 672), (7, 365), (5,), (52,), (12,), (4,), (1,), (1,)]
    """
    step = parse(freq)
    if step.unit == "cycle":
        counts = [int(count) for count in np.unique(_slots_by_day(step)) if count]
        daily = (counts[0],) if len(counts) == 1 and step.period == WEEK else ()
        whole = (*daily, len(step.slots) * (1 if step.period == WEEK else 52 * WEEK // step.period))
        return tuple(count for count in whole if count > 1) or (1,)
    cycles: tuple[int, ...] = ()
    if step.unit.startswith("month"):
        cycles = (12,)
    elif step.unit == "rule":
        cycles = (_days_per_year(step.rule),)
    elif step.unit == "business":
        cycles = (5,)
    elif step.unit == "ns" and step.size % WEEK == 0:
        cycles = (52 * WEEK,)
    elif step.unit == "ns":
        cycles = (HOUR, DAY) if step.size < MINUTE else (DAY, WEEK)
        cycles = (WEEK, 365 * DAY) if step.size >= DAY else cycles
    whole = tuple(cycle // step.size for cycle in cycles if cycle % step.size == 0)
    return tuple(count for count in whole if count > 1) or (1,)


def steps_per_year(freq: str) -> int:
    """Return the rounded number of steps per year; 0 for integer steps.

    Example:
        >>> [steps_per_year(freq) for freq in ("D", "B", "W", "MS", "QE", "1")]
        [365, 261, 52, 12, 4, 0]
    """
    step = parse(freq)
    if step.unit == "cycle":
        return round(len(step.slots) * YEAR / step.period)
    year = {"ns": YEAR, "business": 261, "month start": 12, "month end": 12}
    if step.unit == "rule":
        return round(_days_per_year(step.rule) / step.size)
    return round(year[step.unit] / step.size) if step.unit in year else 0


def _days_per_year(rule: str) -> int:
    return round(len(days_of(rule)) / YEARS)


def _slots_by_day(step: Step) -> NDArray[np.int64]:
    """Return how many times of a cycle each weekday has."""
    return np.bincount(np.array(step.slots) // DAY, minlength=7)


def feature_names(freq: str) -> tuple[str, ...]:
    """Return the names along the last axis of `features`.

    Example:
        >>> feature_names("D")
        ('weekday_sin', 'weekday_cos', 'yearday_sin', 'yearday_cos')
    """
    return tuple(f"{cycle}_{wave}" for cycle in _cycles(freq) for wave in ("sin", "cos"))


def features(times: NDArray[Any], freq: str) -> NDArray[np.float32]:
    """Return the phase of each time in the calendar cycles that are longer than a step.

    Args:
        times: datetime64[ns] of any shape, in UTC if the frequency has a zone; integers have no
            calendar.
        freq: Frequency of the times.

    Returns:
        Sine and cosine per cycle, shape (*times.shape, len(feature_names(freq))).

    Example:
        >>> noon = np.array(["2024-01-01T12:00"], dtype="datetime64[ns]")
        >>> features(noon, "h")[0, :4].round().astype(int).tolist()  # half of a day
        [0, -1, 0, 1]
    """
    cycles, times = _cycles(freq), to_clock(times, zone(freq))
    out = np.empty((*times.shape, 2 * len(cycles)), dtype=np.float32)
    for position, cycle in enumerate(cycles):
        angle = (2 * np.pi * _share(times, cycle)).astype(np.float32)
        np.sin(angle, out=out[..., 2 * position])
        np.cos(angle, out=out[..., 2 * position + 1])
    return out


def _cycles(freq: str) -> tuple[str, ...]:
    step = parse(freq)
    if step.unit == "business":
        return "weekday", "yearday"
    if step.unit in ("ns", "cycle", "rule"):
        exact = step.unit != "rule"
        day = ("hour",) if exact and step.size < DAY else ()
        week = ("weekday",) if exact and step.size < WEEK else ()
        return (*day, *week, "yearday")
    return ("month",) if step.unit != "integer" and step.size % 12 else ()


def _share(times: NDArray[Any], cycle: str) -> NDArray[np.float64]:
    """Return the share of the cycle that has passed, in [0, 1)."""
    if cycle == "hour":
        return np.asarray(times.astype("datetime64[ns]").astype(np.int64) % DAY / DAY)
    if cycle == "month":
        return np.asarray(times.astype("datetime64[M]").astype(np.int64) % 12 / 12)
    day = times.astype("datetime64[D]").astype(np.int64)
    if cycle == "weekday":
        return np.asarray((day + 3) % 7 / 7)  # 1 January 1970 was a Thursday
    new_year = times.astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    return np.asarray((day - new_year) / 366)
