"""Control chart and coverage test: are live errors and intervals still those of the backtest?

A point of the chart is one forecast origin: the logarithm of its error over the error that the
backtest expects of the same steps ahead. It takes only the steps until the next forecast was made:
each actual then counts once, under its newest forecast, and errors of points share no actual.

The chart starts itself (Hawkins 1987): each new point is compared with the mean and spread of all
points before it, the backtest's and the live ones since, by Student's t, which allows for their
small number. Two things alarm: a point by itself, and the exponentially weighted mean (EWMA) of the
resulting standard normal values, whose limit is widened by the points' autocorrelation. Why both
(Lucas and Saccucci 1990): the mean detects small lasting shifts, but after some good origins even a
tenfold error alone would not move it enough. Why the logarithm: errors of few series are skewed to
the right, their logarithms to the left, and the chart tests the right side.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from foreseq.config import MonitorConfig

NEWEST = 0.5
"""Weight of the newest point in the mean: a large shift shows at once, a small one soon."""
MIN_POINTS = 3
"""Points before the first one that is tested."""
MIN_AUTOCORRELATED = 10
"""Points from which their autocorrelation is estimated."""
MIN_COVERED = 8
"""Origins from which coverage is tested."""
MIN_SPREAD = 0.02
"""Smallest spread of the logarithms: differences of 2% are never alarming."""
HALF_NORMAL = 0.756
"""Spread over mean of absolute errors that are normal: sqrt(pi / 2 - 1)."""
MAX_DEVIATION = 8.0
"""Deviations beyond which a point is no more alarming."""
ALONE = 0.5
"""Deviations by which a point alone must exceed the limit of the mean. With a limit of 3.72 it adds
one false alarm to eight of the mean."""
MAX_AUTOCORRELATION = 0.8


class Chart(NamedTuple):
    """Scores of the live points, and the limit beyond which they alarm."""

    score: NDArray[np.float64]
    """The weighted mean in its own standard deviations, or the newest point by itself less
    `ALONE`, whichever is more; shape (points,); NaN before there are `MIN_POINTS`."""
    limit: float

    @property
    def alarms(self) -> NDArray[np.bool_]:
        """Which points are beyond the limit."""
        return np.asarray(self.score > self.limit)


class Coverage(NamedTuple):
    """Nominal and live coverage of the widest interval."""

    level: float
    """Nominal."""
    share: float
    """Live, the mean over origins."""
    origins: int
    p_value: float
    """Two-sided."""

    def is_off(self, config: MonitorConfig) -> bool:
        """Return whether the difference is large enough to matter, and significant."""
        far = abs(self.share - self.level) >= config.coverage_tolerance
        return far and self.p_value < 1 / config.false_alarm_interval


def least_spread(errors: float) -> float:
    """Return the smallest spread that the logarithm of a mean of so many errors can have.

    A few points may lie closer together by chance, and then the next one would seem far off.

    Example:
        >>> round(least_spread(35), 3), least_spread(1e6)
        (0.128, 0.02)
    """
    return max(MIN_SPREAD, HALF_NORMAL / float(np.sqrt(max(errors, 1.0))))


def limit(every: int) -> float:
    """Return the score that chance exceeds once in `every` points.

    Example:
        >>> round(limit(10_000), 2)
        3.72
    """
    return float(stats.norm.isf(1 / every))


def control(
    expected: NDArray[np.float64],
    live: NDArray[np.float64],
    *,
    every: int,
    least: float = MIN_SPREAD,
    since: int = 0,
) -> Chart:
    """Test live points one after the other; those beyond the limit do not change the chart.

    Args:
        expected: Points of the backtest, oldest first, shape (points,).
        live: Live points, oldest first, shape (points,).
        every: Points between two false alarms, on average.
        least: Smallest spread, see `least_spread`.
        since: Live points that were acted on already: the weighted mean begins after them.

    Example:
        >>> expected = np.array([0.1, -0.1, 0.0, 0.1, -0.1, 0.0])
        >>> chart = control(expected, np.array([0.05, 0.1, 1.5]), every=1000)
        >>> chart.alarms.tolist()
        [False, False, True]
    """
    known = expected.tolist()
    bound = limit(every)
    score = np.full(len(live), np.nan)
    mean = 0.0
    for place, point in enumerate(live.tolist()):
        if place == since:
            mean = 0.0
        if len(known) >= MIN_POINTS:
            deviation = _deviation(point, known, least)
            mean = NEWEST * deviation + (1 - NEWEST) * mean
            score[place] = max(mean / _spread_of_mean(known), deviation - ALONE)
        if not score[place] > bound:
            known.append(point)
    return Chart(score, bound)


def shift_p_value(
    expected: NDArray[np.float64], newest: NDArray[np.float64], least: float = MIN_SPREAD
) -> float:
    """Return the p-value of the newest points' mean being above the backtest's.

    The chart adapts to a shift that is there from the first forecast on, as its points join the
    known ones; this test does not. Student's t for two samples of equal variance, widened by
    autocorrelation; 1 if either sample has fewer than `MIN_POINTS`.

    Example:
        >>> expected = np.array([-0.1, 0.0, 0.1])
        >>> shift_p_value(expected, np.full(8, 0.05)) > 0.05
        True
        >>> shift_p_value(expected, np.full(8, 0.5)) < 1e-4
        True
    """
    if min(len(expected), len(newest)) < MIN_POINTS:
        return 1.0
    centred = np.concatenate([sample - sample.mean() for sample in (expected, newest)])
    freedom = len(centred) - 2
    spread = np.sqrt((centred**2).sum() / freedom)
    alike = autocorrelation(centred)
    apart = np.sqrt((1 / len(expected) + 1 / len(newest)) * (1 + alike) / (1 - alike))
    distance = (newest.mean() - expected.mean()) / (max(float(spread), least) * apart)
    return float(stats.t.sf(distance, freedom))


def coverage(points: pd.DataFrame, level: float | None) -> Coverage | None:
    """Return live coverage against the nominal one; None without intervals or with few origins.

    Student's t over origins, which share no actual, widened by their autocorrelation. The smallest
    spread is that of independent actuals.
    """
    if level is None or len(points) < MIN_COVERED:
        return None
    count = points["count"].to_numpy(dtype=np.float64)
    shares = points["inside"].to_numpy(dtype=np.float64) / count
    alike = autocorrelation(shares)
    independent = float(np.sqrt(level * (1 - level) / count.mean()))
    spread = max(float(shares.std(ddof=1)), independent)
    error = spread * np.sqrt((1 + alike) / (1 - alike) / len(shares))
    distance = abs(float(shares.mean()) - level) / error
    p_value = 2 * float(stats.t.sf(distance, len(shares) - 1))
    return Coverage(level, float(shares.mean()), len(shares), p_value)


def autocorrelation(points: NDArray[np.float64]) -> float:
    """Return the lag-1 autocorrelation, clipped to 0 and 0.8; 0 if there are too few points."""
    if len(points) < MIN_AUTOCORRELATED or not points.std() > 0:
        return 0.0
    centred = points - points.mean()
    ratio = (centred[1:] @ centred[:-1]) / (centred @ centred)
    return float(np.clip(ratio, 0, MAX_AUTOCORRELATION))


def _deviation(point: float, known: list[float], least: float) -> float:
    """Return the normal deviation that is as likely as a point is by Student's t."""
    count = len(known)
    spread = max(float(np.std(known, ddof=1)), least)
    distance = (point - float(np.mean(known))) / (spread * np.sqrt(1 + 1 / count))
    tail = stats.t.logsf(abs(distance), count - 1)
    size = float(stats.norm.isf(np.exp(max(tail, stats.norm.logsf(MAX_DEVIATION)))))
    return float(np.sign(distance)) * size


def _spread_of_mean(known: list[float]) -> float:
    """Return the standard deviation of the weighted mean of autocorrelated points."""
    alike = (1 - NEWEST) * autocorrelation(np.array(known))
    return float(np.sqrt(NEWEST / (2 - NEWEST) * (1 + alike) / (1 - alike)))
