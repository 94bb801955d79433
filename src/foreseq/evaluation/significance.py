"""The confidence that one forecaster errs less than another: a t test on periods.

The steps of a window are correlated, overlapping windows are, and so are the series of a panel:
what happens at one time is one observation. Gains are therefore averaged over all windows of a
period, and a t test takes the means of at most ten periods as independent. Its level holds whatever
the correlation within a period, and also where the spread of gains changes with time (Ibragimov and
Müller 2010, "t-statistic based correlation and heterogeneity robust inference"; gate_level.py).
From five series on, the mean gains of the series have to pass the same test, so that one series
alone proves nothing. A single period proves nothing either, however many series it has.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from foreseq.evaluation.backtest import Backtest, Losses

MOST_PERIODS = 10
"""More would be shorter, and neighbours more correlated; the t test loses little power."""
FEW_SERIES = 5
"""Fewer are not compared with one another: the result holds for them alone."""
SURE, SURE_OF_FEW = 0.999, 0.99
"""Highest confidence, and that of fewer than ten gains: so few do not show how they are spread."""
ROUNDING = 1e-6
"""Gains below this share of the other's error are no gains."""

Floats = NDArray[np.float64]


class Units(NamedTuple):
    """Which windows count together, as their gains are correlated."""

    series: NDArray[np.int64]
    """Position of the series of each window, shape (windows,)."""
    period: NDArray[np.int64]
    """Period of each window, counted from 0, shape (windows,)."""

    @property
    def periods(self) -> int:
        """How many periods there are."""
        return len(np.unique(self.period))


def confidence(ours: Losses, theirs: Losses, units: Units, share: float = 0.0) -> float:
    """Return the confidence, 0 to 1, that our error is below `1 - share` of theirs.

    It is 0 if ours is not finite, and 1 if ours is finite and theirs infinite.

    Args:
        ours: Of the challenger.
        theirs: Of the other forecaster, on the same windows.
        units: Of these windows.
        share: Of their error that must be avoided at least.
    """
    if not np.isfinite(ours.mean) or np.isnan(theirs.mean):
        return 0.0
    if np.isinf(theirs.mean):
        return 1.0
    gains = (1 - share - ROUNDING) * theirs.windows - ours.windows
    known = ~np.isnan(gains)
    gains, series, period = gains[known], units.series[known], units.period[known]
    weights = 1 / np.bincount(series)[series]  # each series weighs the same
    by_series = np.asarray(np.bincount(series, weights * gains)[np.unique(series)], np.float64)
    _, period = np.unique(period, return_inverse=True)
    total, weight = np.bincount(period, weights * gains), np.bincount(period, weights)
    sure = above_zero(np.asarray(total / weight, np.float64))
    return min(sure, above_zero(by_series)) if len(by_series) >= FEW_SERIES else sure


def units_of(tested: Backtest) -> Units:
    """Return the series and the period of each window.

    Each cutoff is a period if cutoffs are at least a horizon apart; else windows overlap, and a
    period is two horizons. There are at most ten, and fewer where some hold most of the windows.

    Example:
        >>> from foreseq.series.windows import Windows
        >>> def periods(*cutoffs):
        ...     actual = np.zeros((len(cutoffs), 3))
        ...     windows = Windows(np.zeros(len(cutoffs), np.int64), np.array(cutoffs))
        ...     return units_of(Backtest(windows, actual, {}, actual, np.ones(1))).period.tolist()
        >>> periods(10, 13, 16), periods(*range(10, 22))
        ([0, 1, 2], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
        >>> periods(10, 13, 13, 13, 13, 13)
        [0, 0, 0, 0, 0, 0]
    """
    horizon, times = tested.actual.shape[1], tested.times
    starts, block = np.unique(times, return_inverse=True)
    if np.diff(starts).min(initial=horizon) < horizon:
        _, block = np.unique((times - starts[0]) // (2 * horizon), return_inverse=True)
    series = tested.windows.series
    weight = np.bincount(block, 1 / np.bincount(series)[series])
    share = weight / weight.sum()
    count = min(MOST_PERIODS, int(1 / (share**2).sum() + ROUNDING))  # if all were of equal share
    middle = np.cumsum(share) - share / 2
    return Units(series, (count * middle).astype(np.int64)[block])


def above_zero(gains: Floats) -> float:
    """Return the confidence of a t test that independent gains have a mean above zero.

    A single gain shows nothing but its sign: 0.5 if it is above zero, else 0.

    Example:
        >>> round(above_zero(np.array([1.0, 2.0, 3.0])), 3)  # t = 3.46, two degrees of freedom
        0.963
        >>> above_zero(np.array([9.0])), above_zero(np.array([-1.0, 1.0]))
        (0.5, 0.5)
    """
    count, mean = len(gains), float(gains.mean())
    if count == 1:
        return 0.5 if mean > 0 else 0.0
    most = SURE if count >= MOST_PERIODS else SURE_OF_FEW
    error = float(gains.std(ddof=1)) / np.sqrt(count)
    if error == 0:
        return most if mean > 0 else 0.0
    return min(most, float(special.stdtr(count - 1, mean / error)))
