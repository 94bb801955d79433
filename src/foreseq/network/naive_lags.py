"""What the network learns the difference from: the newest values and the seasons before."""

from itertools import pairwise

from keras import KerasTensor, ops

from foreseq.config import ResolvedNetwork
from foreseq.network.outputs import by_step
from foreseq.network.scaling import TINY, masked_mean

UNSEEN = -1e4
"""Added to the score of a lag whose value is missing."""
MOVED = 2.0
"""Added to the score of each share of a change of level, so that a newborn network moves seasons by
nearly nine tenths of it: where little can be learned, levels last."""
LASTED = 2
"""Horizons that a drift has lasted: over fewer steps it is uncertain, over more it is history."""
CERTAIN = 3.0
"""Standard errors up to which a drift is taken for luck; of larger ones, it is what they lose."""


def baseline(
    config: ResolvedNetwork, z: KerasTensor, observed: KerasTensor, head: KerasTensor, horizon: int
) -> KerasTensor:
    """Return what the network learns the difference from, shape (rows, horizon or 1, 1).

    Each lag repeats its newest values over the horizon. Several are averaged with weights that a
    linear map of the head gives for each step; what was not observed weighs nothing. Where lags
    tell of one season after the other, all may first be moved to the level of the newest, wholly
    or by a share read off the head for each step, and the last value may go on drifting.
    """
    lags = config.naive_lags
    if not lags:
        return ops.zeros_like(z[:, :1])
    cycles = (
        _cycles(lags) if config.level_adjustment else lags
    )  # None in bundles older than this choice
    steps = [[step % cycle for step in range(horizon)] for cycle in cycles]
    repeated = [ops.take(z[:, -n:], step, axis=1) for n, step in zip(lags, steps, strict=True)]
    older = [at for at, lag in enumerate(lags) if cycles[at] < lag]
    changes = [_change_of_level(z, observed, lags[at], cycles[at]) for at in older]
    if config.level_adjustment == "learned" and older:
        changes = _shares(changes, head, horizon)
    for at, change in zip(older, changes, strict=True):
        repeated[at] += change
    if config.shrunken_trend and 1 in lags:  # None in older bundles as well
        repeated[lags.index(1)] += _drift(z, observed, horizon)
    if len(lags) == 1:
        return repeated[0]
    known = [ops.take(observed[:, -n:], step, axis=1) for n, step in zip(lags, steps, strict=True)]
    scores = by_step(head, horizon, len(lags), "lags")
    scores += UNSEEN * (1.0 - ops.concatenate(known, axis=-1))
    weights = ops.softmax(scores, axis=-1)  # (rows, horizon, lags)
    return ops.sum(weights * ops.concatenate(repeated, axis=-1), axis=-1, keepdims=True)


def _shares(changes: list[KerasTensor], head: KerasTensor, horizon: int) -> list[KerasTensor]:
    """Return the share of each change that the head tells for each step, most of it at first.

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

    A cycle that is missing altogether is at zero, the level of the window.
    """
    now, then = z.shape[1] - cycle, z.shape[1] - lag
    means = [
        masked_mean(z[:, first : first + cycle], observed[:, first : first + cycle])
        for first in (now, then)
    ]
    return means[0] - means[1]


def _drift(z: KerasTensor, observed: KerasTensor, horizon: int) -> KerasTensor:
    """Return how far the last value drifts in each step, shape (rows, horizon, 1).

    The mean of the newest steps, as far as it is certain: shrunk by the positive part of James and
    Stein (1961, Proceedings of the Fourth Berkeley Symposium 1, 361-379), with `CERTAIN` squared in
    the place of theirs, which would follow every wandering series. The variance is divided by three
    less than the number of steps, so that few are never certain.
    """
    span = slice(-(LASTED * horizon + 1), None)
    z, observed = z[:, span], observed[:, span]
    known = observed[:, 1:] * observed[:, :-1]
    moves = z[:, 1:] - z[:, :-1]
    count = ops.sum(known, axis=1, keepdims=True)
    mean = masked_mean(moves, known)
    doubt = masked_mean(ops.square(moves - mean), known) / ops.maximum(count - 3.0, TINY)
    certain = ops.relu(1.0 - CERTAIN**2 * doubt / (ops.square(mean) + TINY))
    return certain * mean * ops.arange(1, horizon + 1, dtype=z.dtype)[None, :, None]
