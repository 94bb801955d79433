"""ETS, Theta and ARIMA of statsmodels: each is fitted to one past and forecasts a normal law.

Seasons too long for a method are removed by moving averages before the fit and added again after
it. A past shorter than two seasons counts as not seasonal.
"""

import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ETS, THETA, ARIMA = "ets", "theta", "arima"

LONGEST_ETS, LONGEST_ARIMA = 24, 12
"""Longest seasons that the methods model themselves: beyond, a fit takes seconds."""
MIN_VALUES = 8
"""To fit on."""
ONE_SIGMA = 0.8413447460685429
"""Quantile level one standard deviation above the mean."""

Floats = NDArray[np.float64]


class Normal(NamedTuple):
    """A normal law for each step ahead."""

    mean: Floats
    """Shape (horizon,)."""
    spread: Floats
    """Standard deviation, shape (horizon,)."""


Method = Callable[[Floats, int, int], Normal]
"""From values without gaps, the season and the horizon to the forecast."""


def is_installed() -> bool:
    """Return whether statsmodels is installed: it comes with the extra `statistical`."""
    return find_spec("statsmodels") is not None


def forecast(method: Method, past: Floats, season: int, horizon: int) -> Normal | None:
    """Return a method's forecast, or None where the fit fails.

    Args:
        method: One of `METHODS`.
        past: Observations in order; NaN is replaced by a line between its neighbours.
        season: In steps.
        horizon: In steps.
    """
    known = np.flatnonzero(np.isfinite(past))
    if len(known) < MIN_VALUES:
        return None
    steps = np.arange(known[0], len(past))
    values = np.interp(steps, known, past[known])
    if np.ptp(values) == 0:
        return Normal(np.full(horizon, values[0]), np.zeros(horizon))
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 an extra

    # several threads multiply such small matrices thirty times slower than one
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on every search that stops short of the optimum
        try:
            normal = method(values, season if len(values) >= 2 * season else 1, horizon)
        except (ValueError, ArithmeticError, IndexError, np.linalg.LinAlgError):
            return None
    return normal if np.isfinite(normal).all() else None


def ets(values: Floats, season: int, horizon: int) -> Normal:
    """Exponential smoothing: additive errors, a damped trend, an additive season."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # noqa: PLC0415 an extra

    rest, seasonal = _without_season(values, season if season > LONGEST_ETS else 1, horizon)
    own = season if 1 < season <= LONGEST_ETS else None
    fitted = ETSModel(
        pd.Series(rest),
        trend="add",
        damped_trend=True,
        seasonal="add" if own else None,
        seasonal_periods=own,
    ).fit(disp=False)
    last = len(rest) - 1
    law = fitted.get_prediction(start=last + 1, end=last + horizon)
    return Normal(np.asarray(law.predicted_mean) + seasonal, np.sqrt(law.forecast_variance))


def theta(values: Floats, season: int, horizon: int) -> Normal:
    """The mean of a line and a smoothed level (Assimakopoulos and Nikolopoulos 2000)."""
    from statsmodels.tsa.forecasting.theta import ThetaModel  # noqa: PLC0415 an extra

    rest, seasonal = _without_season(values, season, horizon)
    fitted = ThetaModel(pd.Series(rest), period=1, deseasonalize=False).fit()
    mean = np.asarray(fitted.forecast(horizon))
    upper = np.asarray(fitted.prediction_intervals(horizon, alpha=2 * (1 - ONE_SIGMA)))[:, 1]
    return Normal(mean + seasonal, upper - mean)


def arima(values: Floats, season: int, horizon: int) -> Normal:
    """The airline model (0,1,1)(0,1,1), or (1,1,1) without a season or with a long one."""
    from statsmodels.tsa.arima.model import ARIMA as Model  # noqa: PLC0415, N811 an extra

    own = 1 < season <= LONGEST_ARIMA
    rest, seasonal = _without_season(values, 1 if own else season, horizon)
    order, seasonal_order = (1, 1, 1), (0, 0, 0, 0)
    if own:
        order, seasonal_order = (0, 1, 1), (0, 1, 1, season)
    fitted = Model(pd.Series(rest), order=order, seasonal_order=seasonal_order).fit()
    law = fitted.get_forecast(horizon)
    return Normal(np.asarray(law.predicted_mean) + seasonal, np.asarray(law.se_mean))


METHODS: Mapping[str, Method] = MappingProxyType({ETS: ets, THETA: theta, ARIMA: arima})
"""By name."""


def _without_season(values: Floats, season: int, horizon: int) -> tuple[Floats, Floats]:
    """Return the values without their season, and the season of the steps ahead."""
    if season == 1:
        return values, np.zeros(horizon)
    from statsmodels.tsa.seasonal import seasonal_decompose  # noqa: PLC0415 an extra

    pattern = np.asarray(seasonal_decompose(values, period=season).seasonal)
    return values - pattern, pattern[(len(values) + np.arange(horizon)) % season]
