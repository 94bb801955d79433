"""Decoders: from the state of the cells at a cutoff to the horizon after it.

Shapes as in `build`; every decoder returns the difference from the naive forecast, or adds it.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import KerasTensor, ops

from foreseq.config import ResolvedNetwork
from foreseq.network.cells import RecurrentStack
from foreseq.network.outputs import by_step, channels, median_output, output_layer, outputs
from foreseq.network.scaling import CLIP


class Ahead(NamedTuple):
    """Inputs of a decoder that runs the cells on over the horizon, a patch at a time."""

    config: ResolvedNetwork
    stack: RecurrentStack
    """The cells, which have read the past."""
    last: list[KerasTensor]
    """Their states after the past, (cutoffs, width) each."""
    newest: list[KerasTensor]
    """The newest values and which of them were observed, (rows, recent) each."""
    dates: KerasTensor
    """Calendar features of the first step of each patch, (cutoffs, patches, k), and what the cells
    read of its covariates."""
    split: Callable[[KerasTensor], KerasTensor]
    """From `channel_split`."""

    @property
    def reach(self) -> int:
        """Steps in all patches, the horizon or a few more."""
        return int(self.dates.shape[1]) * self.config.patch

    def change(self) -> keras.layers.Dense:
        """Return the layer from a state to the difference from the naive forecast."""
        width = self.config.patch * outputs(self.config)
        return output_layer(width, "horizon")


def channel_split(config: ResolvedNetwork, seed: int) -> Callable[[KerasTensor], KerasTensor]:
    """Return the map from joint states (cutoffs, time, units) to channels (rows, time, units)."""
    count, units = channels(config), config.cells.units[-1]
    if count == 1:
        return lambda states: states
    glorot = keras.initializers.GlorotUniform(seed=seed)
    parts = keras.layers.Dense(count * units, kernel_initializer=glorot, name="parts")

    def split(states: KerasTensor) -> KerasTensor:
        time = states.shape[1]
        joint = ops.reshape(parts(states), (-1, time, count, units))
        return ops.reshape(ops.transpose(joint, (0, 2, 1, 3)), (-1, time, units))

    return split


def direct(config: ResolvedNetwork, head: KerasTensor, horizon: int) -> KerasTensor:
    """Return the difference for the whole horizon, zero at first, (rows, horizon, outputs)."""
    return by_step(head, horizon, outputs(config), "horizon")


def segments(ahead: Ahead, naive: KerasTensor, seed: int) -> KerasTensor:
    """Run the cells on over segments of the horizon, from the position and date of each.

    After SegRNN (Lin et al. 2023, arXiv 2308.11200), whose segments all start from the last state;
    here each starts from the state after the previous one.
    """
    count = ahead.dates.shape[1]
    width = 2 * ahead.config.patch * channels(ahead.config)
    one = ops.zeros_like(ahead.last[0][:, :1, None])  # (cutoffs, 1, 1)
    places = one + ops.eye(count)[None]  # (cutoffs, count, count)
    glorot = keras.initializers.GlorotUniform(seed=seed)
    place = keras.layers.Dense(width, use_bias=False, kernel_initializer=glorot, name="place")(
        places
    )
    states, _ = ahead.stack(keras.layers.Concatenate()([place, ahead.dates]), ahead.last)
    states = ahead.split(states)  # (rows, count, units)
    newest = ops.repeat(keras.layers.Concatenate()(ahead.newest)[:, None], count, axis=1)
    change = ahead.change()(keras.layers.Concatenate()([states, newest]))
    return naive + ops.reshape(change, (-1, ahead.reach, outputs(ahead.config)))


def recursion(ahead: Ahead, state: KerasTensor, naive: KerasTensor) -> KerasTensor:
    """Forecast patch after patch, reading each as if it had been observed.

    Training goes through the same recursion, so inputs in training and in use are alike.
    """
    patch, quantiles = ahead.config.patch, ahead.config.quantiles
    count, n = ahead.dates.shape[1], channels(ahead.config)
    layer, last = ahead.change(), ahead.last
    forecasts: list[KerasTensor] = []
    for number in range(count):
        change = layer(keras.layers.Concatenate()([state, *ahead.newest]))
        change = ops.reshape(change, (-1, patch, outputs(ahead.config)))
        here = slice(number * patch, (number + 1) * patch) if naive.shape[1] > 1 else slice(None)
        forecasts.append(naive[:, here] + change)  # (rows, patch, outputs)
        if number + 1 < count:
            read = ops.clip(median_output(forecasts[-1], quantiles), -CLIP, CLIP)  # (rows, patch)
            read = ops.reshape(read, (-1, n, patch))
            read = ops.reshape(ops.transpose(read, (0, 2, 1)), (-1, patch * n))  # (cutoffs, ...)
            step = [read, ops.ones_like(read), ahead.dates[:, number]]
            states, last = ahead.stack(keras.layers.Concatenate()(step)[:, None], last)
            state = ahead.split(states)[:, -1]  # (rows, units)
    return ops.concatenate(forecasts, axis=1)


def by_step_ahead(
    config: ResolvedNetwork, head: KerasTensor, future: KerasTensor, seed: int
) -> KerasTensor:
    """Return the effect of what is known of each step ahead, (rows, horizon, outputs).

    Dates and covariates of one step, future (rows, horizon, k), which count as the state of the
    window says; zero at first.
    """
    glorot = keras.initializers.GlorotUniform
    window = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed))(head)  # (rows, 32)
    dates = keras.layers.Dense(32, kernel_initializer=glorot(seed=seed + 1))(future)
    hidden = ops.relu(window[:, None] + dates)  # (rows, horizon, 32)
    return output_layer(outputs(config), "dates")(hidden)
