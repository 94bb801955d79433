"""What training minimises: errors of quantiles, in units in which all series count.

A target carries beside each value what an error of its series weighs, as Keras hands a loss nothing
but targets and answers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from foreseq import metrics
from foreseq.config import MEDIAN
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

TINY = 1e-8


class Naive(NamedTuple):
    """Errors of the seasonal naive on windows of the training span."""

    mase: float
    smape: float
    """From 0 to 2."""


EVEN = Naive(1.0, 1.0)
"""Where it is not known how the seasonal naive errs."""


def target(y: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float32]:
    """Return what a loss reads, shape (..., horizon, 2).

    Args:
        y: What came, shape (..., horizon); where it is missing, anything finite.
        weight: Of an error of each forecast's series, shape (...).
    """
    return np.stack(np.broadcast_arrays(y, weight[..., None]), axis=-1).astype(np.float32)


def weights(seasonal_error: NDArray[np.float64], loss: str) -> NDArray[np.float64]:
    """Return what an error of each series weighs; a series that never changes teaches nothing.

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


def naive(panel: Panel, chosen: Windows, horizon: int, weight: NDArray[np.float64]) -> Naive:
    """Return how the seasonal naive errs on some windows, 1 where that cannot be told.

    Args:
        panel: The data.
        chosen: The windows.
        horizon: Steps ahead.
        weight: Of an error of each series, shape (n_series,).
    """
    actual = windows.futures(panel, chosen, horizon)
    season = windows.before(panel, chosen, panel.season)
    told = season[:, np.arange(horizon) % panel.season]
    known = np.isfinite(actual) & np.isfinite(told)
    actual, told = np.where(known, actual, np.nan), np.where(known, told, 0.0)
    errors = (
        float(metrics.mean_known(metrics.mae(actual, told) * weight[chosen.series])),
        float(metrics.mean_known(metrics.smape(actual, told))) / 100,
    )
    return Naive(*(error if np.isfinite(error) and error > 0 else 1.0 for error in errors))


def loss(
    name: str, quantiles: tuple[float, ...], rival: Naive = EVEN
) -> Callable[..., KerasTensor]:
    """Return the loss of (..., horizon, 2) against (..., horizon, outputs), shape (..., horizon).

    Args:
        name: As `training.loss`.
        quantiles: Of the outputs; none for a point forecast, which is the median.
        rival: Whose errors are the units that `owa` adds up.
    """
    tau = np.array(quantiles or (MEDIAN,), np.float32)

    def scaled(missed: KerasTensor) -> KerasTensor:
        return 2 * ops.maximum(tau * missed, (tau - 1) * missed)

    def absolute(told: KerasTensor, answers: KerasTensor) -> KerasTensor:
        return told[..., 1] * ops.mean(scaled(told[..., :1] - answers), axis=-1)

    def huber(told: KerasTensor, answers: KerasTensor) -> KerasTensor:
        missed = told[..., 1:] * (told[..., :1] - answers)
        bent = ops.minimum(ops.abs(missed), 1.0)  # m ** 2 / 2 below 1, |m| - 1 / 2 above
        side = 2 * ops.where(missed < 0, 1 - tau, tau)
        return ops.mean(side * bent * (ops.abs(missed) - bent / 2), axis=-1)

    def symmetric(told: KerasTensor, answers: KerasTensor) -> KerasTensor:
        sizes = ops.abs(told[..., :1]) + ops.abs(answers) + TINY
        return ops.mean(2 * scaled(told[..., :1] - answers) / sizes, axis=-1)

    def both(told: KerasTensor, answers: KerasTensor) -> KerasTensor:
        return (absolute(told, answers) / rival.mase + symmetric(told, answers) / rival.smape) / 2

    kinds = {"mase": absolute, "mae": absolute, "huber": huber, "smape": symmetric, "owa": both}
    return kinds[name]
