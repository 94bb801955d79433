"""What the network learns the difference from: the newest values and the seasons before."""

from itertools import pairwise

from keras import KerasTensor, ops

from foreseq.config import NetworkConfig, settled
from foreseq.network.frame import masked_mean
from foreseq.network.outputs import reading

UNSEEN = -1e4
"""Added to the score of a lag whose value is missing."""


def baseline(
    config: NetworkConfig, z: KerasTensor, observed: KerasTensor, head: KerasTensor, horizon: int
) -> KerasTensor:
    """Return what the network learns the difference from, shape (rows, horizon or 1, 1).

    Each lag repeats its newest values over the horizon. Several are averaged with weights that a
    linear map of the head gives for each step; what was not observed weighs nothing. Where lags
    tell of one season after the other, all may first be moved to the level of the newest.
    """
    lags = settled(config.baseline)
    if not lags:
        return ops.zeros_like(z[:, :1])
    pasts, cycles = [z[:, -lag:] for lag in lags], list(lags)
    if config.relevel:  # None in bundles that are older than this choice
        cycles = _cycles(lags)
        pasts = [
            past + _change_of_level(z, observed, lag, cycle) if cycle < lag else past
            for past, lag, cycle in zip(pasts, lags, cycles, strict=True)
        ]
    steps = [[step % cycle for step in range(horizon)] for cycle in cycles]
    repeated = [ops.take(past, step, axis=1) for past, step in zip(pasts, steps, strict=True)]
    if len(lags) == 1:
        return repeated[0]
    known = [ops.take(observed[:, -n:], step, axis=1) for n, step in zip(lags, steps, strict=True)]
    scores = reading(horizon * len(lags), "lags")(head)
    scores = ops.reshape(scores, (-1, horizon, len(lags)))
    scores += UNSEEN * (1.0 - ops.concatenate(known, axis=-1))
    weights = ops.softmax(scores, axis=-1)  # (rows, horizon, lags)
    return ops.sum(weights * ops.concatenate(repeated, axis=-1), axis=-1, keepdims=True)


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
