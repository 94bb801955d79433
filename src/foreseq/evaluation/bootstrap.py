"""How sure it is that one forecaster errs less than another: a paired bootstrap.

Gains on the same windows are drawn again, with replacement, and the share of draws whose mean stays
above zero is the confidence. Drawn are series, each with all of its windows; of fewer than `FEW`
series windows, of fewer windows single steps. As windows and steps that follow one another resemble
one another, runs of them are drawn together. Series that share their shocks, and the steps of a
single window, know less than they seem to: bring more test windows where the answer matters.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from foreseq.evaluation.backtest import Losses

FEW = 5
"""Fewer than so many series, or windows, are too few to draw from."""
DRAWS, SEED = 2000, 1
ROUNDING = 1e-6
"""Gains below this share of the rival's error are no gains."""


def confidence(ours: Losses, theirs: Losses, share: float = 0.0) -> float:
    """Return how sure it is that we err less than `1 - share` of what they do, from 0 to 1.

    Ours not finite is sure to lose; theirs infinite, where ours are finite, is sure to be beaten.

    Args:
        ours: Of the challenger.
        theirs: Of the rival, on the same windows.
        share: Of their error, what must be avoided at least.
    """
    if not np.isfinite(ours.mean) or np.isnan(theirs.mean):
        return 0.0
    if np.isinf(theirs.mean):
        return 1.0
    kept = 1 - share - ROUNDING
    steps, means, series = (
        _known(kept * rival - own) for own, rival in zip(ours, theirs, strict=True)
    )
    if len(series) >= FEW:
        return above_zero(series)
    gains = means if len(means) >= FEW else steps
    return above_zero(gains, run=ceil(len(gains) ** (1 / 3)))


def above_zero(gains: NDArray[np.float64], run: int = 1) -> float:
    """Return the share of draws, with replacement, whose mean is above zero.

    Args:
        gains: In order of time where runs are longer than one, shape (units,).
        run: How many that follow one another are drawn together; the last is followed by the first.

    Example:
        >>> above_zero(np.array([1.0, 2.0, 3.0])), above_zero(np.array([1.0, -2.0, 0.5]), run=3)
        (1.0, 0.0)
        >>> 0.4 < above_zero(np.tile([1.0, -1.0], 200)) < 0.6
        True
    """
    count = len(gains)
    rng = np.random.default_rng(SEED)
    within = np.arange(run)
    won = 0
    for _ in range(DRAWS):
        first = rng.integers(count, size=ceil(count / run))
        drawn = (first[:, None] + within).ravel()[:count] % count
        won += bool(gains[drawn].sum() > 0)
    return won / DRAWS


def _known(gains: NDArray[np.float64]) -> NDArray[np.float64]:
    return gains[~np.isnan(gains)]
