"""Scaling inside the network: how a window's values become numbers near one, and back."""

from typing import NamedTuple

from keras import KerasTensor, ops

TINY = 1e-8
CLIP = 10.0
"""Bound of scaled inputs: one broken reading must not saturate every gate."""


class WindowScale(NamedTuple):
    """Location and spread of a window's values."""

    location: KerasTensor
    """Subtracted, shape (rows, 1, 1)."""
    spread: KerasTensor
    """Divided by, positive, shape (rows, 1, 1)."""


def window_scale(
    method: str, values: KerasTensor, observed: KerasTensor, season: int, wide: int
) -> WindowScale:
    """Return the location of each window's newest season, and the spread of its `wide` last steps.

    Where all of the newest season is missing, the location is that of the whole window.
    """
    span = max(season, 2)
    newest = observed[:, -span:]
    mean = ops.where(
        ops.any(newest > 0, axis=1, keepdims=True),
        masked_mean(values[:, -span:], newest),
        masked_mean(values, observed),
    )
    location = mean
    if method == "last":
        later = ops.cumsum(ops.flip(observed, axis=1), axis=1)  # observed from here on
        last = observed * ops.cast(ops.equal(ops.flip(later, axis=1), 1), observed.dtype)
        known = ops.any(last > 0, axis=1, keepdims=True)
        location = ops.where(known, masked_mean(values, last), mean)
    elif method == "robust":
        location = _median(ops.where(newest > 0, values[:, -span:], mean))
    deviation, weight = ops.abs(values[:, -wide:] - location), observed[:, -wide:]
    spread = masked_mean(deviation, weight)
    if method == "robust":
        median = _median(ops.where(weight > 0, deviation, spread))
        spread = ops.where(median > 0, median, spread)
    return WindowScale(location, spread + TINY + 1e-4 * ops.abs(location))


def _median(values: KerasTensor) -> KerasTensor:
    """Return the median over time, shape (rows, 1, 1)."""
    return ops.median(values, axis=1, keepdims=True)


def masked_mean(values: KerasTensor, weight: KerasTensor) -> KerasTensor:
    """Return the mean of what was observed, zero where nothing was, shape (rows, 1, 1)."""
    total = ops.sum(values * weight, axis=1, keepdims=True)
    return total / ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)


def scale_as_first_cutoff(
    values: KerasTensor, observed: KerasTensor, scale: WindowScale, known: KerasTensor, cutoffs: int
) -> KerasTensor:
    """Return the inputs of the cells, (batch, reach, channels), scaled as at the earliest cutoff.

    The scale of a later cutoff would leak its past into earlier ones. Cutoffs without any
    observation, which teach nothing, are passed over.
    """
    shape = (-1, cutoffs, values.shape[-1])
    observes = ops.cast(ops.reshape(ops.any(known > 0, axis=1), shape), values.dtype)
    first = observes * ops.cast(ops.equal(ops.cumsum(observes, axis=1), 1), values.dtype)
    nothing = 1.0 - ops.max(observes, axis=1, keepdims=True)  # (batch, 1, channels)
    first = ops.concatenate([first[:, :1] + nothing, first[:, 1:]], axis=1)
    location, spread = (
        ops.sum(first * ops.reshape(part, shape), axis=1, keepdims=True) for part in scale
    )  # (batch, 1, channels)
    return ops.clip((values - location) / spread * observed, -CLIP, CLIP)
