"""The forecaster: windows in their own units go in, forecasts in the same units come out.

Why scaling is inside: it is taken from the past of each window alone, so there is no scaler to fit,
to leak or to lose, and a series never seen in training can be forecast.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from foreseq import windows
from foreseq.cells import RecurrentStack, recurrent_stack
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


class _Ahead(NamedTuple):
    """What a decoder needs that runs the cells on over the horizon, a patch at a time."""

    config: NetworkConfig
    stack: RecurrentStack
    """The one that has read the past."""
    last: list[KerasTensor]
    """Its states after the past, each (batch, width)."""
    newest: list[KerasTensor]
    """The newest values and which of them were observed, each (batch, recent)."""
    dates: KerasTensor
    """What the calendar says of the first step of each patch, shape (batch, patches, dates)."""

    @property
    def reach(self) -> int:
        """Steps in all patches, the horizon or a few more."""
        return int(self.dates.shape[1]) * settled(self.config.patch)

    def change(self) -> keras.layers.Dense:
        """Build what turns a state into the difference from the baseline, zero at first."""
        width = settled(self.config.patch) * outputs(self.config)
        return keras.layers.Dense(width, kernel_initializer="zeros", name="horizon")


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
    frame = _frame(config.scale, values, observed, season, max(7 * season, recent))
    z = (values - frame.level) / frame.spread * observed  # (batch, context, 1)
    seen = ops.clip(z, -FAR, FAR)

    runs_on = settled(config.decoder) != "direct"
    stack = recurrent_stack(config.cells, every_step=runs_on, seed=seed, carry=runs_on)
    steps = [_fold(seen, patch), _fold(observed, patch), calendar[:, :context:patch]]
    told = stack(keras.layers.Concatenate()(steps))
    newest = [seen[:, -recent:, 0], observed[:, -recent:, 0]]
    state = told[0][:, -1] if runs_on else told  # (batch, units)
    head = keras.layers.Concatenate()([state, *newest])

    if runs_on:
        ahead = _Ahead(config, stack, told[1], newest, calendar[:, context::patch])
        baseline = _baseline(config, z, observed, head, ahead.reach)
        decode = _segments if config.decoder == "segment" else _recursion
        z_hat = decode(ahead, state, baseline, seed + 200)[:, :horizon]
    else:
        z_hat = _baseline(config, z, observed, head, horizon) + _direct(config, head, horizon)
    if dates:
        z_hat += _dates(config, head, calendar[:, context:], seed + 100)
    y_hat = z_hat * frame.spread + frame.level  # (batch, horizon, outputs)
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


def _frame(scale: str, values: KerasTensor, observed: KerasTensor, season: int, wide: int) -> Frame:
    """Take the level from the newest season of each window, the spread from `wide` steps.

    Where all of the newest season is missing, the whole window gives the level.
    """
    span = max(season, 2)
    newest = observed[:, -span:]
    mean = ops.where(
        ops.any(newest > 0, axis=1, keepdims=True),
        _masked_mean(values[:, -span:], newest),
        _masked_mean(values, observed),
    )
    level = mean
    if scale == "last":
        later = ops.cumsum(ops.flip(observed, axis=1), axis=1)  # observed from here on
        last = observed * ops.cast(ops.equal(ops.flip(later, axis=1), 1), observed.dtype)
        level = ops.where(
            ops.any(last > 0, axis=1, keepdims=True), _masked_mean(values, last), mean
        )
    elif scale == "robust":
        level = _median(ops.where(newest > 0, values[:, -span:], mean))
    away, weight = ops.abs(values[:, -wide:] - level), observed[:, -wide:]
    spread = _masked_mean(away, weight)
    if scale == "robust":
        middling = _median(ops.where(weight > 0, away, spread))
        spread = ops.where(middling > 0, middling, spread)
    return Frame(level, spread + TINY + 1e-4 * ops.abs(level))


def _median(values: KerasTensor) -> KerasTensor:
    """Return the median over time, shape (batch, 1, 1)."""
    return ops.median(values, axis=1, keepdims=True)


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
    scores = keras.layers.Dense(horizon * len(lags), kernel_initializer="zeros", name="lags")(head)
    scores = ops.reshape(scores, (-1, horizon, len(lags)))
    scores += UNSEEN * (1.0 - ops.concatenate(known, axis=-1))
    weights = ops.softmax(scores, axis=-1)  # (batch, horizon, lags)
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
    """Return by how much the newest cycle's mean exceeds that of a lag before, (batch, 1, 1).

    A cycle that is missing altogether is at zero, the level of the window.
    """
    now, then = z.shape[1] - cycle, z.shape[1] - lag
    means = [
        _masked_mean(z[:, first : first + cycle], observed[:, first : first + cycle])
        for first in (now, then)
    ]
    return means[0] - means[1]


def _direct(config: NetworkConfig, head: KerasTensor, horizon: int) -> KerasTensor:
    """Answer the horizon at once, starting from zero, shape (batch, horizon, outputs)."""
    n = outputs(config)
    change = keras.layers.Dense(horizon * n, kernel_initializer="zeros", name="horizon")(head)
    return ops.reshape(change, (-1, horizon, n))


def _segments(ahead: _Ahead, state: KerasTensor, baseline: KerasTensor, seed: int) -> KerasTensor:
    """Let the cells run on over segments of the horizon, each told its position and its date.

    After SegRNN (Lin et al. 2023, arXiv 2308.11200), whose segments all start from the last state;
    here each starts from the state after the segment before.
    """
    count = ahead.dates.shape[1]
    width = 2 * settled(ahead.config.patch)
    places = ops.zeros_like(state[:, :1, None]) + ops.eye(count)[None]  # (batch, count, count)
    glorot = keras.initializers.GlorotUniform(seed=seed)
    place = keras.layers.Dense(width, use_bias=False, kernel_initializer=glorot)(places)
    states, _ = ahead.stack(keras.layers.Concatenate()([place, ahead.dates]), ahead.last)
    newest = ops.repeat(keras.layers.Concatenate()(ahead.newest)[:, None], count, axis=1)
    change = ahead.change()(keras.layers.Concatenate()([states, newest]))
    return baseline + ops.reshape(change, (-1, ahead.reach, outputs(ahead.config)))


def _recursion(ahead: _Ahead, state: KerasTensor, baseline: KerasTensor, _seed: int) -> KerasTensor:
    """Answer patch after patch, each read as if it had been observed before the next.

    It is trained through its own answers, so that it learns from what it will meet.
    """
    patch, quantiles = settled(ahead.config.patch), ahead.config.quantiles
    count = ahead.dates.shape[1]
    layer, last = ahead.change(), ahead.last
    answers: list[KerasTensor] = []
    for number in range(count):
        change = layer(keras.layers.Concatenate()([state, *ahead.newest]))
        change = ops.reshape(change, (-1, patch, outputs(ahead.config)))
        here = slice(number * patch, (number + 1) * patch) if baseline.shape[1] > 1 else slice(None)
        answers.append(baseline[:, here] + change)
        if number + 1 < count:
            read = ops.clip(middle(answers[-1], quantiles), -FAR, FAR)  # (batch, patch)
            step = [read, ops.ones_like(read), ahead.dates[:, number]]
            states, last = ahead.stack(keras.layers.Concatenate()(step)[:, None], last)
            state = states[:, -1]
    return ops.concatenate(answers, axis=1)


def _dates(config: NetworkConfig, head: KerasTensor, future: KerasTensor, seed: int) -> KerasTensor:
    """Answer to the dates of the horizon, starting from zero, shape (batch, horizon, outputs)."""
    glorot = keras.initializers.GlorotUniform
    window = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed))(head)  # (batch, 32)
    dates = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed + 1))(future)
    hidden = ops.relu(window[:, None] + dates)  # (batch, horizon, 32)
    return keras.layers.Dense(outputs(config), kernel_initializer="zeros", name="dates")(hidden)
