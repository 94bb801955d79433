"""The forecaster: windows in their own units go in, forecasts in the same units come out.

Why scaling is inside: it is taken from the past of each window alone, so there is no scaler to fit,
to leak or to lose, and a series never seen in training can be forecast.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from foreseq import together, windows
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
    """Its states after the past, each (moments, width)."""
    newest: list[KerasTensor]
    """The newest values and which of them were observed, each (rows, recent)."""
    dates: KerasTensor
    """What the calendar says of the first step of each patch, shape (moments, patches, dates)."""
    own: Callable[[KerasTensor], KerasTensor]
    """Gives each row its part of the states, (moments, time, units) to (rows, time, units)."""

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
    """Subtracted, shape (rows, 1, 1)."""
    spread: KerasTensor
    """Divided by, positive, shape (rows, 1, 1)."""


def forecaster(  # noqa: PLR0913 - what to build, for which data, and how it begins
    config: NetworkConfig, *, horizon: int, season: int, dates: int, seed: int, cutoffs: int = 1
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
    context, patch = settled(config.context), settled(config.patch)
    reach, channels = context + (cutoffs - 1) * patch, max(1, len(config.multivariate))
    past = keras.Input((reach, channels), name="past")
    observed = keras.Input((reach, channels), name="observed")
    calendar = keras.Input((reach + horizon, dates), name="calendar")

    values = ops.log(ops.maximum(past, TINY)) if config.log else past
    recent = settled(config.recent)
    pasts = _rows(_moments(values, cutoffs, patch, context))  # (rows, context, 1)
    known = _rows(_moments(observed, cutoffs, patch, context))
    frame = _frame(config.scale, pasts, known, season, max(7 * season, recent))
    z = (pasts - frame.level) / frame.spread * known
    seen = ops.clip(z, -FAR, FAR)

    runs_on = settled(config.decoder) != "direct"
    every_step = runs_on or cutoffs > 1
    stack = recurrent_stack(config.cells, every_step=every_step, seed=seed, carry=runs_on)
    read = _as_first_seen(values, observed, frame, known, cutoffs)  # (batch, reach, channels)
    steps = [_fold(read, patch), _fold(observed, patch), calendar[:, :reach:patch]]
    told = stack(keras.layers.Concatenate()(steps), every=cutoffs > 1)
    own = _own(channels, settled(config.cells.units)[-1], seed + 300)
    state = own(_last(told[0] if runs_on else told, cutoffs)[:, None])[:, 0]  # (rows, units)
    newest = [seen[:, -recent:, 0], known[:, -recent:, 0]]
    head = keras.layers.Concatenate()([state, *newest])

    future = _moments(calendar[:, context:], cutoffs, patch, horizon)  # (moments, horizon, dates)
    if runs_on:
        last = [_last(states, cutoffs) for states in told[1]]
        ahead = _Ahead(config, stack, last, newest, future[:, ::patch], own)
        baseline = _baseline(config, z, known, head, ahead.reach)
        decode = _segments if config.decoder == "segment" else _recursion
        z_hat = decode(ahead, state, baseline, seed + 200)[:, :horizon]
    else:
        z_hat = _baseline(config, z, known, head, horizon) + _direct(config, head, horizon)
    if dates:
        z_hat += _dates(config, head, ops.repeat(future, channels, axis=0), seed + 100)
    y_hat = z_hat * frame.spread + frame.level  # (rows, horizon, outputs)
    y_hat = ops.reshape(y_hat, (-1, cutoffs, channels, horizon, outputs(config)))
    return keras.Model(
        {"past": past, "observed": observed, "calendar": calendar},
        ops.exp(y_hat) if config.log else y_hat,
        name="forecaster",
    )


def _moments(values: KerasTensor, cutoffs: int, patch: int, width: int) -> KerasTensor:
    """Return `width` steps for each cutoff, a patch later each: (batch * cutoffs, width, k)."""
    at = patch * np.arange(cutoffs)[:, None] + np.arange(width)
    return ops.reshape(ops.take(values, at, axis=1), (-1, width, values.shape[-1]))


def _rows(moments: KerasTensor) -> KerasTensor:
    """Return each channel by itself: (moments, time, channels) to (rows, time, 1)."""
    return ops.reshape(ops.transpose(moments, (0, 2, 1)), (-1, moments.shape[1], 1))


def _as_first_seen(
    values: KerasTensor, observed: KerasTensor, frame: Frame, known: KerasTensor, cutoffs: int
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
        ops.sum(first * ops.reshape(each, shape), axis=1, keepdims=True) for each in frame
    )
    return ops.clip((values - level) / spread * observed, -FAR, FAR)


def _last(states: KerasTensor, cutoffs: int) -> KerasTensor:
    """Return the states at the end of each cutoff's past, (moments, width)."""
    _, *time, width = states.shape
    return ops.reshape(states[:, -cutoffs:], (-1, width)) if time else states


def _own(channels: int, width: int, seed: int) -> Callable[[KerasTensor], KerasTensor]:
    """Build what gives each channel its part of what the cells know of all of them together."""
    if channels == 1:
        return lambda states: states
    glorot = keras.initializers.GlorotUniform(seed=seed)
    parts = keras.layers.Dense(channels * width, kernel_initializer=glorot, name="own")

    def part(states: KerasTensor) -> KerasTensor:
        time = states.shape[1]
        each = ops.reshape(parts(states), (-1, time, channels, width))
        return ops.reshape(ops.transpose(each, (0, 2, 1, 3)), (-1, time, width))

    return part


def inputs(model: keras.Model, panel: Panel, chosen: Windows) -> windows.Batch:
    """Read what a network needs of some windows: their series, or all if it reads several."""
    reach, channels = model.input["past"].shape[1:]
    steps, dates = model.input["calendar"].shape[1:]
    gather = together.gather if channels > 1 else windows.gather
    return gather(panel, chosen, reach, steps - reach, dates=dates > 0)


def answer(model: keras.Model, panel: Panel, chosen: Windows) -> NDArray[np.float32]:
    """Return what the network forecasts, shape (windows, horizon, outputs).

    A window's answer depends on its past alone, neither on the other windows nor on their number.
    Quantiles that the network has crossed are put in order.

    Args:
        model: From `forecaster`, for one cutoff.
        panel: Where the pasts are. For a network of several channels these are its series, in the
            order of the channels.
        chosen: What to forecast.
    """
    if model.output.shape[2] == 1:
        answers = _each(model, panel, chosen)[:, 0]
    else:  # who asks for several series of one moment gets the answers of one pass
        moments = together.moments(panel, chosen)
        _, first, which = np.unique(moments, return_index=True, return_inverse=True)
        answers = _each(model, panel, chosen.take(first))[which, chosen.series]
    answers.sort(axis=-1)
    return answers


def _each(model: keras.Model, panel: Panel, chosen: Windows) -> NDArray[np.float32]:
    """Return what the network says of each window, shape (windows, channels, horizon, outputs)."""
    answers = np.empty((chosen.count, *model.output.shape[2:]), np.float32)
    for first in range(0, chosen.count, ROWS):
        part = chosen.take(slice(first, first + ROWS))
        batch = inputs(model, panel, part.take(np.arange(ROWS) % part.count))
        told = model.predict_on_batch(batch._asdict())
        answers[first : first + part.count] = told[: part.count, 0]
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
    """Fold steps into the features: (batch, time, k) to (batch, time / patch, patch * k)."""
    return ops.reshape(values, (-1, values.shape[1] // patch, patch * values.shape[2]))


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


def _segments(ahead: _Ahead, _state: KerasTensor, baseline: KerasTensor, seed: int) -> KerasTensor:
    """Let the cells run on over segments of the horizon, each told its position and its date.

    After SegRNN (Lin et al. 2023, arXiv 2308.11200), whose segments all start from the last state;
    here each starts from the state after the segment before.
    """
    count = ahead.dates.shape[1]
    width = 2 * settled(ahead.config.patch) * max(1, len(ahead.config.multivariate))
    places = (
        ops.zeros_like(ahead.last[0][:, :1, None]) + ops.eye(count)[None]
    )  # (moments, count, count)
    glorot = keras.initializers.GlorotUniform(seed=seed)
    place = keras.layers.Dense(width, use_bias=False, kernel_initializer=glorot)(places)
    states, _ = ahead.stack(keras.layers.Concatenate()([place, ahead.dates]), ahead.last)
    states = ahead.own(states)
    newest = ops.repeat(keras.layers.Concatenate()(ahead.newest)[:, None], count, axis=1)
    change = ahead.change()(keras.layers.Concatenate()([states, newest]))
    return baseline + ops.reshape(change, (-1, ahead.reach, outputs(ahead.config)))


def _recursion(ahead: _Ahead, state: KerasTensor, baseline: KerasTensor, _seed: int) -> KerasTensor:
    """Answer patch after patch, each read as if it had been observed before the next.

    It is trained through its own answers, so that it learns from what it will meet.
    """
    patch, quantiles = settled(ahead.config.patch), ahead.config.quantiles
    count, channels = ahead.dates.shape[1], max(1, len(ahead.config.multivariate))
    layer, last = ahead.change(), ahead.last
    answers: list[KerasTensor] = []
    for number in range(count):
        change = layer(keras.layers.Concatenate()([state, *ahead.newest]))
        change = ops.reshape(change, (-1, patch, outputs(ahead.config)))
        here = slice(number * patch, (number + 1) * patch) if baseline.shape[1] > 1 else slice(None)
        answers.append(baseline[:, here] + change)
        if number + 1 < count:
            read = ops.clip(middle(answers[-1], quantiles), -FAR, FAR)  # (rows, patch)
            read = ops.reshape(read, (-1, channels, patch))
            read = ops.reshape(ops.transpose(read, (0, 2, 1)), (-1, patch * channels))
            step = [read, ops.ones_like(read), ahead.dates[:, number]]
            states, last = ahead.stack(keras.layers.Concatenate()(step)[:, None], last)
            state = ahead.own(states)[:, -1]
    return ops.concatenate(answers, axis=1)


def _dates(config: NetworkConfig, head: KerasTensor, future: KerasTensor, seed: int) -> KerasTensor:
    """Answer to the dates of the horizon, starting from zero, shape (batch, horizon, outputs)."""
    glorot = keras.initializers.GlorotUniform
    window = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed))(head)  # (batch, 32)
    dates = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed + 1))(future)
    hidden = ops.relu(window[:, None] + dates)  # (batch, horizon, 32)
    return keras.layers.Dense(outputs(config), kernel_initializer="zeros", name="dates")(hidden)
