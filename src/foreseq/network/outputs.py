"""How many series are read and how many numbers answer, and which of these is the forecast."""

from typing import Any

import keras
from keras import KerasTensor, ops
from numpy.typing import NDArray

from foreseq.config import MEDIAN, ResolvedNetwork


def channels(config: ResolvedNetwork) -> int:
    """Return how many series are read at a time."""
    return len(config.multivariate) or 1


def outputs(config: ResolvedNetwork) -> int:
    """Return how many numbers answer for one step."""
    return len(config.quantiles) or 1


def reading(width: int, name: str) -> keras.layers.Dense:
    """Build what reads numbers off a state, zeros at first, in float32 whatever the cells do."""
    return keras.layers.Dense(width, kernel_initializer="zeros", dtype="float32", name=name)


def by_step(head: KerasTensor, horizon: int, n: int, name: str) -> KerasTensor:
    """Read n numbers for each step off the head, shape (rows, horizon, n), zeros at first."""
    return ops.reshape(reading(horizon * n, name)(head), (-1, horizon, n))


def middle(answers: NDArray[Any], quantiles: tuple[float, ...]) -> NDArray[Any]:
    """Return the median of (..., outputs), or the point forecast where there are no quantiles."""
    return answers[..., quantiles.index(MEDIAN) if quantiles else 0]
