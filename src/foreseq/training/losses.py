"""Training losses: errors of quantiles, in units in which all series count alike.

A target carries beside each value the weight of an error of its series, as Keras passes nothing but
targets and predictions to a loss.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from foreseq import metrics
from foreseq.config import MEDIAN
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows


class NaiveErrors(NamedTuple):
    """Errors of the seasonal naive on windows of the training span: the units of `owa`."""

    mase: float
    smape: float
    """From 0 to 2."""


NO_UNITS = NaiveErrors(1.0, 1.0)
"""Where the errors of the seasonal naive are not needed or not known."""


def target(y: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    """Return the target of a loss, shape (..., horizon, 2).

    Args:
        y: Observed values, shape (..., horizon); any finite number where they are missing.
        weight: Of an error of each forecast's series, shape (...).
    """
    return np.stack(np.broadcast_arrays(y, weight[..., None]), axis=-1)


def weights(seasonal_error: NDArray[np.float64], loss: str) -> NDArray[np.float64]:
    """Return the weight of an error of each series; zero for a series that never changes.

    Args:
        seasonal_error: Scale of MASE, shape (n_series,).
        loss: As `training.loss`.
    """
    usable = np.isfinite(seasonal_error) & (seasonal_error > 0)
    if not usable.any():
        return np.ones_like(seasonal_error)
    if loss == "mae":
        return np.full_like(seasonal_error, 1 / seasonal_error[usable].mean())
    return np.where(usable, 1 / np.where(usable, seasonal_error, 1), 0.0)


def naive_errors(
    panel: Panel, sample: Windows, horizon: int, weight: NDArray[np.float64]
) -> NaiveErrors:
    """Return the errors of the seasonal naive on some windows, 1 where they are unknown or zero.

    Absolute errors of each series count with its weight, shape (n_series,).
    """
    actual = windows.futures(panel, sample, horizon)
    season = windows.before(panel, sample, panel.season)
    forecast = season[:, np.arange(horizon) % panel.season]
    known = np.isfinite(actual) & np.isfinite(forecast)
    actual, forecast = np.where(known, actual, np.nan), np.where(known, forecast, 0.0)
    errors = (
        float(metrics.mean_known(metrics.mae(actual, forecast) * weight[sample.series])),
        float(metrics.mean_known(metrics.smape(actual, forecast))) / 100,
    )
    return NaiveErrors(*(error if np.isfinite(error) and error > 0 else 1.0 for error in errors))


def loss(
    name: str, quantiles: tuple[float, ...], naive: NaiveErrors = NO_UNITS
) -> Callable[..., KerasTensor]:
    """Return the loss `name`: (..., horizon, 2), (..., horizon, outputs) to (..., horizon).

    `quantiles` are the levels of the outputs; empty for a point forecast, which is the median.
    """
    tau = np.array(quantiles or (MEDIAN,))

    def pinball(error: KerasTensor) -> KerasTensor:
        return 2 * ops.maximum(tau * error, (tau - 1) * error)

    def absolute(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        return y_true[..., 1] * ops.mean(pinball(y_true[..., :1] - y_pred), axis=-1)

    def huber(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        error = y_true[..., 1:] * (y_true[..., :1] - y_pred)
        inner = ops.minimum(ops.abs(error), 1.0)  # e ** 2 / 2 below 1, |e| - 1 / 2 above
        side = 2 * ops.where(error < 0, 1 - tau, tau)
        return ops.mean(side * inner * (ops.abs(error) - inner / 2), axis=-1)

    def symmetric(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        sizes = ops.abs(y_true[..., :1]) + ops.abs(y_pred)
        errors = 2 * pinball(y_true[..., :1] - y_pred)
        return ops.mean(errors / ops.where(sizes > 0, sizes, 1.0), axis=-1)

    def both(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        in_mase = absolute(y_true, y_pred) / naive.mase
        return (in_mase + symmetric(y_true, y_pred) / naive.smape) / 2

    by_name = {"mase": absolute, "mae": absolute, "huber": huber, "smape": symmetric, "owa": both}
    return by_name[name]


class InFloat64(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """A loss whose arguments, in the units of the data, Keras does not round to float32."""

    def __init__(self, function: Callable[..., KerasTensor]) -> None:
        """Wrap a function of targets and predictions."""
        super().__init__(name="loss", dtype="float64")
        self.function = function

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        """Return the loss of each step."""
        return self.function(y_true, y_pred)
