"""The network as a whole: windows in their own units go in, forecasts in these units come out.

Why scaling is inside: it is taken from the past of each window alone, so there is no scaler to fit,
to leak or to lose, and a series never seen in training can be forecast.
"""

import keras
import numpy as np
from keras import KerasTensor, ops

from foreseq.config import ResolvedNetwork
from foreseq.network import decoders
from foreseq.network.cells import recurrent_stack
from foreseq.network.naive_lags import baseline
from foreseq.network.outputs import channels, outputs
from foreseq.network.scaling import FAR, TINY, as_first_seen, frame
from foreseq.series.windows import cutoff_starts


def forecaster(  # noqa: PLR0913 - what to build, for which data, and how it begins
    config: ResolvedNetwork, *, horizon: int, season: int, dates: int, seed: int, cutoffs: int = 1
) -> keras.Model:
    """Build the network.

    Its inputs are `past` and `observed` (batch, reach, channels) and `calendar`
    (batch, reach + horizon, dates); it answers (batch, cutoffs, channels, horizon, outputs) in the
    units of `past`, one output for a point forecast, else one a quantile. The reach is the context
    and, for each cutoff but one, a patch. The weights do not depend on how many cutoffs there are.

    Inside, a moment is a cutoff of a window, and a row is one of its channels.

    Args:
        config: With every choice settled: none may be None.
        horizon: Steps to answer for.
        season: Steps after which the pattern repeats; 1 means none.
        dates: Calendar features per step.
        seed: Of initial weights and of what is dropped.
        cutoffs: From how many to forecast in one pass over the past: the end of the past and those
            a patch, two patches ... before it, the earliest first.

    Raises:
        ConfigError: If a choice is still open.
    """
    context, patch, n = config.context, config.patch, channels(config)
    reach = context + (cutoffs - 1) * patch
    past = keras.Input((reach, n), name="past")
    observed = keras.Input((reach, n), name="observed")
    calendar = keras.Input((reach + horizon, dates), name="calendar")

    values = ops.log(ops.maximum(past, TINY)) if config.log else past
    recent = config.recent_inputs
    pasts = _rows(_moments(values, cutoffs, patch, context))  # (rows, context, 1)
    known = _rows(_moments(observed, cutoffs, patch, context))
    own = frame(config.scale, pasts, known, season, max(7 * season, recent))
    z = (pasts - own.level) / own.spread * known
    seen = ops.clip(z, -FAR, FAR)

    runs_on = config.decoder != "direct"
    every_step = runs_on or cutoffs > 1
    stack = recurrent_stack(config.cells, every_step=every_step, seed=seed, carry=runs_on)
    read = as_first_seen(values, observed, own, known, cutoffs)  # (batch, reach, channels)
    steps = [_fold(read, patch), _fold(observed, patch), calendar[:, :reach:patch]]
    told = stack(keras.layers.Concatenate()(steps), every=cutoffs > 1)
    part = decoders.part_of_each(config, seed + 300)
    state = part(_last(told[0] if runs_on else told, cutoffs)[:, None])[:, 0]  # (rows, units)
    newest = [seen[:, -recent:, 0], known[:, -recent:, 0]]
    head = keras.layers.Concatenate()([state, *newest])

    future = _moments(calendar[:, context:], cutoffs, patch, horizon)  # (moments, horizon, dates)
    if runs_on:
        last = [_last(states, cutoffs) for states in told[1]]
        ahead = decoders.Ahead(config, stack, last, newest, future[:, ::patch], part)
        begin = baseline(config, z, known, head, ahead.reach)
        z_hat = (
            decoders.segments(ahead, begin, seed + 200)
            if config.decoder == "segment"
            else decoders.recursion(ahead, state, begin)
        )[:, :horizon]
    else:
        z_hat = baseline(config, z, known, head, horizon) + decoders.direct(config, head, horizon)
    if dates:
        z_hat += decoders.by_date(config, head, ops.repeat(future, n, axis=0), seed + 100)
    y_hat = z_hat * own.spread + own.level  # (rows, horizon, outputs)
    y_hat = ops.reshape(y_hat, (-1, cutoffs, n, horizon, outputs(config)))
    return keras.Model(
        {"past": past, "observed": observed, "calendar": calendar},
        ops.exp(y_hat) if config.log else y_hat,
        name="forecaster",
    )


def _moments(values: KerasTensor, cutoffs: int, patch: int, width: int) -> KerasTensor:
    """Return `width` steps for each cutoff, a patch later each: (batch * cutoffs, width, k)."""
    at = cutoff_starts(patch, cutoffs)[:, None] + np.arange(width)
    return ops.reshape(ops.take(values, at, axis=1), (-1, width, values.shape[-1]))


def _rows(moments: KerasTensor) -> KerasTensor:
    """Return each channel by itself: (moments, time, channels) to (rows, time, 1)."""
    return ops.reshape(ops.transpose(moments, (0, 2, 1)), (-1, moments.shape[1], 1))


def _fold(values: KerasTensor, patch: int) -> KerasTensor:
    """Fold steps into the features: (batch, time, k) to (batch, time / patch, patch * k)."""
    return ops.reshape(values, (-1, values.shape[1] // patch, patch * values.shape[2]))


def _last(states: KerasTensor, cutoffs: int) -> KerasTensor:
    """Return the states at the end of each cutoff's past, (moments, width)."""
    _, *time, width = states.shape
    return ops.reshape(states[:, -cutoffs:], (-1, width)) if time else states
