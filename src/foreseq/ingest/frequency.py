"""The frequency of neighbouring times, inferred although rows may be missing or wrong."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foreseq.series import calendar
from foreseq.series.calendar import DAY, canonical

SHORTEST_MONTH = 28 * DAY
SATURDAY = 5

FEW_STRAYS = 0.1
"""Below this share of times that break a rule, the rule holds and they are errors."""
MANY_STRAYS = 0.5
"""From this share of steps that the most common step does not divide, it is not the frequency."""

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
    if common >= SHORTEST_MONTH:
        return _infer_months(ds, offsets) or canonical(f"{common}ns")
    if common == DAY and _rests_on_weekends(ds):
        return "B"
    return canonical(f"{common}ns")


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
    steps = calendar.positions(ds, np.repeat(ds[offsets[:-1]], counts), freq)
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
    steps = calendar.positions(ds, ds[0], freq)
    return bool(calendar.on_grid(ds, ds[0], freq).all() and steps[-1] < MOST_STEPS * len(ds))


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
    weekday = (days.astype(np.int64) + 3) % 7
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
    return canonical(f"{size}MS") if starts else None
