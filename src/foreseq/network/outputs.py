"""The outputs of the network: how many there are, their layers, and which is the median."""

from typing import Any

import keras
from keras import KerasTensor, ops
from numpy.typing import NDArray

from foreseq.config import MEDIAN, ResolvedNetwork


def channels(config: ResolvedNetwork) -> int:
    """Return how many series are read together."""
    return len(config.multivariate) or 1


def outputs(config: ResolvedNetwork) -> int:
    """Return how many numbers are forecast for one step."""
    return len(config.quantiles) or 1


def output_layer(width: int, name: str) -> keras.layers.Dense:
    """Build a linear output, zero at first, in float32 whatever the cells compute in."""
    return keras.layers.Dense(width, kernel_initializer="zeros", dtype="float32", name=name)


def by_step(head: KerasTensor, horizon: int, n: int, name: str) -> KerasTensor:
    """Map the head to n numbers for each step, shape (rows, horizon, n), zeros at first."""
    return ops.reshape(output_layer(horizon * n, name)(head), (-1, horizon, n))


def median_output(forecasts: NDArray[Any], quantiles: tuple[float, ...]) -> NDArray[Any]:
    """Return the median of (..., outputs), or the point forecast if there are no quantiles."""
    return forecasts[..., quantiles.index(MEDIAN) if quantiles else 0]
