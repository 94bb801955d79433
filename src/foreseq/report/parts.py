"""Parts that add up to a forecast: level, season, what covariates moved, and the rest."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.evaluation.baselines import seasonal_naive
from foreseq.metrics import mean_known
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

Floats = NDArray[np.float64]


class Parts(NamedTuple):
    """Parts of point forecasts, shape (windows, horizon); NaN where there is no past.

    What is left of the forecast is the rest: trend, calendar and whatever else the network learned.
    """

    level: Floats
    """Mean of the newest season; without a season, of as many steps as the horizon."""
    season: Floats
    """The newest season, repeated, less the level: both are the seasonal naive."""
    covariates: Floats
    """The forecast less that of the same network when no covariate is known."""

    def rest(self, forecast: Floats) -> Floats:
        """Return what is left of the forecast, of the same shape."""
        return np.asarray(forecast - sum(self))


def split(
    forecaster: Callable[[Panel, Windows], Floats], panel: Panel, chosen: Windows, forecast: Floats
) -> Parts:
    """Return the parts of forecasts.

    Args:
        forecaster: Returns point forecasts of windows, shape (windows, horizon).
        panel: The histories.
        chosen: The windows that were forecast.
        forecast: Their point forecasts, by the same forecaster.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0, 2.0, 3.0, 7.0]}, freq="1", season=2)
        >>> window, forecast = Windows(np.array([0]), np.array([4])), np.array([[4.0, 9.0]])
        >>> parts = split(lambda *_: forecast, panel, window, forecast)
        >>> parts.level.tolist(), parts.season.tolist(), parts.rest(forecast).tolist()
        ([[5.0, 5.0]], [[-2.0, 2.0]], [[1.0, 2.0]])
    """
    horizon = forecast.shape[1]
    if panel.season > 1:
        newest = seasonal_naive(panel, chosen, panel.season)
        season = seasonal_naive(panel, chosen, horizon) - mean_known(newest)[:, None]
    else:
        newest, season = windows.before(panel, chosen, horizon), np.zeros_like(forecast)
    level = np.repeat(mean_known(newest)[:, None], horizon, axis=1)
    moved = np.zeros_like(forecast)
    if panel.covariates is not None:
        moved = forecast - forecaster(replace(panel, covariates=None), chosen)
    return Parts(level, season, moved)
