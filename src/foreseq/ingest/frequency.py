"""The frequency that most neighbouring times have, however many rows are missing or wrong."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foreseq.series.calendar import DAY, canonical

SHORTEST_MONTH = 28 * DAY
SATURDAY = 5

FEW_STRAYS = 0.1
"""Below this share of times that break a rule, the rule holds and they are mistakes."""
MANY_STRAYS = 0.5
"""From this share of steps that the most common one does not divide, it is not the grid's."""


def infer_freq(ds: NDArray[Any], offsets: NDArray[np.int64]) -> str | None:
    """Return the frequency that most neighbouring times have, or None if there are none.

    Args:
        ds: Times of all series end to end, ascending within each, datetime64[ns] or int64;
            repeated times and gaps do no harm.
        offsets: Shape (n_series + 1,): series i is `ds[offsets[i] : offsets[i + 1]]`.

    Example:
        >>> infer_freq(np.array([10, 20, 20, 40, 50, 5, 15]), np.array([0, 5, 7]))
        '10'
    """
    apart = _distances(ds, offsets)
    if not apart.size:
        return None
    common = _most_common(apart)
    if ds.dtype.kind in "iu":
        strays = np.mean(apart % common > 0)
        return str(common if strays < MANY_STRAYS else np.gcd.reduce(apart))
    if common >= SHORTEST_MONTH:
        return _infer_months(ds, offsets) or canonical(f"{common}ns")
    if common == DAY and _rests_on_weekends(ds):
        return "B"
    return canonical(f"{common}ns")


def _distances(ds: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the steps between different neighbouring times, none from one series to the next."""
    numbers = ds.astype(np.int64)
    apart = numbers[1:] - numbers[:-1]
    apart[offsets[1:-1] - 1] = 0
    return apart[apart > 0]


def _most_common(numbers: NDArray[np.int64]) -> int:
    found, counts = np.unique(numbers, return_counts=True)
    return int(found[counts.argmax()])


def _rests_on_weekends(ds: NDArray[Any]) -> bool:
    """Tell whether a Monday follows a Friday, and no day is between any such two."""
    days = np.unique(ds.astype("datetime64[D]"))
    weekday = (days.astype(np.int64) + 3) % 7
    fridays = days[weekday == SATURDAY - 1]
    return bool(weekday.max() < SATURDAY and np.isin(fridays + 3, days).any())


def _infer_months(ds: NDArray[Any], offsets: NDArray[np.int64]) -> str | None:
    """Return the frequency in months if nearly all times keep their series' place in the month."""
    month = ds.astype("datetime64[M]")
    size = _most_common(_distances(month, offsets))
    first = np.repeat(offsets[:-1], np.diff(offsets))
    into, until = ds - month, (month + 1) - ds
    starts = np.mean(into != into[first]) < FEW_STRAYS
    ends = np.mean(until != until[first]) < FEW_STRAYS
    if ends and (not starts or np.median(until) < np.median(into)):
        return canonical(f"{size}ME")
    return canonical(f"{size}MS") if starts else None
