"""The whole network: from windows in their own units to forecasts in these units.

Why scaling is inside: it is taken from the past of each window alone, so there is no scaler to fit,
to leak or to lose, and a series never seen in training can be forecast.

Axes in shape comments: `batch` counts windows; `cutoffs` counts cutoffs of windows, as training
forecasts from several per window; `rows` counts (window, cutoff, channel).
"""

import keras
import numpy as np
from keras import KerasTensor, ops

from foreseq.config import ResolvedNetwork
from foreseq.network import covariates, decoders
from foreseq.network.cells import recurrent_stack
from foreseq.network.naive_lags import naive_forecast
from foreseq.network.outputs import channels, outputs
from foreseq.network.scaling import CLIP, scale_as_first_cutoff, scale_of, scaled, unscaled
from foreseq.series.windows import cutoff_starts


def forecaster(  # noqa: PLR0913 - what to build, for which data, and from which seed
    config: ResolvedNetwork, *, horizon: int, season: int, dates: int, seed: int, cutoffs: int = 1
) -> keras.Model:
    """Return the network, whose weights do not depend on the number of cutoffs.

    Inputs: `past` and `observed` (batch, reach, channels), `calendar` (batch, reach + horizon,
    dates), `covariates` and `covariates_known` (batch, reach + horizon, covariates of all
    channels), where reach = context + (cutoffs - 1) * patch. Output: (batch, cutoffs, channels,
    horizon, outputs) in the units of `past`, with one output per quantile, or one in all. Both are
    float64, all layers in between float32. On logarithms, values that have none count as missing.

    Args:
        config: What to build.
        horizon: Steps to forecast.
        season: Steps after which the pattern repeats; 1 means none.
        dates: Calendar features per step.
        seed: For initial weights and dropout.
        cutoffs: Forecast origins per window: the end of the past and those a patch, two patches ...
            before it, the earliest first.
    """
    context, patch, n = config.context, config.patch, channels(config)
    reach = context + (cutoffs - 1) * patch
    inputs = _inputs(config, reach, horizon, dates)
    calendar = inputs["calendar"]
    values, seen = _on_scale(config, inputs["past"], inputs["observed"])
    pasts = _rows(_per_cutoff(values, cutoffs, patch, context))  # (rows, context, 1)
    known = _rows(_per_cutoff(seen, cutoffs, patch, context))  # (rows, context, 1)
    recent = config.recent_inputs
    scale = scale_of(config, pasts, ops.cast(known, pasts.dtype), season)
    z = scaled(pasts, scale) * known  # (rows, context, 1)
    clipped = ops.clip(z, -CLIP, CLIP)

    runs_on = config.decoder != "direct"
    every_step = runs_on or cutoffs > 1
    stack = recurrent_stack(config.cells, every_step=every_step, seed=seed, carry=runs_on)
    read = scale_as_first_cutoff(values, seen, scale, known, cutoffs)
    steps = [_fold(read, patch), _fold(seen, patch), calendar[:, :reach:patch]]
    beside = covariates.features(
        config, inputs["covariates"], inputs["covariates_known"], seed + 400
    )
    if beside:
        steps.append(beside.read_all(_fold(beside.all[:, :reach], patch)))
        steps.append(beside.read_ahead(_fold(beside.ahead[:, :reach], patch)))
    result = stack(keras.layers.Concatenate()(steps), every=cutoffs > 1)
    hidden, states = result if runs_on else (result, [])  # (batch, [patches,] units)
    split = decoders.channel_split(config, seed + 300)
    state = split(_last(hidden, cutoffs)[:, None])[:, 0]  # (rows, units)
    newest = [clipped[:, -recent:, 0], known[:, -recent:, 0]]  # (rows, recent) each
    head = keras.layers.Concatenate()([state, *newest])  # (rows, units + 2 * recent)

    future = _per_cutoff(calendar[:, context:], cutoffs, patch, horizon)  # (cutoffs, horizon, k)
    if runs_on:
        last = [_last(layer, cutoffs) for layer in states]
        patches = future[:, ::patch]
        if beside:
            patches = _with_covariates(patches, beside, context, cutoffs, patch)
        ahead = decoders.Ahead(config, stack, last, newest, patches, split)
        naive = naive_forecast(config, z, known, head, ahead.reach)
        z_hat = (
            decoders.segments(ahead, naive, seed + 200)
            if config.decoder == "segment"
            else decoders.recursion(ahead, state, naive)
        )[:, :horizon]
    else:
        naive = naive_forecast(config, z, known, head, horizon)
        z_hat = naive + decoders.direct(config, head, horizon)
    if beside:
        starts = context + cutoff_starts(patch, cutoffs)
        steps = covariates.changes(config, beside.ahead, horizon, starts)
        future = keras.layers.Concatenate()([future, steps])
    future = ops.repeat(future, n, axis=0)  # (rows, horizon, k)
    if beside and not runs_on:
        z_hat += covariates.by_horizon(config, head, future, seed + 500)
    if dates or beside:
        z_hat += decoders.by_step_ahead(config, head, future, seed + 100)
    y_hat = unscaled(z_hat, scale)  # (rows, horizon, outputs)
    y_hat = ops.reshape(y_hat, (-1, cutoffs, n, horizon, outputs(config)))
    return keras.Model(inputs, ops.exp(y_hat) if config.log else y_hat, name="forecaster")


def _inputs(
    config: ResolvedNetwork, reach: int, horizon: int, dates: int
) -> dict[str, KerasTensor]:
    """Return the inputs of the network by name."""
    n, time = channels(config), reach + horizon
    beside = n * len(config.covariates)
    return {
        "past": keras.Input((reach, n), name="past", dtype="float64"),
        "observed": keras.Input((reach, n), name="observed"),
        "calendar": keras.Input((time, dates), name="calendar"),
        "covariates": keras.Input((time, beside), name="covariates"),
        "covariates_known": keras.Input((time, beside), name="covariates_known"),
    }


def _on_scale(
    config: ResolvedNetwork, past: KerasTensor, observed: KerasTensor
) -> tuple[KerasTensor, KerasTensor]:
    """Return values, as logarithms if the network forecasts these, and which of them count."""
    if not config.log:
        return past, observed
    positive = past > 0
    return ops.log(ops.where(positive, past, 1.0)), observed * ops.cast(positive, observed.dtype)


def _per_cutoff(values: KerasTensor, cutoffs: int, patch: int, width: int) -> KerasTensor:
    """Return `width` steps for each cutoff, a patch later each: (cutoffs, width, k)."""
    at = cutoff_starts(patch, cutoffs)[:, None] + np.arange(width)
    return ops.reshape(ops.take(values, at, axis=1), (-1, width, values.shape[-1]))


def _with_covariates(
    dates: KerasTensor, beside: covariates.Features, context: int, cutoffs: int, patch: int
) -> KerasTensor:
    """Return dates of patches ahead with what the cells read of covariates there, none of the past.

    Beyond the horizon, up to a whole patch, nothing is known.
    """
    count, known = dates.shape[1], beside.ahead
    beyond = (cutoffs - 1) * patch + context + count * patch - known.shape[1]
    if beyond > 0:
        known = ops.pad(known, [(0, 0), (0, beyond), (0, 0)])
    patches = _fold(_per_cutoff(known[:, context:], cutoffs, patch, count * patch), patch)
    read = beside.read_ahead(patches)  # (cutoffs, count, added)
    return keras.layers.Concatenate()([dates, ops.zeros_like(read), read])


def _rows(values: KerasTensor) -> KerasTensor:
    """Return each channel by itself: (cutoffs, time, channels) to (rows, time, 1)."""
    return ops.reshape(ops.transpose(values, (0, 2, 1)), (-1, values.shape[1], 1))


def _fold(values: KerasTensor, patch: int) -> KerasTensor:
    """Fold steps into the features: (batch, time, k) to (batch, time / patch, patch * k)."""
    return ops.reshape(values, (-1, values.shape[1] // patch, patch * values.shape[2]))


def _last(states: KerasTensor, cutoffs: int) -> KerasTensor:
    """Return the states at the end of each cutoff's past, (cutoffs, width)."""
    _, *time, width = states.shape
    return ops.reshape(states[:, -cutoffs:], (-1, width)) if time else states
