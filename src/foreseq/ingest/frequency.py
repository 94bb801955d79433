"""The frequency of neighbouring times, inferred although rows may be missing or wrong."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foreseq.series.calendar import canonical, on_grid, positions
from foreseq.series.frequency import (
    DAY,
    MINUTE,
    MONDAY,
    WEEK,
    WEEKDAYS,
    blocks,
    sessions,
    spell,
    weeks,
)

SHORTEST_MONTH = 28 * DAY
HALF_MONTH = 13 * DAY, 20 * DAY
"""Bounds of the mean distance of times twice a month, some of them missing."""
QUARTER = (4, 4, 5)
"""Weeks of the periods of an accounting quarter."""
SATURDAY = 5

FEW_STRAYS = 0.1
"""Below this share of times that break a rule, the rule holds and they are errors."""
MANY_STRAYS = 0.5
"""From this share of steps that the most common step does not divide, it is not the frequency."""

FEW_DAYS = 10
"""Days with times from which it can be seen that some hours or weekdays are closed."""
MOST_BLOCKS = 2
"""Sessions in a day; more are rows that happen to be missing."""
MOSTLY_THERE = 0.75
"""Share of a session's steps that must have a row."""
FEW_ROWS = 5
"""Rows from which a series can be seen to keep a frequency of its own."""
FINER = 0.67
"""Steps per row below which a series is finer than the panel."""
MOST_STEPS = 1.5
"""Steps per row above which times that lie on a grid are sparse rather than regular."""


def infer_freq(ds: NDArray[Any], offsets: NDArray[np.int64]) -> str | None:
    """Return the most common frequency of neighbouring times, or None if there are none.

    Args:
        ds: Times of all series end to end, ascending within each, datetime64[ns] or int64; may
            have gaps and repeated times.
        offsets: Shape (n_series + 1,): series i is `ds[offsets[i] : offsets[i + 1]]`.

    Example:
        >>> infer_freq(np.array([10, 20, 20, 40, 50, 5, 15]), np.array([0, 5, 7]))
        '10'
    """
    distances = _distances(ds, offsets)
    if not distances.size:
        return None
    common = _most_common(distances)
    if ds.dtype.kind in "iu":
        strays = np.mean(distances % common > 0)
        return str(common if strays < MANY_STRAYS else np.gcd.reduce(distances))
    if common == DAY and _rests_on_weekends(ds):
        return "B"
    special = None
    if common >= SHORTEST_MONTH:
        special = _infer_months(ds, offsets) or _infer_weeks(ds)
    elif HALF_MONTH[0] < np.mean(distances) < HALF_MONTH[1]:
        special = _infer_half_months(ds)
    elif MINUTE <= common < WEEK:
        special = _infer_sessions(ds, offsets, common if common < DAY else DAY)
    return special or canonical(f"{common}ns")


def other_frequencies(
    ds: NDArray[Any], offsets: NDArray[np.int64], freq: str
) -> dict[str, list[int]]:
    """Return by frequency the series that keep a frequency of their own instead of `freq`.

    A series that merely lacks rows of `freq` keeps none, or `freq` itself.

    Args:
        ds: As for `infer_freq`, without repeated times.
        offsets: As for `infer_freq`.
        freq: Frequency of the panel.

    Example:
        >>> days = np.arange("2024-01-01", "2024-01-08", dtype="datetime64[D]")
        >>> ds = np.concatenate([days, days[0] + 7 * np.arange(7)]).astype("datetime64[ns]")
        >>> other_frequencies(ds, np.array([0, 7, 14]), "D")
        {'W': [1]}
    """
    counts = np.diff(offsets)
    steps = positions(ds, np.repeat(ds[offsets[:-1]], counts), freq)
    distances = np.diff(steps, append=0)
    distances[offsets[1:] - 1] = np.iinfo(np.int64).max
    coarser = np.minimum.reduceat(distances, offsets[:-1]) > 1
    finer = steps[offsets[1:] - 1] < FINER * (counts - 1)
    others: dict[str, list[int]] = {}
    for series in np.flatnonzero((counts >= FEW_ROWS) & (coarser | finer)).tolist():
        part = ds[offsets[series] : offsets[series + 1]]
        own = infer_freq(part, np.array([0, len(part)]))
        if own and own != freq and _is_regular(part, own):
            others.setdefault(own, []).append(series)
    return others


def _is_regular(ds: NDArray[Any], freq: str) -> bool:
    """Return whether all times are on the grid of a frequency, and most steps have one."""
    steps = positions(ds, ds[0], freq)
    return bool(on_grid(ds, ds[0], freq).all() and steps[-1] < MOST_STEPS * len(ds))


def _distances(ds: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distances between different neighbouring times of the same series."""
    numbers = ds.astype(np.int64)
    distances = numbers[1:] - numbers[:-1]
    distances[offsets[1:-1] - 1] = 0
    return distances[distances > 0]


def _most_common(numbers: NDArray[np.int64]) -> int:
    unique, counts = np.unique(numbers, return_counts=True)
    return int(unique[counts.argmax()])


def _rests_on_weekends(ds: NDArray[Any]) -> bool:
    """Return whether no time is on a weekend, and some Friday is followed by its Monday."""
    days = np.unique(ds.astype("datetime64[D]"))
    weekday = _weekday(days)
    fridays = days[weekday == SATURDAY - 1]
    return bool(weekday.max() < SATURDAY and np.isin(fridays + 3, days).any())


def _infer_months(ds: NDArray[Any], offsets: NDArray[np.int64]) -> str | None:
    """Return the frequency in months if nearly all times of a series share a day of the month."""
    month = ds.astype("datetime64[M]")
    size = _most_common(_distances(month, offsets))
    first = np.repeat(offsets[:-1], np.diff(offsets))
    from_start, to_end = ds - month, (month + 1) - ds
    starts = np.mean(from_start != from_start[first]) < FEW_STRAYS
    ends = np.mean(to_end != to_end[first]) < FEW_STRAYS
    if ends and (not starts or np.median(to_end) < np.median(from_start)):
        return canonical(f"{size}ME")
    if starts:
        return canonical(f"{size}MS")
    latest, week = int(_day_of_month(ds).max()), (int(_day_of_month(ds[:1])[0]) + 6) // 7
    weekday = WEEKDAYS[int(_weekday(ds[:1])[0])].upper()
    rules = [
        f"{size}BME",
        f"{size}BMS",
        f"{size}WOM-{min(week, 4)}{weekday}",
        f"{size}LWOM-{weekday}",
    ]
    return _first_that_holds(
        ds, [f"{size}MS-{latest}", *rules] if latest > SHORTEST_MONTH // DAY else rules
    )


def _infer_half_months(ds: NDArray[Any]) -> str | None:
    """Return the frequency of two days in each month: the 1st, or the last, and another one."""
    day = _day_of_month(ds)
    between = day[(day > 1) & (day < SHORTEST_MONTH // DAY)]
    usual = _most_common(between) if len(between) else 15
    return _first_that_holds(ds, [f"SMS-{usual}", f"SME-{usual}"])


def _infer_weeks(ds: NDArray[Any]) -> str | None:
    """Return the frequency of a quarter's periods of 4, 4 and 5 weeks."""
    first = int(ds[0].astype(np.int64))
    passed = (first - week * WEEK for week in (0, 4, 8))
    return _first_that_holds(ds, [spell(weeks(QUARTER, begin)) for begin in passed])


def _infer_sessions(ds: NDArray[Any], offsets: NDArray[np.int64], size: int) -> str | None:
    """Return the frequency of a week of which some hours or days are always closed.

    Args:
        ds: As for `infer_freq`.
        offsets: As for `infer_freq`.
        size: Nanoseconds from one time of a session to the next.
    """
    numbers = ds.astype(np.int64)
    slots = np.unique(numbers % WEEK if size < DAY else numbers // DAY * DAY % WEEK)
    slots = np.sort((slots - MONDAY) % WEEK)
    by_day = [slots[slots // DAY == day] for day in range(7)]
    freq = spell(sessions(size, slots))
    if (
        len(np.unique(ds.astype("datetime64[D]"))) < FEW_DAYS
        or len(slots) * size >= WEEK
        or max(len(blocks(times, size)) for times in by_day) > MOST_BLOCKS
        or (slots % MINUTE).any()
        or not on_grid(ds, ds, freq).all()
    ):
        return None
    first, last = ds[offsets[:-1]], ds[offsets[1:] - 1]
    steps = int((positions(last, first, freq) + 1).sum())
    return freq if len(ds) >= MOSTLY_THERE * steps else None


def _first_that_holds(ds: NDArray[Any], freqs: list[str]) -> str | None:
    """Return the first calendar that has nearly all of the times."""
    return next((canonical(f) for f in freqs if np.mean(~on_grid(ds, ds, f)) < FEW_STRAYS), None)


def _day_of_month(ds: NDArray[Any]) -> NDArray[np.int64]:
    first = ds.astype("datetime64[M]").astype("datetime64[D]")
    return np.asarray((ds.astype("datetime64[D]") - first).astype(np.int64) + 1)


def _weekday(ds: NDArray[Any]) -> NDArray[np.int64]:
    return np.asarray((ds.astype("datetime64[D]").astype(np.int64) + 3) % 7)
