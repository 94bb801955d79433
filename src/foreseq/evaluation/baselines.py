"""Forecasts without training, which a network has to beat; NaN for a window without a past."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from foreseq.series.panel import Panel
from foreseq.series.windows import Windows, before

NAIVE, SEASONAL_NAIVE, DRIFT = "naive", "seasonal_naive", "drift"
HISTORIC_MEDIAN = "historic_median"


def naive(panel: Panel, windows: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the last observed value for every step, shape (windows, horizon)."""
    return np.repeat(_newest_seasons(panel, windows, 1), horizon, axis=1)


def seasonal_naive(panel: Panel, windows: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the value of one season before for every step, shape (windows, horizon).

    Where it was not observed, the season before that is used, and at last the newest value.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0, 2.0, 3.0, 4.0, 5.0]}, freq="1", season=2)
        >>> seasonal_naive(panel, Windows(np.array([0]), np.array([5])), 3).tolist()
        [[4.0, 5.0, 4.0]]
    """
    season = _newest_seasons(panel, windows, panel.season)
    season = np.where(np.isnan(season), _newest_seasons(panel, windows, 1), season)
    return season[:, np.arange(horizon) % panel.season]


def drift(panel: Panel, windows: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the naive with drift: the line through the first and the last observed value.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0, 9.0, np.nan, 4.0]}, freq="1", season=1)
        >>> drift(panel, Windows(np.array([0]), np.array([4])), 2).tolist()
        [[5.0, 6.0]]
    """
    forecast = np.full((windows.count, horizon), np.nan)
    for row in range(windows.count):
        steps, values = _observed(panel, windows, row)
        if len(values):
            slope = (values[-1] - values[0]) / max(1, steps[-1] - steps[0])
            ahead = windows.cutoff[row] + np.arange(horizon) - steps[-1]
            forecast[row] = values[-1] + slope * ahead
    return forecast


def historic_median(panel: Panel, windows: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the median of all observed values for every step, shape (windows, horizon).

    It is hard to beat on noise, where the seasonal naive errs by two noises instead of one.
    """
    forecast = np.full((windows.count, horizon), np.nan)
    for row in range(windows.count):
        _, values = _observed(panel, windows, row)
        if len(values):
            forecast[row] = np.median(values)
    return forecast


Baseline = Callable[[Panel, Windows, int], NDArray[np.float64]]

BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {SEASONAL_NAIVE: seasonal_naive, NAIVE: naive, DRIFT: drift, HISTORIC_MEDIAN: historic_median}
)
"""By name."""


def _observed(
    panel: Panel, windows: Windows, row: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return steps and values of what was observed before the cutoff of one window."""
    series, cutoff = int(windows.series[row]), int(windows.cutoff[row])
    steps = np.flatnonzero(panel.seen(series)[:cutoff])
    return steps, np.asarray(panel.series(series)[:cutoff])[steps]


def _newest_seasons(panel: Panel, windows: Windows, season: int) -> NDArray[np.float64]:
    """Return the newest season as far as it is known, shape (windows, season)."""
    newest = np.full((windows.count, season), np.nan)
    reach = int(panel.lengths.max(initial=1))
    for back in range(-(-reach // season)):
        missing = np.isnan(newest).any(axis=1) & (windows.cutoff > back * season)
        if not missing.any():
            break
        older = Windows(windows.series[missing], windows.cutoff[missing] - back * season)
        past = before(panel, older, season)
        newest[missing] = np.where(np.isnan(newest[missing]), past, newest[missing])
    return newest
