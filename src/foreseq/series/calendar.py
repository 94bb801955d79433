"""Frequencies, seasons and regular times: the only module that computes with dates.

A grid has a start and a frequency; step 0 is the start. So `W` counts seven days from the first day
of a series, `MS` keeps the day of the month, and `ME` the distance to the end of the month.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foreseq.errors import ConfigError

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_TICKS = {
    "W": WEEK,
    "D": DAY,
    "h": HOUR,
    "min": MINUTE,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}
_MONTHS = {"Y": 12, "Q": 3, "M": 1}
_EDGES: dict[str, Literal["month start", "month end"]] = {"S": "month start", "E": "month end"}
_OLD_NAMES = {
    "H": "h",
    "T": "min",
    "S": "s",
    "L": "ms",
    "U": "us",
    "N": "ns",
    "M": "ME",
    "Q": "QE",
    "Y": "YE",
    "A": "YE",
    "AS": "YS",
}


@dataclass(frozen=True)
class _Step:
    """One step of a grid."""

    unit: Literal["integer", "ns", "business", "month start", "month end"]
    size: int


def is_integer(freq: str) -> bool:
    """Return whether steps are integers rather than timestamps."""
    return freq.isdigit()


def canonical(freq: str | int) -> str:
    """Return the standard spelling of a frequency: pandas alias without anchor, or digits.

    Raises:
        ConfigError: If there is no such frequency.

    Example:
        >>> [canonical(freq) for freq in ("1h", "60min", "W-SUN", "QS-OCT", "7D", "M", 1)]
        ['h', 'h', 'W', 'QS', 'W', 'ME', '1']
    """
    return _spell(_parse(str(freq)))


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
    step = _parse(freq)
    count = np.asarray(steps, dtype=np.int64) * step.size
    if step.unit == "integer":
        return np.asarray(np.asarray(start, dtype=np.int64) + count)
    begin = np.asarray(start, dtype="datetime64[ns]")
    if step.unit == "ns":
        return np.asarray(begin + count.astype("timedelta64[ns]"))
    if step.unit == "business":
        day = begin.astype("datetime64[D]")
        shifted = np.asarray(np.busday_offset(day, count, roll="forward"))
        return np.asarray(shifted.astype("datetime64[ns]") + (begin - day))
    month = begin.astype("datetime64[M]") + int(step.unit == "month end")
    return np.asarray((month + count).astype("datetime64[ns]") + (begin - month))


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
    step = _parse(freq)
    if step.unit == "integer":
        distance = np.asarray(ds, dtype=np.int64) - np.asarray(start, dtype=np.int64)
        return np.asarray(distance // step.size)
    time = np.asarray(ds, dtype="datetime64[ns]")
    begin = np.asarray(start, dtype="datetime64[ns]")
    if step.unit == "ns":
        return np.asarray((time - begin).astype(np.int64) // step.size)
    if step.unit == "business":
        passed: Any = np.busday_count(begin.astype("datetime64[D]"), time.astype("datetime64[D]"))
    else:
        passed = (time.astype("datetime64[M]") - begin.astype("datetime64[M]")).astype(np.int64)
    steps = np.asarray(passed // step.size)
    return steps - (at(begin, steps, freq) > time)


def on_grid(ds: ArrayLike, start: ArrayLike, freq: str) -> NDArray[np.bool_]:
    """Return which times lie on the grid that begins at `start`."""
    return np.asarray(at(start, positions(ds, start, freq), freq) == np.asarray(ds))


def shown(time: Any) -> str:
    """Return a time as text, in seconds at most and without midnight.

    Example:
        >>> shown(np.datetime64("2024-01-31", "ns")), shown(np.int64(7))
        ('2024-01-31', '7')
    """
    if not isinstance(time, np.datetime64):
        return str(time)
    return str(time.astype("datetime64[s]")).replace("T", " ").removesuffix(" 00:00:00")


def seasons(freq: str) -> tuple[int, ...]:
    """Return the usual seasons of a frequency in steps, the shortest first; (1,) if there are none.

    Example:
        >>> [seasons(freq) for freq in ("h", "15min", "D", "B", "W", "MS", "QE", "YE", "1")]
        [(24, 168), (96, 672), (7, 365), (5,), (52,), (12,), (4,), (1,), (1,)]
    """
    step = _parse(freq)
    cycles: tuple[int, ...] = ()
    if step.unit.startswith("month"):
        cycles = (12,)
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
    step = _parse(freq)
    year = {"ns": 365.25 * 86_400e9, "business": 261, "month start": 12, "month end": 12}
    return round(year[step.unit] / step.size) if step.unit in year else 0


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
        times: datetime64[ns] of any shape; integers have no calendar.
        freq: Frequency of the times.

    Returns:
        Sine and cosine per cycle, shape (*times.shape, len(feature_names(freq))).

    Example:
        >>> noon = np.array(["2024-01-01T12:00"], dtype="datetime64[ns]")
        >>> features(noon, "h")[0, :4].round().astype(int).tolist()  # half of a day
        [0, -1, 0, 1]
    """
    cycles = _cycles(freq)
    out = np.empty((*times.shape, 2 * len(cycles)), dtype=np.float32)
    for position, cycle in enumerate(cycles):
        angle = (2 * np.pi * _share(times, cycle)).astype(np.float32)
        np.sin(angle, out=out[..., 2 * position])
        np.cos(angle, out=out[..., 2 * position + 1])
    return out


def _cycles(freq: str) -> tuple[str, ...]:
    step = _parse(freq)
    if step.unit == "business":
        return "weekday", "yearday"
    if step.unit == "ns":
        day = ("hour",) if step.size < DAY else ()
        week = ("weekday",) if step.size < WEEK else ()
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


@cache
def _parse(freq: str) -> _Step:
    parts = re.fullmatch(r"(\d*)([A-Za-z]*)(-[A-Z]{3})?", freq)
    size = int((parts and parts[1]) or 1)
    if parts is None or size == 0 or not (parts[1] or parts[2]):
        raise _unknown(freq)
    name = _OLD_NAMES.get(parts[2], parts[2])
    if not name and not parts[3]:
        return _Step("integer", size)
    if name in _TICKS and (not parts[3] or name == "W"):
        return _Step("ns", size * _TICKS[name])
    if name == "B" and not parts[3]:
        return _Step("business", size)
    if name[:1] in _MONTHS and name[1:] in _EDGES:
        return _Step(_EDGES[name[1:]], size * _MONTHS[name[0]])
    raise _unknown(freq)


def _spell(step: _Step) -> str:
    if step.unit == "integer":
        return str(step.size)
    if step.unit == "business":
        name, unit = "B", 1
    elif step.unit == "ns":
        name, unit = next(item for item in _TICKS.items() if step.size % item[1] == 0)
    else:
        name, unit = next(item for item in _MONTHS.items() if step.size % item[1] == 0)
        name += "S" if step.unit == "month start" else "E"
    count = step.size // unit
    return name if count == 1 else f"{count}{name}"


def _unknown(freq: str) -> ConfigError:
    return ConfigError(
        f"dataset.freq: unknown frequency {freq!r}; write one of s, min, h, D, B, W, MS, ME, QS, "
        "QE, YS, YE, with a count before it if needed (15min), or a whole number for integer steps"
    )
