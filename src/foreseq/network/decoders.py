"""From what the cells know at a cutoff to the horizon after it."""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import KerasTensor, ops

from foreseq.config import ResolvedNetwork
from foreseq.network.cells import RecurrentStack
from foreseq.network.outputs import by_step, channels, median_output, output_layer, outputs
from foreseq.network.scaling import FAR


class Ahead(NamedTuple):
    """What a decoder needs that runs the cells on over the horizon, a patch at a time."""

    config: ResolvedNetwork
    stack: RecurrentStack
    """The one that has read the past."""
    last: list[KerasTensor]
    """Its states after the past, each (moments, width)."""
    newest: list[KerasTensor]
    """The newest values and which of them were observed, each (rows, recent)."""
    dates: KerasTensor
    """What the calendar says of the first step of each patch, shape (moments, patches, dates)."""
    part: Callable[[KerasTensor], KerasTensor]
    """From `part_of_each`."""

    @property
    def reach(self) -> int:
        """Steps in all patches, the horizon or a few more."""
        return int(self.dates.shape[1]) * self.config.patch

    def change(self) -> keras.layers.Dense:
        """Build what turns a state into the difference from the baseline, zero at first."""
        width = self.config.patch * outputs(self.config)
        return output_layer(width, "horizon")


def part_of_each(config: ResolvedNetwork, seed: int) -> Callable[[KerasTensor], KerasTensor]:
    """Build what gives each series its part of what the cells know of all that they read together.

    It maps (moments, time, units) to (rows, time, units).
    """
    count, units = channels(config), config.cells.units[-1]
    if count == 1:
        return lambda states: states
    glorot = keras.initializers.GlorotUniform(seed=seed)
    parts = keras.layers.Dense(count * units, kernel_initializer=glorot, name="parts")

    def part(states: KerasTensor) -> KerasTensor:
        time = states.shape[1]
        each = ops.reshape(parts(states), (-1, time, count, units))
        return ops.reshape(ops.transpose(each, (0, 2, 1, 3)), (-1, time, units))

    return part


def direct(config: ResolvedNetwork, head: KerasTensor, horizon: int) -> KerasTensor:
    """Answer the horizon at once, starting from zero, shape (rows, horizon, outputs)."""
    return by_step(head, horizon, outputs(config), "horizon")


def segments(ahead: Ahead, baseline: KerasTensor, seed: int) -> KerasTensor:
    """Let the cells run on over segments of the horizon, each told its position and its date.

    After SegRNN (Lin et al. 2023, arXiv 2308.11200), whose segments all start from the last state;
    here each starts from the state after the segment before.
    """
    count = ahead.dates.shape[1]
    width = 2 * ahead.config.patch * channels(ahead.config)
    one = ops.zeros_like(ahead.last[0][:, :1, None])  # (moments, 1, 1)
    places = one + ops.eye(count)[None]  # (moments, count, count)
    glorot = keras.initializers.GlorotUniform(seed=seed)
    place = keras.layers.Dense(width, use_bias=False, kernel_initializer=glorot)(places)
    states, _ = ahead.stack(keras.layers.Concatenate()([place, ahead.dates]), ahead.last)
    states = ahead.part(states)
    newest = ops.repeat(keras.layers.Concatenate()(ahead.newest)[:, None], count, axis=1)
    change = ahead.change()(keras.layers.Concatenate()([states, newest]))
    return baseline + ops.reshape(change, (-1, ahead.reach, outputs(ahead.config)))


def recursion(ahead: Ahead, state: KerasTensor, baseline: KerasTensor) -> KerasTensor:
    """Answer patch after patch, each read as if it had been observed before the next.

    It is trained through its own answers, so that it learns from what it will meet.
    """
    patch, quantiles = ahead.config.patch, ahead.config.quantiles
    count, series = ahead.dates.shape[1], channels(ahead.config)
    layer, last = ahead.change(), ahead.last
    answers: list[KerasTensor] = []
    for number in range(count):
        change = layer(keras.layers.Concatenate()([state, *ahead.newest]))
        change = ops.reshape(change, (-1, patch, outputs(ahead.config)))
        here = slice(number * patch, (number + 1) * patch) if baseline.shape[1] > 1 else slice(None)
        answers.append(baseline[:, here] + change)
        if number + 1 < count:
            read = ops.clip(median_output(answers[-1], quantiles), -FAR, FAR)  # (rows, patch)
            read = ops.reshape(read, (-1, series, patch))
            read = ops.reshape(ops.transpose(read, (0, 2, 1)), (-1, patch * series))
            step = [read, ops.ones_like(read), ahead.dates[:, number]]
            states, last = ahead.stack(keras.layers.Concatenate()(step)[:, None], last)
            state = ahead.part(states)[:, -1]
    return ops.concatenate(answers, axis=1)


def by_date(
    config: ResolvedNetwork, head: KerasTensor, future: KerasTensor, seed: int
) -> KerasTensor:
    """Answer to the dates of the horizon, starting from zero, shape (rows, horizon, outputs)."""
    glorot = keras.initializers.GlorotUniform
    window = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed))(head)  # (rows, 32)
    dates = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed + 1))(future)
    hidden = ops.relu(window[:, None] + dates)  # (rows, horizon, 32)
    return output_layer(outputs(config), "dates")(hidden)
