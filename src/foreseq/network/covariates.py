"""How the network reads what is known beside y: folded into the patches, and at each step ahead.

Whatever a column adds passes through a layer that is zero at first: a network begins as if there
were no covariates, and a pretrained one stays what it is until they prove useful.

Shapes as in `build`; `width` is that of all covariates of all channels, side by side.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import KerasTensor, ops

from foreseq.config import Covariate, ResolvedNetwork
from foreseq.network.outputs import by_step, channels, outputs
from foreseq.network.scaling import masked_mean

WIDEST_EMBEDDING = 8
"""Numbers that stand for a category, at most."""
HIDDEN, ADDED = 64, 32
"""Units between the covariates of a patch and the cells, and inputs that the cells get from them
(covariates.py, validation windows)."""


class Features(NamedTuple):
    """Covariates as numbers, and layers that add them to the inputs of the cells."""

    all: KerasTensor
    """Of all columns, shape (batch, reach + horizon, features)."""
    ahead: KerasTensor
    """Of those known ahead, with the static ones; the same shape."""
    read_all: Callable[[KerasTensor], KerasTensor]
    """From the folded features of a patch to `ADDED` inputs of the cells, zero at first."""
    read_ahead: Callable[[KerasTensor], KerasTensor]


def features(
    config: ResolvedNetwork, values: KerasTensor, known: KerasTensor, seed: int
) -> Features | None:
    """Return the covariates as numbers; None if there are none.

    Args:
        config: Which there are.
        values: Shape (batch, reach + horizon, width), see `series.covariates.Read`.
        known: The same shape: one where a value is known.
        seed: Of initial weights.
    """
    if not config.covariates:
        return None
    embedded = [_embedding(column, seed + place) for place, column in enumerate(config.covariates)]
    parts: dict[bool, list[KerasTensor]] = {False: [], True: []}
    for channel in range(channels(config)):
        for place, column in enumerate(config.covariates):
            at = channel * len(config.covariates) + place
            here, seen = values[..., at : at + 1], known[..., at : at + 1]
            layer = embedded[place]
            if layer is not None:
                made = [layer(ops.cast(here[..., 0], "int32")) * seen]
            elif column.role == "static":
                made = [here, seen]
            else:  # on a level of its own, a series shows changes rather than values
                level = masked_mean(here[:, : config.context], seen[:, : config.context])
                made = [here, (here - level) * seen, seen]
            parts[column.role != "past"].extend(made)
    ahead = parts[True] or [ops.zeros_like(values[..., :1])]
    join = keras.layers.Concatenate()
    return Features(
        join([*parts[False], *ahead]),
        join(ahead),
        _projection("covariates_past", seed + 1000),
        _projection("covariates_ahead", seed + 1010),
    )


def changes(
    config: ResolvedNetwork, ahead: KerasTensor, horizon: int, starts: KerasTensor
) -> KerasTensor:
    """Return features at each step ahead and their changes since each lag of the naive forecast.

    Args:
        config: Holds the lags.
        ahead: Features known ahead, shape (batch, reach + horizon, features).
        horizon: Steps to forecast.
        starts: First step of the horizon of each cutoff.

    Returns:
        Shape (cutoffs, horizon, features of all).
    """
    steps = np.arange(horizon)
    now = _at(ahead, starts[:, None] + steps)
    before = [_at(ahead, starts[:, None] - lag + steps % lag) for lag in config.naive_lags]
    return keras.layers.Concatenate()([now, *(now - then for then in before)])


def by_horizon(
    config: ResolvedNetwork, head: KerasTensor, future: KerasTensor, seed: int
) -> KerasTensor:
    """Return what covariates of the whole horizon add to each step, (rows, horizon, outputs).

    Zero at first; for the decoder that does not run on over the horizon.
    """
    horizon = future.shape[1]
    flat = ops.reshape(future, (-1, horizon * future.shape[2]))
    glorot = keras.initializers.GlorotUniform
    hidden = keras.layers.Dense(HIDDEN, kernel_initializer=glorot(seed=seed))(flat)
    hidden += keras.layers.Dense(HIDDEN, kernel_initializer=glorot(seed=seed + 1))(head)
    return by_step(ops.relu(hidden), horizon, outputs(config), "covariates_horizon")


def _at(values: KerasTensor, steps: KerasTensor) -> KerasTensor:
    """Return values at steps of each cutoff, (cutoffs, steps, features)."""
    return ops.reshape(ops.take(values, steps, axis=1), (-1, steps.shape[1], values.shape[-1]))


def _embedding(column: Covariate, seed: int) -> keras.layers.Embedding | None:
    """Return the layer that maps categories to numbers, the first for unknown ones."""
    if not column.categories:
        return None
    count = len(column.categories) + 1
    return keras.layers.Embedding(
        count,
        min(WIDEST_EMBEDDING, 1 + count // 2),
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.3, seed=seed),
    )


def _projection(name: str, seed: int) -> Callable[[KerasTensor], KerasTensor]:
    glorot = keras.initializers.GlorotUniform(seed=seed)
    hidden = keras.layers.Dense(HIDDEN, "relu", kernel_initializer=glorot, name=f"{name}_hidden")
    added = keras.layers.Dense(ADDED, kernel_initializer="zeros", name=name)
    return lambda folded: added(hidden(folded))
