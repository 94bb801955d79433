"""The naive forecast that the network corrects: newest values and earlier seasons, repeated."""

from itertools import pairwise

from keras import KerasTensor, ops

from foreseq.config import ResolvedNetwork
from foreseq.network.outputs import by_step
from foreseq.network.scaling import TINY, masked_mean

UNSEEN = -1e4
"""Added to the score of a lag whose value is missing."""
MOVED = 2.0
"""Initial score of the shares of a level change: an untrained network applies sigmoid(2) = 0.88 of
it, as a level mostly stays."""
TREND_SPAN = 2
"""Horizons over which the trend is measured: fewer are uncertain, more are out of date."""
CERTAIN = 3.0
"""Standard errors up to which a trend is taken for noise; larger trends are shrunk by as much."""


def naive_forecast(
    config: ResolvedNetwork, z: KerasTensor, observed: KerasTensor, head: KerasTensor, horizon: int
) -> KerasTensor:
    """Return the naive forecast, shape (rows, horizon or 1, 1).

    Each lag repeats its newest values over the horizon. Several are averaged with weights that are
    linear in the head, for each step; missing values have no weight. With `level_adjustment`,
    earlier seasons are first moved to the level of the newest, wholly or by a learned share; with
    `shrunken_trend`, the last value continues its trend.
    """
    lags = config.naive_lags
    if not lags:
        return ops.zeros_like(z[:, :1])
    cycles = _cycles(lags) if config.level_adjustment else lags
    steps = [[step % cycle for step in range(horizon)] for cycle in cycles]
    repeated = [ops.take(z[:, -n:], step, axis=1) for n, step in zip(lags, steps, strict=True)]
    older = [at for at, lag in enumerate(lags) if cycles[at] < lag]
    changes = [_change_of_level(z, observed, lags[at], cycles[at]) for at in older]
    if config.level_adjustment == "learned" and older:
        changes = _shares(changes, head, horizon)
    for at, change in zip(older, changes, strict=True):
        repeated[at] += change
    if config.shrunken_trend and 1 in lags:
        repeated[lags.index(1)] += _trend(z, observed, horizon)
    if len(lags) == 1:
        return repeated[0]
    known = [ops.take(observed[:, -n:], step, axis=1) for n, step in zip(lags, steps, strict=True)]
    scores = by_step(head, horizon, len(lags), "lags")
    scores += UNSEEN * (1.0 - ops.concatenate(known, axis=-1))
    weights = ops.softmax(scores, axis=-1)  # (rows, horizon, lags)
    return ops.sum(weights * ops.concatenate(repeated, axis=-1), axis=-1, keepdims=True)


def _shares(changes: list[KerasTensor], head: KerasTensor, horizon: int) -> list[KerasTensor]:
    """Return the learned share of each change for each step, most of it at first.

    Changes have shape (rows, 1, 1), shares of them (rows, horizon, 1).
    """
    shares = ops.sigmoid(MOVED + by_step(head, horizon, len(changes), "shares"))
    return [shares[..., n : n + 1] * change for n, change in enumerate(changes)]


def _cycles(lags: tuple[int, ...]) -> list[int]:
    """Return the cycle that each lag goes back by, once or several times.

    Example:
        >>> _cycles((1, 24, 168, 336, 504))
        [1, 24, 168, 168, 168]
    """
    gaps = [later - sooner for sooner, later in pairwise((0, *lags))]
    return [gap if gap > 1 and gap in lags else lag for gap, lag in zip(gaps, lags, strict=True)]


def _change_of_level(z: KerasTensor, observed: KerasTensor, lag: int, cycle: int) -> KerasTensor:
    """Return by how much the newest cycle's mean exceeds that of a lag before, (rows, 1, 1).

    A cycle without observations is at zero, the location of the window.
    """
    now, then = z.shape[1] - cycle, z.shape[1] - lag
    means = [
        masked_mean(z[:, first : first + cycle], observed[:, first : first + cycle])
        for first in (now, then)
    ]
    return means[0] - means[1]


def _trend(z: KerasTensor, observed: KerasTensor, horizon: int) -> KerasTensor:
    """Return the trend of the last value at each step, shape (rows, horizon, 1).

    The mean of the newest changes, shrunk by the positive part of James and Stein (1961,
    Proceedings of the Fourth Berkeley Symposium 1, 361-379) with `CERTAIN` squared as their
    constant, as theirs would follow every random walk. The variance is divided by the number of
    steps less three, so that few steps are never certain.
    """
    span = slice(-(TREND_SPAN * horizon + 1), None)
    z, observed = z[:, span], observed[:, span]
    known = observed[:, 1:] * observed[:, :-1]
    changes = z[:, 1:] - z[:, :-1]
    count = ops.sum(known, axis=1, keepdims=True)
    mean = masked_mean(changes, known)
    variance = masked_mean(ops.square(changes - mean), known) / ops.maximum(count - 3.0, TINY)
    certain = ops.relu(1.0 - CERTAIN**2 * variance / (ops.square(mean) + TINY))
    return certain * mean * ops.arange(1, horizon + 1, dtype=z.dtype)[None, :, None]
