"""The forecaster: windows in their own units go in, forecasts in the same units come out.

Why scaling is inside: it is taken from the past of each window alone, so there is no scaler to fit,
to leak or to lose, and a series never seen in training can be forecast.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from foreseq import windows
from foreseq.cells import recurrent_stack
from foreseq.config import MEDIAN, NetworkConfig, settled
from foreseq.panel import Panel
from foreseq.windows import Windows

TINY = 1e-8
FAR = 10.0
"""Scaled inputs beyond this are cut: one broken reading must not saturate every gate."""

ROWS = 512
"""Windows in each call of the network that answers, the last call padded: a matrix product may
round differently for another number of rows, and no forecast may depend on how many are asked."""

UNSEEN = -1e4
"""Added to the score of a lag whose value is missing."""


class Frame(NamedTuple):
    """How a window's values become numbers near one, and back."""

    level: KerasTensor
    """Subtracted, shape (batch, 1, 1)."""
    spread: KerasTensor
    """Divided by, positive, shape (batch, 1, 1)."""


def forecaster(
    config: NetworkConfig, *, horizon: int, season: int, dates: int, seed: int
) -> keras.Model:
    """Build the network.

    Its inputs are `past` (batch, context, channels), `observed` (batch, context, 1) and `calendar`
    (batch, context + horizon, dates); it answers (batch, horizon, outputs) in the units of `past`,
    one output for a point forecast, else one a quantile.

    Args:
        config: With every choice settled: none may be None.
        horizon: Steps to answer for.
        season: Steps after which the pattern repeats; 1 means none.
        dates: Calendar features per step.
        seed: Of initial weights and of what is dropped.

    Raises:
        ConfigError: If a choice is still open.
    """
    context, patch = settled(config.context), settled(config.patch)
    past = keras.Input((context, 1), name="past")
    observed = keras.Input((context, 1), name="observed")
    calendar = keras.Input((context + horizon, dates), name="calendar")

    values = ops.log(ops.maximum(past, TINY)) if config.log else past
    recent = settled(config.recent)
    frame = _frame(values, observed, season, max(7 * season, recent))
    z = (values - frame.level) / frame.spread * observed  # (batch, context, 1)
    seen = ops.clip(z, -FAR, FAR)

    steps = [_fold(seen, patch), _fold(observed, patch)]
    if dates:
        steps.append(calendar[:, :context:patch])  # (batch, context / patch, dates)
    state = recurrent_stack(config.cells, every_step=False, seed=seed)(
        keras.layers.Concatenate()(steps)
    )
    head = keras.layers.Concatenate()([state, seen[:, -recent:, 0], observed[:, -recent:, 0]])
    change = _direct(config, head, calendar[:, context:] if dates else None, horizon, seed + 100)
    z_hat = _baseline(config, z, observed, head, horizon) + change  # (batch, horizon, outputs)
    y_hat = z_hat * frame.spread + frame.level
    return keras.Model(
        {"past": past, "observed": observed, "calendar": calendar},
        ops.exp(y_hat) if config.log else y_hat,
        name="forecaster",
    )


def inputs(model: keras.Model, panel: Panel, chosen: Windows) -> windows.Batch:
    """Read what a network needs of some windows."""
    context, _ = model.input["past"].shape[1:]
    steps, dates = model.input["calendar"].shape[1:]
    return windows.gather(panel, chosen, context, steps - context, dates=dates > 0)


def answer(model: keras.Model, panel: Panel, chosen: Windows) -> NDArray[np.float32]:
    """Return what the network forecasts, shape (windows, horizon, outputs).

    A window's answer depends on its past alone: neither on the other windows nor on their number.
    Quantiles that the network has crossed are put in order.
    """
    answers = np.empty((chosen.count, *model.output.shape[1:]), np.float32)
    for first in range(0, chosen.count, ROWS):
        part = chosen.take(slice(first, first + ROWS))
        batch = inputs(model, panel, part.take(np.arange(ROWS) % part.count))
        answers[first : first + part.count] = model.predict_on_batch(batch._asdict())[: part.count]
    answers.sort(axis=-1)
    return answers


def middle(answers: NDArray[Any], quantiles: tuple[float, ...]) -> NDArray[Any]:
    """Return the median of (..., outputs), or the point forecast where there are no quantiles."""
    return answers[..., quantiles.index(MEDIAN) if quantiles else 0]


def outputs(config: NetworkConfig) -> int:
    """Return how many numbers answer for one step."""
    return len(config.quantiles) or 1


def _frame(values: KerasTensor, observed: KerasTensor, season: int, wide: int) -> Frame:
    """Take the level from the newest season of each window, the spread from `wide` steps.

    Where all of the newest season is missing, the whole window gives the level.
    """
    span = max(season, 2)
    newest = observed[:, -span:]
    level = ops.where(
        ops.any(newest > 0, axis=1, keepdims=True),
        _masked_mean(values[:, -span:], newest),
        _masked_mean(values, observed),
    )
    spread = _masked_mean(ops.abs(values[:, -wide:] - level), observed[:, -wide:])
    return Frame(level, spread + TINY + 1e-4 * ops.abs(level))


def _masked_mean(values: KerasTensor, weight: KerasTensor) -> KerasTensor:
    """Return the mean of what was observed, zero where nothing was, shape (batch, 1, 1)."""
    total = ops.sum(values * weight, axis=1, keepdims=True)
    return total / ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)


def _fold(values: KerasTensor, patch: int) -> KerasTensor:
    """Fold steps into the features: (batch, time, 1) to (batch, time / patch, patch)."""
    return ops.reshape(values, (-1, values.shape[1] // patch, patch))


def _baseline(
    config: NetworkConfig, z: KerasTensor, observed: KerasTensor, head: KerasTensor, horizon: int
) -> KerasTensor:
    """Return what the network learns the difference from, shape (batch, horizon or 1, 1).

    Each lag repeats its newest values over the horizon. Several are averaged with weights that a
    linear map of the head gives for each step; what was not observed weighs nothing.
    """
    lags = settled(config.baseline)
    if not lags:
        return ops.zeros_like(z[:, :1])
    steps = [[step % lag for step in range(horizon)] for lag in lags]
    repeated = [ops.take(z[:, -lag:], step, axis=1) for lag, step in zip(lags, steps, strict=True)]
    if len(lags) == 1:
        return repeated[0]
    known = [ops.take(observed[:, -n:], step, axis=1) for n, step in zip(lags, steps, strict=True)]
    scores = keras.layers.Dense(horizon * len(lags), kernel_initializer="zeros", name="lags")(head)
    scores = ops.reshape(scores, (-1, horizon, len(lags)))
    scores += UNSEEN * (1.0 - ops.concatenate(known, axis=-1))
    weights = ops.softmax(scores, axis=-1)  # (batch, horizon, lags)
    return ops.sum(weights * ops.concatenate(repeated, axis=-1), axis=-1, keepdims=True)


def _direct(
    config: NetworkConfig, head: KerasTensor, future: KerasTensor | None, horizon: int, seed: int
) -> KerasTensor:
    """Answer the horizon at once, starting from zero, shape (batch, horizon, outputs)."""
    n = outputs(config)
    change = keras.layers.Dense(horizon * n, kernel_initializer="zeros", name="horizon")(head)
    change = ops.reshape(change, (-1, horizon, n))
    if future is None:
        return change
    glorot = keras.initializers.GlorotUniform
    window = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed))(head)  # (batch, 32)
    dates = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed + 1))(future)
    hidden = ops.relu(window[:, None] + dates)  # (batch, horizon, 32)
    return change + keras.layers.Dense(n, kernel_initializer="zeros", name="dates")(hidden)
