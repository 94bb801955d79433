"""Scaling inside the network: how a window's values become numbers near one, and back."""

from typing import NamedTuple

from keras import KerasTensor, ops

TINY = 1e-8
FAR = 10.0
"""Scaled inputs beyond this are cut: one broken reading must not saturate every gate."""


class Frame(NamedTuple):
    """How a window's values become numbers near one, and back."""

    level: KerasTensor
    """Subtracted, shape (rows, 1, 1)."""
    spread: KerasTensor
    """Divided by, positive, shape (rows, 1, 1)."""


def frame(scale: str, values: KerasTensor, observed: KerasTensor, season: int, wide: int) -> Frame:
    """Take the level from the newest season of each window, the spread from `wide` steps.

    Where all of the newest season is missing, the whole window gives the level.
    """
    span = max(season, 2)
    newest = observed[:, -span:]
    mean = ops.where(
        ops.any(newest > 0, axis=1, keepdims=True),
        masked_mean(values[:, -span:], newest),
        masked_mean(values, observed),
    )
    level = mean
    if scale == "last":
        later = ops.cumsum(ops.flip(observed, axis=1), axis=1)  # observed from here on
        last = observed * ops.cast(ops.equal(ops.flip(later, axis=1), 1), observed.dtype)
        level = ops.where(ops.any(last > 0, axis=1, keepdims=True), masked_mean(values, last), mean)
    elif scale == "robust":
        level = _median(ops.where(newest > 0, values[:, -span:], mean))
    away, weight = ops.abs(values[:, -wide:] - level), observed[:, -wide:]
    spread = masked_mean(away, weight)
    if scale == "robust":
        middling = _median(ops.where(weight > 0, away, spread))
        spread = ops.where(middling > 0, middling, spread)
    return Frame(level, spread + TINY + 1e-4 * ops.abs(level))


def _median(values: KerasTensor) -> KerasTensor:
    """Return the median over time, shape (rows, 1, 1)."""
    return ops.median(values, axis=1, keepdims=True)


def masked_mean(values: KerasTensor, weight: KerasTensor) -> KerasTensor:
    """Return the mean of what was observed, zero where nothing was, shape (rows, 1, 1)."""
    total = ops.sum(values * weight, axis=1, keepdims=True)
    return total / ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)


def as_first_seen(
    values: KerasTensor, observed: KerasTensor, own: Frame, known: KerasTensor, cutoffs: int
) -> KerasTensor:
    """Return what the cells read, (batch, reach, channels), scaled as at the earliest cutoff.

    A frame of a later cutoff would tell the earlier ones what came after them. Where those have
    seen nothing, so that nothing is learned from them, the first that has gives the frame.
    """
    shape = (-1, cutoffs, values.shape[-1])
    sees = ops.cast(ops.reshape(ops.any(known > 0, axis=1), shape), values.dtype)
    first = sees * ops.cast(ops.equal(ops.cumsum(sees, axis=1), 1), values.dtype)
    nothing = 1.0 - ops.max(sees, axis=1, keepdims=True)  # (batch, 1, channels)
    first = ops.concatenate([first[:, :1] + nothing, first[:, 1:]], axis=1)
    level, spread = (
        ops.sum(first * ops.reshape(each, shape), axis=1, keepdims=True) for each in own
    )
    return ops.clip((values - level) / spread * observed, -FAR, FAR)
