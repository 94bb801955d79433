"""The frequency of neighbouring times, inferred although rows may be missing or wrong."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foreseq.series.calendar import DAY, canonical

SHORTEST_MONTH = 28 * DAY
SATURDAY = 5

FEW_STRAYS = 0.1
"""Below this share of times that break a rule, the rule holds and they are errors."""
MANY_STRAYS = 0.5
"""From this share of steps that the most common step does not divide, it is not the frequency."""


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
