"""Control chart: are errors still those of the backtest, or worse by more than luck explains?

A point of the chart is one moment of forecasting: the logarithm of its error over what the backtest
promised for the same steps ahead. It takes only the steps until the next forecast was made: each
actual then counts once, under the newest forecast of it, and errors of points share no actual.

The chart starts itself (Hawkins 1987): each new point is held against the mean and spread of all
points before it, the backtest's and those that came true since, by Student's t, which knows how few
they are. The resulting standard normal values go through an exponentially weighted mean (EWMA),
whose limit is widened by what the points are seen to resemble their neighbours. Why the logarithm:
errors of few series lean to the right, their logarithms to the left, and the chart looks right.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

NEWEST = 0.5
"""Weight of the newest point in the mean: a large shift shows at once, a small one soon."""
LEAST = 3
"""Points that must be known before the next one can be judged."""
ENOUGH = 10
"""Points from which their likeness to their neighbours can be told."""
STEADIEST = 0.02
"""Spread of the logarithms that is assumed at least: nobody minds two per cent."""
UTMOST = 8.0
"""Deviations beyond which a point is no more alarming."""
MOST_ALIKE = 0.8


class Chart(NamedTuple):
    """How each arrived point stands."""

    score: NDArray[np.float64]
    """The weighted mean in its own standard deviations, shape (points,); NaN where too little was
    known to judge."""
    limit: float
    """What luck passes once in as many points as was asked for."""

    @property
    def alarms(self) -> NDArray[np.bool_]:
        """Which points are beyond the limit."""
        return np.asarray(self.score > self.limit)


def limit_of(every: int) -> float:
    """Return the score that luck passes once in `every` points.

    Example:
        >>> round(limit_of(2000), 2)
        3.29
    """
    return float(stats.norm.isf(1 / every))


def control(
    promised: NDArray[np.float64], arrived: NDArray[np.float64], *, every: int, since: int = 0
) -> Chart:
    """Judge points one after the other; those beyond the limit teach the chart nothing.

    Args:
        promised: Of the backtest, oldest first, shape (points,).
        arrived: What came true since, oldest first, shape (points,).
        every: Points between two false alarms, on average.
        since: Points of `arrived` that were acted on already: the weighted mean begins after them.

    Example:
        >>> promised = np.array([0.1, -0.1, 0.0, 0.1, -0.1, 0.0])
        >>> chart = control(promised, np.array([0.05, 0.1, 1.5]), every=1000)
        >>> chart.alarms.tolist()
        [False, False, True]
    """
    known = promised.tolist()
    limit = limit_of(every)
    score = np.full(len(arrived), np.nan)
    mean = 0.0
    for place, point in enumerate(arrived.tolist()):
        if place == since:
            mean = 0.0
        if len(known) >= LEAST:
            mean = NEWEST * _deviation(point, known) + (1 - NEWEST) * mean
            score[place] = mean / _spread(known)
        if not score[place] > limit:
            known.append(point)
    return Chart(score, limit)


def likeness(points: NDArray[np.float64]) -> float:
    """Return how much points resemble the ones before them, 0 to 0.8; 0 if they are too few."""
    if len(points) < ENOUGH or not points.std() > 0:
        return 0.0
    centred = points - points.mean()
    return float(np.clip((centred[1:] @ centred[:-1]) / (centred @ centred), 0, MOST_ALIKE))


def _deviation(point: float, known: list[float]) -> float:
    """Return the normal deviation that is as likely as a point is by Student's t."""
    count = len(known)
    spread = max(float(np.std(known, ddof=1)), STEADIEST)
    distance = (point - float(np.mean(known))) / (spread * np.sqrt(1 + 1 / count))
    tail = stats.t.logsf(abs(distance), count - 1)
    size = float(stats.norm.isf(np.exp(max(tail, stats.norm.logsf(UTMOST)))))
    return float(np.sign(distance)) * size


def _spread(known: list[float]) -> float:
    """Return the standard deviation of the weighted mean of points that resemble neighbours."""
    kept = (1 - NEWEST) * likeness(np.array(known))
    return float(np.sqrt(NEWEST / (2 - NEWEST) * (1 + kept) / (1 - kept)))
