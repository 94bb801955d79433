"""Windows read for a network, and its answers to them."""

import keras
import numpy as np
from numpy.typing import NDArray

from foreseq.series import multivariate, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

ROWS = 512
"""Windows in each call of the network that answers, the last call padded: a matrix product may
round differently for another number of rows, and no forecast may depend on how many are asked."""


def inputs(model: keras.Model, panel: Panel, chosen: Windows) -> windows.Inputs:
    """Read what a network needs of some windows: their series, or all if it reads several."""
    reach, channels = model.input["past"].shape[1:]
    steps, dates = model.input["calendar"].shape[1:]
    gather = multivariate.gather if channels > 1 else windows.gather
    return gather(panel, chosen, reach, steps - reach, dates=dates > 0)


def answer(model: keras.Model, panel: Panel, chosen: Windows) -> NDArray[np.float32]:
    """Return what the network forecasts, shape (windows, horizon, outputs).

    A window's answer depends on its past alone, neither on the other windows nor on their number.
    Quantiles that the network has crossed are put in order.

    Args:
        model: From `forecaster`, for one cutoff.
        panel: Where the pasts are. For a network of several channels these are its series, in the
            order of the channels.
        chosen: What to forecast.
    """
    if model.output.shape[2] == 1:
        answers = _each(model, panel, chosen)[:, 0]
    else:  # who asks for several series of one moment gets the answers of one pass
        moments = multivariate.origins(panel, chosen)
        _, first, which = np.unique(moments, return_index=True, return_inverse=True)
        answers = _each(model, panel, chosen.take(first))[which, chosen.series]
    answers.sort(axis=-1)
    return answers


def _each(model: keras.Model, panel: Panel, chosen: Windows) -> NDArray[np.float32]:
    """Return what the network says of each window, shape (windows, channels, horizon, outputs)."""
    answers = np.empty((chosen.count, *model.output.shape[2:]), np.float32)
    for first in range(0, chosen.count, ROWS):
        part = chosen.take(slice(first, first + ROWS))
        batch = inputs(model, panel, part.take(np.arange(ROWS) % part.count))
        told = model.predict_on_batch(batch._asdict())
        answers[first : first + part.count] = told[: part.count, 0]
    return answers
