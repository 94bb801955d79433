"""Windows read for a network, and its forecasts of them."""

import keras
import numpy as np
from numpy.typing import NDArray

from foreseq.config import Covariate
from foreseq.series import multivariate, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

ROWS = 512
"""Windows in each call of the network, the last call padded: a matrix product may round differently
for another number of rows, and no forecast may depend on how many others are asked for."""


def inputs(
    model: keras.Model, panel: Panel, chosen: Windows, reads: tuple[Covariate, ...] = ()
) -> windows.Inputs:
    """Read what a network needs of some windows: their series, or all if it reads several."""
    reach, channels = model.input["past"].shape[1:]
    steps, dates = model.input["calendar"].shape[1:]
    gather = multivariate.gather if channels > 1 else windows.gather
    return gather(panel, chosen, reach, steps - reach, dates=dates > 0, reads=reads)


def predict(
    model: keras.Model, panel: Panel, chosen: Windows, reads: tuple[Covariate, ...] = ()
) -> NDArray[np.float64]:
    """Return the network's forecasts, shape (windows, horizon, outputs).

    A forecast depends on the past of its window alone, neither on the other windows nor on their
    number. Quantiles that the network has crossed are put in order.

    Args:
        model: From `build.forecaster`, for one cutoff.
        panel: Holds the pasts. For a network of several channels these are its series, in the
            order of the channels.
        chosen: Windows to forecast.
        reads: Covariates that the network reads.
    """
    if model.output.shape[2] == 1:
        forecasts = _predict(model, panel, chosen, reads)[:, 0]
    else:  # several series at one time are forecast in one pass
        times = multivariate.origins(panel, chosen)
        _, first, which = np.unique(times, return_index=True, return_inverse=True)
        forecasts = _predict(model, panel, chosen.take(first), reads)[which, chosen.series]
    forecasts.sort(axis=-1)
    return forecasts


def _predict(
    model: keras.Model, panel: Panel, chosen: Windows, reads: tuple[Covariate, ...]
) -> NDArray[np.float64]:
    """Return the network's outputs, shape (windows, channels, horizon, outputs)."""
    forecasts = np.empty((chosen.count, *model.output.shape[2:]))
    for first in range(0, chosen.count, ROWS):
        part = chosen.take(slice(first, first + ROWS))
        batch = inputs(model, panel, part.take(np.arange(ROWS) % part.count), reads)
        predicted = model.predict_on_batch(batch._asdict())
        forecasts[first : first + part.count] = predicted[: part.count, 0]
    return forecasts
