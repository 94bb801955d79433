"""What a network has learned: taken from it, given to it, and kept to go on from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from foreseq.durable import files
from foreseq.errors import BundleRefused

Weights = list[NDArray[np.float32]]
"""Trainable weights in the order of the network."""


def of(model: keras.Model) -> Weights:
    """Return a copy of the weights of a network."""
    return values(model.trainable_variables)


def values(variables: list[keras.Variable]) -> list[NDArray[Any]]:
    """Return a copy of what some variables hold."""
    return [np.array(variable) for variable in variables]


def give(variables: list[keras.Variable], held: list[NDArray[Any]]) -> None:
    """Have variables hold again what `values` took from them or their like."""
    for variable, value in zip(variables, held, strict=True):
        variable.assign(value)


def assign(model: keras.Model, weights: Weights) -> None:
    """Give a network weights.

    Raises:
        BundleRefused: If they do not fit it.
    """
    needed = [tuple(variable.shape) for variable in model.trainable_variables]
    found = [weight.shape for weight in weights]
    if needed != found:
        raise BundleRefused(
            f"weights do not fit the network of the config: needed shapes {needed}, found {found};"
            " train it again"
        )
    give(model.trainable_variables, weights)


def keep(
    checkpoint: Path,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    best: Weights,
    told: Mapping[str, ArrayLike],
) -> None:
    """Write all that the next training step depends on, whole or not at all.

    Args:
        checkpoint: File to write.
        model: As it is trained.
        optimizer: What trains it.
        best: Weights that did best so far.
        told: By name, how training went.
    """
    state = {
        **{f"model-{i:03}": np.array(v) for i, v in enumerate(model.variables)},
        **{f"optimizer-{i:03}": np.array(v) for i, v in enumerate(optimizer.variables)},
        **{f"best-{i:03}": weight for i, weight in enumerate(best)},
        **{name: np.asarray(value, dtype=np.float64) for name, value in told.items()},
    }
    with files.new_file(checkpoint) as beside, beside.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **state)


def restore(
    checkpoint: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer
) -> tuple[Weights, dict[str, NDArray[np.float64]]]:
    """Bring back what `keep` wrote; return the best weights, and by name how training went."""
    with np.load(checkpoint, allow_pickle=False) as state:
        stored = {name: state[name] for name in state.files}
    for kind, variables in (("model", model.variables), ("optimizer", optimizer.variables)):
        give(variables, [stored.pop(f"{kind}-{i:03}") for i in range(len(variables))])
    best = [stored.pop(name) for name in sorted(stored) if name.startswith("best-")]
    return best, stored
