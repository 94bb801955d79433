"""Control chart: are errors still those of the backtest, or worse by more than luck explains?

A point of the chart is one moment of forecasting: the logarithm of its error over what the backtest
promised for the same steps ahead. It takes only the steps until the next forecast was made: each
actual then counts once, under the newest forecast of it, and errors of points share no actual.

The chart starts itself (Hawkins 1987): each new point is held against the mean and spread of all
points before it, the backtest's and those that came true since, by Student's t, which knows how few
they are. Two things alarm: a point by itself, and the exponentially weighted mean (EWMA) of the
resulting standard normal values, whose limit is widened by what the points are seen to resemble
their neighbours. Why both (Lucas and Saccucci 1990): the mean sees what is small and lasts, but
after some good moments even a tenfold error alone would not move it enough. Why the logarithm:
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
HALF_NORMAL = 0.756
"""Spread over mean of absolute errors that are normal: sqrt(pi / 2 - 1)."""
UTMOST = 8.0
"""Deviations beyond which a point is no more alarming."""
ALONE = 0.5
"""Deviations that a point by itself must be further off than the mean: that adds few false alarms,
where the limit is 3.72 one to eight."""
MOST_ALIKE = 0.8


class Chart(NamedTuple):
    """How each arrived point stands."""

    score: NDArray[np.float64]
    """The weighted mean in its own standard deviations, or the newest point by itself less
    `ALONE`, whichever is more; shape (points,); NaN where too little was known to judge."""
    limit: float
    """What luck passes once in as many points as was asked for."""

    @property
    def alarms(self) -> NDArray[np.bool_]:
        """Which points are beyond the limit."""
        return np.asarray(self.score > self.limit)


def steadiest(errors: float) -> float:
    """Return how little the logarithm of a mean of so many independent errors can vary.

    A few points may by luck lie closer together, and then the next one would seem far off.

    Example:
        >>> round(steadiest(35), 3), steadiest(1e6)
        (0.128, 0.02)
    """
    return max(STEADIEST, HALF_NORMAL / float(np.sqrt(max(errors, 1.0))))


def limit_of(every: int) -> float:
    """Return the score that luck passes once in `every` points.

    Example:
        >>> round(limit_of(10_000), 2)
        3.72
    """
    return float(stats.norm.isf(1 / every))


def control(
    promised: NDArray[np.float64],
    arrived: NDArray[np.float64],
    *,
    every: int,
    least: float = STEADIEST,
    since: int = 0,
) -> Chart:
    """Judge points one after the other; those beyond the limit teach the chart nothing.

    Args:
        promised: Of the backtest, oldest first, shape (points,).
        arrived: What came true since, oldest first, shape (points,).
        every: Points between two false alarms, on average.
        least: Spread that is assumed at least, see `steadiest`.
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
            deviation = _deviation(point, known, least)
            mean = NEWEST * deviation + (1 - NEWEST) * mean
            score[place] = max(mean / _spread(known), deviation - ALONE)
        if not score[place] > limit:
            known.append(point)
    return Chart(score, limit)


def chance_of(
    promised: NDArray[np.float64], newest: NDArray[np.float64], least: float = STEADIEST
) -> float:
    """Return how probable so high a mean of the newest points is, if the promise still held.

    The chart gets used to what lasts from the first forecast on, as it learns while it judges; this
    does not. Student's t for two samples of one spread, wider where points resemble neighbours.

    Example:
        >>> promised = np.array([-0.1, 0.0, 0.1])
        >>> chance_of(promised, np.full(8, 0.05)) > 0.05
        True
        >>> chance_of(promised, np.full(8, 0.5)) < 1e-4
        True
    """
    if len(promised) < LEAST or len(newest) < LEAST:
        return 1.0
    both = (promised, newest)
    freedom = len(promised) + len(newest) - 2
    spread = np.sqrt(sum(((each - each.mean()) ** 2).sum() for each in both) / freedom)
    alike = likeness(np.concatenate([each - each.mean() for each in both]))
    apart = np.sqrt((1 / len(promised) + 1 / len(newest)) * (1 + alike) / (1 - alike))
    distance = (newest.mean() - promised.mean()) / (max(float(spread), least) * apart)
    return float(stats.t.sf(distance, freedom))


def likeness(points: NDArray[np.float64]) -> float:
    """Return how much points resemble the ones before them, 0 to 0.8; 0 if they are too few."""
    if len(points) < ENOUGH or not points.std() > 0:
        return 0.0
    centred = points - points.mean()
    return float(np.clip((centred[1:] @ centred[:-1]) / (centred @ centred), 0, MOST_ALIKE))


def _deviation(point: float, known: list[float], least: float) -> float:
    """Return the normal deviation that is as likely as a point is by Student's t."""
    count = len(known)
    spread = max(float(np.std(known, ddof=1)), least)
    distance = (point - float(np.mean(known))) / (spread * np.sqrt(1 + 1 / count))
    tail = stats.t.logsf(abs(distance), count - 1)
    size = float(stats.norm.isf(np.exp(max(tail, stats.norm.logsf(UTMOST)))))
    return float(np.sign(distance)) * size


def _spread(known: list[float]) -> float:
    """Return the standard deviation of the weighted mean of points that resemble neighbours."""
    kept = (1 - NEWEST) * likeness(np.array(known))
    return float(np.sqrt(NEWEST / (2 - NEWEST) * (1 + kept) / (1 - kept)))
