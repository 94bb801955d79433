"""Weights of a network: read, set, and kept in checkpoints from which training resumes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from foreseq.durable import files
from foreseq.errors import BundleRefused

Weights = list[NDArray[np.float32]]
"""Trainable weights in the order of the network."""


def get_weights(model: keras.Model) -> Weights:
    """Return a copy of the trainable weights of a network."""
    return get_values(model.trainable_variables)


def get_values(variables: list[keras.Variable]) -> list[NDArray[Any]]:
    """Return a copy of the values of some variables."""
    return [np.array(variable) for variable in variables]


def set_values(variables: list[keras.Variable], values: list[NDArray[Any]]) -> None:
    """Set variables to values from `get_values`."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def set_weights(model: keras.Model, weights: Weights) -> None:
    """Set the trainable weights of a network.

    Raises:
        BundleRefused: If their shapes do not fit it.
    """
    needed = [tuple(variable.shape) for variable in model.trainable_variables]
    shapes = [weight.shape for weight in weights]
    if needed != shapes:
        raise BundleRefused(
            f"weights do not fit the network of the config: needed shapes {needed}, found {shapes};"
            " train it again"
        )
    set_values(model.trainable_variables, weights)


def averaged_weights(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Weights:
    """Return the moving average of the weights that the optimizer keeps, if it keeps one."""
    latest = get_weights(model)
    optimizer.finalize_variable_values(model.trainable_variables)
    averaged = get_weights(model)
    set_values(model.trainable_variables, latest)
    return averaged


class Checkpoint(NamedTuple):
    """How far training has come, besides the state of model and optimizer."""

    best: Weights
    """The best weights so far."""
    best_step: int
    """The training step of the best weights."""
    curve: Sequence[ArrayLike]
    """Validations so far, numbers of one length each."""


def save_checkpoint(
    file: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer, checkpoint: Checkpoint
) -> None:
    """Write all that the next training step depends on, whole or not at all."""
    state = {
        **{f"model-{i:03}": np.array(v) for i, v in enumerate(model.variables)},
        **{f"optimizer-{i:03}": np.array(v) for i, v in enumerate(optimizer.variables)},
        **{f"best-{i:03}": weight for i, weight in enumerate(checkpoint.best)},
        "curve": np.asarray(checkpoint.curve, dtype=np.float64),
        "best_step": np.asarray(checkpoint.best_step),
    }
    with files.new_file(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **state)


def load_checkpoint(
    file: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer
) -> Checkpoint:
    """Restore model and optimizer; return how far training had come."""
    with np.load(file, allow_pickle=False) as state:
        stored = {name: state[name] for name in state.files}
    for name, variables in (("model", model.variables), ("optimizer", optimizer.variables)):
        set_values(variables, [stored[f"{name}-{i:03}"] for i in range(len(variables))])
    best = [stored[name] for name in sorted(stored) if name.startswith("best-")]
    return Checkpoint(best, int(stored["best_step"]), stored["curve"].tolist())
