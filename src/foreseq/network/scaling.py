"""Scaling inside the network: how a window's values become numbers near one, and back.

It is done in float64: differences of values on a high level keep their digits, and no unit is too
small or too large. No constant has a unit either, so forecasts do not depend on it.
"""

from typing import NamedTuple

import numpy as np
from keras import KerasTensor, ops

from foreseq.config import ResolvedNetwork

TINY = 1e-8
"""Of scaled values, where it keeps a quotient finite."""
CLIP = 10.0
"""Bound of scaled inputs: one broken reading must not saturate every gate."""
FARTHEST = 1e9
"""Bound of scaled values in the naive forecast, whose squares must not overflow."""
QUIET = 1e-6
"""Least spread, in spreads of the whole window: a series that is at rest stays there."""
ROUNDING = 1e-13
"""Least spread, in units of the location: values differ by as much through rounding alone."""

MEAN_DISTANCE = 2 / 3
"""Mean distance from the median, in distances of the outer quartiles: 0.59 of values that are
normal, 0.72 of Laplace's, which have more spikes."""


class WindowScale(NamedTuple):
    """Location and spread of a window's values."""

    location: KerasTensor
    """Subtracted, shape (rows, 1, 1)."""
    spread: KerasTensor
    """Divided by, shape (rows, 1, 1); zero if nothing varies, so that the forecast does not."""
    compresses: bool = False
    """Whether values far from the location are compressed."""


def scale_of(
    config: ResolvedNetwork, values: KerasTensor, observed: KerasTensor, season: int
) -> WindowScale:
    """Return how a network scales its windows.

    What a window has too few observations for is that of other series, where the config says how:
    without any, location and spread; with a single one, the spread.

    Args:
        config: Method, and quartiles of other series.
        values: Shape (rows, time, 1), logarithms if the network works on these.
        observed: One where a value counts, the same shape.
        season: Steps.
    """
    if config.scale == "fixed":
        location, spread = by_quartiles(config, config.fixed_scale)
        every = ops.zeros_like(values[:, :1])  # (rows, 1, 1)
        return WindowScale(every + location, every + spread, compresses=not config.log)
    wide = max(7 * season, config.recent_inputs)
    scale = window_scale(config.scale, values, observed, season, wide)
    if not config.starts_cold:
        return scale
    location, spread = by_quartiles(config, config.cold_start)
    count = ops.sum(observed, axis=1, keepdims=True)
    return WindowScale(
        ops.where(count > 0, scale.location, ops.full_like(scale.location, location)),
        ops.where(count > 1, scale.spread, ops.full_like(scale.spread, spread)),
    )


def by_quartiles(config: ResolvedNetwork, quartiles: tuple[float, ...]) -> tuple[float, float]:
    """Return location and spread by quartiles, of logarithms if the network works on these."""
    low, middle, high = np.log(quartiles) if config.log else quartiles
    return float(middle), MEAN_DISTANCE * float(high - low)


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
    whole = masked_mean(ops.abs(values - location), observed)
    spread += QUIET * whole + ROUNDING * ops.abs(location)
    return WindowScale(location, spread)


def scaled(values: KerasTensor, scale: WindowScale) -> KerasTensor:
    """Return values in units of a scale, as the float32 that the layers compute with."""
    spread = ops.where(scale.spread > 0, scale.spread, 1.0)  # where nothing varies, all is zero
    z = ops.clip((values - scale.location) / spread, -FARTHEST, FARTHEST)
    return ops.cast(_compressed(z) if scale.compresses else z, "float32")


def unscaled(z: KerasTensor, scale: WindowScale) -> KerasTensor:
    """Return the values that `scaled` maps to these, as float64."""
    z = ops.cast(z, "float64")
    return (_expanded(z) if scale.compresses else z) * scale.spread + scale.location


def _compressed(z: KerasTensor) -> KerasTensor:
    """Return arcsinh of scaled values up to `CLIP`, and beyond its tangent.

    So a network trained on the errors of what it expanded has no gradient that explodes. Where
    prices have spikes, arcsinh is the usual transformation (Uniejewski et al. 2018, IEEE
    Transactions on Power Systems 33(2), 2219-2229).
    """
    near = ops.clip(z, -CLIP, CLIP)
    return ops.arcsinh(near) + (z - near) / np.hypot(1.0, CLIP)


def _expanded(z: KerasTensor) -> KerasTensor:
    """Return the values that `_compressed` maps to these."""
    most = float(np.arcsinh(CLIP))
    near = ops.clip(z, -most, most)
    return ops.sinh(near) + (z - near) * np.hypot(1.0, CLIP)


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
    observes = ops.cast(ops.reshape(ops.any(known > 0, axis=1), shape), "float64")
    first = observes * ops.cast(ops.equal(ops.cumsum(observes, axis=1), 1), "float64")
    nothing = 1.0 - ops.max(observes, axis=1, keepdims=True)  # (batch, 1, channels)
    first = ops.concatenate([first[:, :1] + nothing, first[:, 1:]], axis=1)
    location, spread = (
        ops.sum(first * ops.reshape(part, shape), axis=1, keepdims=True)
        for part in (scale.location, scale.spread)
    )  # (batch, 1, channels)
    z = scaled(values, WindowScale(location, spread, scale.compresses))
    return ops.clip(z * ops.cast(observed, z.dtype), -CLIP, CLIP)
