"""The classical methods, as statsmodels has them: each fits one past and answers with a normal law.

A season longer than a method carries at a tolerable price is taken out before, by moving averages,
and put back after. Of a past shorter than two seasons none is taken to be known.
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
"""Longest seasons that the method itself carries: beyond, a fit takes seconds."""
LEAST = 8
"""Fewest values to fit on."""
LEFT = 0.8413447460685429
"""Level one standard deviation above the middle."""

Floats = NDArray[np.float64]


class Normal(NamedTuple):
    """What a method expects, and how sure it is, each step ahead on its own."""

    mean: Floats
    """Shape (horizon,)."""
    spread: Floats
    """Standard deviation, shape (horizon,)."""


Method = Callable[[Floats, int, int], Normal]
"""From values without gaps, the season and the horizon to the forecast."""


def are_there() -> bool:
    """Tell whether statsmodels is installed: it comes with the extra `classics`."""
    return find_spec("statsmodels") is not None


def forecast(method: Method, past: Floats, season: int, horizon: int) -> Normal | None:
    """Return what a method says, or None where it fails.

    Args:
        method: One of `CLASSICS`.
        past: Observations in order, NaN where there was none: a line is drawn between neighbours.
        season: Steps after which the pattern repeats.
        horizon: Steps to forecast.
    """
    known = np.flatnonzero(np.isfinite(past))
    if len(known) < LEAST:
        return None
    steps = np.arange(known[0], len(past))
    values = np.interp(steps, known, past[known])
    if np.ptp(values) == 0:
        return Normal(np.full(horizon, values[0]), np.zeros(horizon))
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 an extra

    # matrices this small are multiplied thirty times slower by several threads that wait in turn
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on every search that stops short of the optimum
        try:
            found = method(values, season if len(values) >= 2 * season else 1, horizon)
        except (ValueError, ArithmeticError, IndexError, np.linalg.LinAlgError):
            return None
    return found if np.isfinite(found).all() else None


def ets(values: Floats, season: int, horizon: int) -> Normal:
    """Smooth exponentially: additive errors, a damped trend, an additive season."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # noqa: PLC0415 an extra

    rest, again = _without_season(values, season if season > LONGEST_ETS else 1, horizon)
    own = season if 1 < season <= LONGEST_ETS else None
    fitted = ETSModel(
        _series(rest),
        trend="add",
        damped_trend=True,
        seasonal="add" if own else None,
        seasonal_periods=own,
    ).fit(disp=False)
    last = len(rest) - 1
    told = fitted.get_prediction(start=last + 1, end=last + horizon)
    return Normal(np.asarray(told.predicted_mean) + again, np.sqrt(told.forecast_variance))


def theta(values: Floats, season: int, horizon: int) -> Normal:
    """Weigh a line and a smoothed level alike (Assimakopoulos and Nikolopoulos 2000)."""
    from statsmodels.tsa.forecasting.theta import ThetaModel  # noqa: PLC0415 an extra

    rest, again = _without_season(values, season, horizon)
    fitted = ThetaModel(_series(rest), period=1, deseasonalize=False).fit()
    mean = np.asarray(fitted.forecast(horizon))
    upper = np.asarray(fitted.prediction_intervals(horizon, alpha=2 * (1 - LEFT)))[:, 1]
    return Normal(mean + again, upper - mean)


def arima(values: Floats, season: int, horizon: int) -> Normal:
    """Fit the airline model (0,1,1)(0,1,1), or (1,1,1) to what is left without a long season."""
    from statsmodels.tsa.arima.model import ARIMA as Model  # noqa: PLC0415, N811 an extra

    carried = 1 < season <= LONGEST_ARIMA
    rest, again = _without_season(values, 1 if carried else season, horizon)
    order, seasonal = (1, 1, 1), (0, 0, 0, 0)
    if carried:
        order, seasonal = (0, 1, 1), (0, 1, 1, season)
    told = Model(_series(rest), order=order, seasonal_order=seasonal).fit().get_forecast(horizon)
    return Normal(np.asarray(told.predicted_mean) + again, np.asarray(told.se_mean))


CLASSICS: Mapping[str, Method] = MappingProxyType({ETS: ets, THETA: theta, ARIMA: arima})
"""Every one, by the name it has in reports."""


def _without_season(values: Floats, season: int, horizon: int) -> tuple[Floats, Floats]:
    """Return the values without their season, and the season of the steps to come."""
    if season == 1:
        return values, np.zeros(horizon)
    from statsmodels.tsa.seasonal import seasonal_decompose  # noqa: PLC0415 an extra

    pattern = np.asarray(seasonal_decompose(values, period=season).seasonal)
    return values - pattern, pattern[(len(values) + np.arange(horizon)) % season]


def _series(values: Floats) -> pd.Series:
    """Return what some methods ask for, which take no array."""
    return pd.Series(values)
