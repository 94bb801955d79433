"""The confidence that one forecaster errs less than another: a t test on slow changes of the gain.

Windows less than a season and a horizon apart share steps, and series share what happens at one
time, so neither counts as independent. The variance of the mean gain is therefore estimated from
its slowest changes over time alone: from one cosine wave fewer than the test spans periods of a
horizon or a season, whichever is longer, at most five, and as many degrees of freedom
(equal-weighted cosines; Lazarus, Lewis, Stock and Watson 2018, "HAR inference: recommendations for
practice"). Of few periods even the slowest waves miss what neighbours share: a forecast reads the
values before its window, which the window before has tested. The estimate is therefore divided by
what it would be, for a variance of one, if gains were correlated as those of the seasonal naive on
noise. From five series on, the mean gains of the series have to pass a t test too, so that one
series alone proves nothing. A single period proves nothing either, however many series it has.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from foreseq.evaluation.backtest import Backtest, Losses

MOST_PERIODS, MOST_WAVES = 10, 5
"""Faster waves miss what neighbouring periods share, and add little power (gate_level.py)."""
SHARED = 0.224
"""Correlation of gains one period apart: that of |a - b| and |b - c| of normal a, b and c."""
MOST_TIMES = 500
"""Most times that are distinguished; beyond, neighbours count as one."""
FEW_SERIES = 5
"""Fewer are not compared with one another: the result holds for them alone."""
SURE, SURE_OF_FEW = 0.999, 0.99
"""Highest confidence, and that of fewer than ten gains: so few do not show how they are spread."""
ROUNDING = 1e-6
"""Gains below this share of the other's error are no gains."""

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]


class Units(NamedTuple):
    """Which windows count together, as their gains are correlated."""

    series: Positions
    """Position of the series of each window, shape (windows,)."""
    times: Positions
    """Cutoff of each window on the calendar of the panel, shape (windows,)."""
    reach: int
    """Steps of a period: the horizon or the season, whichever is longer."""

    def take(self, rows: NDArray[np.bool_]) -> "Units":
        """Return the units of some windows."""
        return self._replace(series=self.series[rows], times=self.times[rows])

    @property
    def weights(self) -> Floats:
        """Weight of each window in the mean over series, which all weigh the same."""
        return np.asarray(1 / np.bincount(self.series)[self.series], np.float64)

    @property
    def periods(self) -> int:
        """How many periods the windows span, at most ten, and at least one.

        They are those that as many steps, evenly filled, would span; fewer where some hold most of
        the windows.

        Example:
            >>> def periods(*cutoffs, reach=12):
            ...     return Units(np.zeros(len(cutoffs), np.int64), np.array(cutoffs), reach).periods
            >>> periods(10, 22, 34), periods(*range(10, 30)), periods(*range(10, 46))
            (3, 1, 3)
            >>> periods(10, 22, 22, 22, 22, 22)
            1
        """
        weights = self.weights / self.weights.sum()
        blocks = np.bincount((self.times - self.times.min()) // self.reach, weights)
        spread = weights @ (self.times - weights @ self.times) ** 2
        evenly = np.sqrt(1 + 12 * spread / self.reach**2)
        return max(1, int(min(MOST_PERIODS, evenly + ROUNDING, 1 / (blocks @ blocks) + ROUNDING)))


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
    gains, units = gains[known], units.take(known)
    totals = np.asarray(np.bincount(units.series, units.weights * gains), np.float64)
    by_series = totals[np.unique(units.series)]
    if len(by_series) < FEW_SERIES:
        return over_time(gains, units)
    return min(over_time(gains, units), above_zero(by_series))


def units_of(tested: Backtest) -> Units:
    """Return the series and the time of each window, and the length of a period."""
    reach = max(tested.actual.shape[1], tested.season)
    return Units(tested.windows.series, tested.times, reach)


def over_time(gains: Floats, units: Units) -> float:
    """Return the confidence of a t test that gains, correlated over time, have a mean above zero.

    A single period shows nothing but its sign: 0.5 if it is above zero, else 0.

    Args:
        gains: Of each window.
        units: Of these windows.
    """
    waves = min(MOST_WAVES, units.periods - 1)
    weights = units.weights / units.weights.sum()
    mean = float(weights @ gains)
    step = 1 + int(np.ptp(units.times)) // MOST_TIMES
    times, time = np.unique(units.times // step, return_inverse=True)
    share = np.bincount(time, weights)
    middle = np.cumsum(share) - share / 2
    slow = np.cos(np.pi * np.outer(np.arange(1, waves + 1), middle))
    found = (slow @ np.bincount(time, weights * (gains - mean))) ** 2
    apart = step * np.abs(times[:, None] - times) / units.reach
    alike = np.interp(apart, [0, 1, 2], [1, SHARED, 0])  # (times, times)
    slow = share * (slow - (slow @ share)[:, None])  # the mean is taken off
    expected = np.einsum("wi,ij,wj->w", slow, alike, slow)
    variance = share @ alike @ share * found.mean() / expected.mean() if waves else 0.0
    return _confidence(mean, float(np.sqrt(variance)), waves, units.periods)


def above_zero(gains: Floats) -> float:
    """Return the confidence of a t test that independent gains have a mean above zero.

    Example:
        >>> round(above_zero(np.array([1.0, 2.0, 3.0])), 3)  # t = 3.46, two degrees of freedom
        0.963
    """
    error = float(gains.std(ddof=1)) / np.sqrt(len(gains))
    return _confidence(float(gains.mean()), error, len(gains) - 1, len(gains))


def _confidence(mean: float, error: float, freedom: int, count: int) -> float:
    if not freedom:
        return 0.5 if mean > 0 else 0.0
    most = SURE if count >= MOST_PERIODS else SURE_OF_FEW
    if error == 0:
        return most if mean > 0 else 0.0
    return min(most, float(special.stdtr(freedom, mean / error)))
