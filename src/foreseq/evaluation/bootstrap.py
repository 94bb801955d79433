"""The confidence that one forecaster errs less than another: a paired bootstrap.

Gains on the same windows are resampled with replacement; the share of resamples whose mean is above
zero is the confidence. Series are resampled, each with all of its windows; below `FEW` series
windows, below `FEW` windows single steps. Windows and steps are resampled in blocks, as neighbours
are correlated. Correlated series, and the steps of a single window, hold less evidence than their
number suggests: use more test windows where the decision matters.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from foreseq.evaluation.backtest import Losses

FEW = 5
"""Fewer series, or windows, are too few to resample."""
RESAMPLES, SEED = 2000, 1
ROUNDING = 1e-6
"""Gains below this share of the other's error are no gains."""


def confidence(ours: Losses, theirs: Losses, share: float = 0.0) -> float:
    """Return the confidence, 0 to 1, that our error is below `1 - share` of theirs.

    It is 0 if ours is not finite, and 1 if ours is finite and theirs infinite.

    Args:
        ours: Of the challenger.
        theirs: Of the other forecaster, on the same windows.
        share: Of their error that must be avoided at least.
    """
    if not np.isfinite(ours.mean) or np.isnan(theirs.mean):
        return 0.0
    if np.isinf(theirs.mean):
        return 1.0
    factor = 1 - share - ROUNDING
    gains_by = (factor * other - own for own, other in zip(ours, theirs, strict=True))
    steps, means, series = (gains[~np.isnan(gains)] for gains in gains_by)
    if len(series) >= FEW:
        return above_zero(series)
    gains = means if len(means) >= FEW else steps
    return above_zero(gains, block=ceil(len(gains) ** (1 / 3)))


def above_zero(gains: NDArray[np.float64], block: int = 1) -> float:
    """Return the share of resamples whose mean is above zero.

    Args:
        gains: In order of time where blocks are longer than one, shape (units,).
        block: Neighbours that are resampled together; the last is followed by the first.

    Example:
        >>> above_zero(np.array([1.0, 2.0, 3.0])), above_zero(np.array([1.0, -2.0, 0.5]), block=3)
        (1.0, 0.0)
        >>> 0.4 < above_zero(np.tile([1.0, -1.0], 200)) < 0.6
        True
    """
    count = len(gains)
    rng = np.random.default_rng(SEED)
    within = np.arange(block)
    won = 0
    for _ in range(RESAMPLES):
        first = rng.integers(count, size=ceil(count / block))
        drawn = (first[:, None] + within).ravel()[:count] % count
        won += bool(gains[drawn].sum() > 0)
    return won / RESAMPLES
