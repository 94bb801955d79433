"""Forecasts that need no learning: what a network must beat before anyone should wait for it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

NAIVE, SEASONAL_NAIVE, DRIFT, LEVEL = "naive", "seasonal_naive", "drift", "historic_median"


def naive(panel: Panel, chosen: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the last observed value for every step, shape (windows, horizon)."""
    return np.repeat(_newest_seasons(panel, chosen, 1), horizon, axis=1)


def seasonal_naive(panel: Panel, chosen: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the value of one season before for every step, shape (windows, horizon).

    Where it was not observed, the season before that answers, and at last the newest value.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0, 2.0, 3.0, 4.0, 5.0]}, freq="1", season=2)
        >>> seasonal_naive(panel, Windows(np.array([0]), np.array([5])), 3).tolist()
        [[4.0, 5.0, 4.0]]
    """
    season = _newest_seasons(panel, chosen, panel.season)
    season = np.where(np.isnan(season), _newest_seasons(panel, chosen, 1), season)
    return season[:, np.arange(horizon) % panel.season]


def drift(panel: Panel, chosen: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the line through the first and the last observed value, shape (windows, horizon).

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0, 9.0, np.nan, 4.0]}, freq="1", season=1)
        >>> drift(panel, Windows(np.array([0]), np.array([4])), 2).tolist()
        [[5.0, 6.0]]
    """
    answer = np.full((chosen.count, horizon), np.nan)
    for row in range(chosen.count):
        steps, values = _seen(panel, chosen, row)
        if not len(values):
            continue
        slope = (values[-1] - values[0]) / max(1, steps[-1] - steps[0])
        ahead = chosen.cutoff[row] + np.arange(horizon) - steps[-1]
        answer[row] = values[-1] + slope * ahead
    return answer


def level(panel: Panel, chosen: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the median of all observed values for every step, shape (windows, horizon).

    Of pure noise no forecast knows more; the seasonal naive, wrong by two noises, is easily beaten.
    """
    answer = np.full((chosen.count, horizon), np.nan)
    for row in range(chosen.count):
        _, values = _seen(panel, chosen, row)
        if len(values):
            answer[row] = np.median(values)
    return answer


Baseline = Callable[[Panel, Windows, int], NDArray[np.float64]]

BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {SEASONAL_NAIVE: seasonal_naive, NAIVE: naive, DRIFT: drift, LEVEL: level}
)
"""Every one, by the name it has in reports; a window without a past is NaN."""


def _seen(panel: Panel, chosen: Windows, row: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return steps and values of what was observed before the cutoff of one window."""
    series, cutoff = int(chosen.series[row]), int(chosen.cutoff[row])
    steps = np.flatnonzero(panel.seen(series)[:cutoff])
    return steps, np.asarray(panel.series(series)[:cutoff])[steps]


def _newest_seasons(panel: Panel, chosen: Windows, season: int) -> NDArray[np.float64]:
    """Return the newest season as far as it is known, shape (windows, season)."""
    answer = np.full((chosen.count, season), np.nan)
    reach = int(panel.lengths.max(initial=1))
    for back in range(-(-reach // season)):
        missing = np.isnan(answer).any(axis=1) & (chosen.cutoff > back * season)
        if not missing.any():
            break
        older = Windows(chosen.series[missing], chosen.cutoff[missing] - back * season)
        past = windows.before(panel, older, season)
        answer[missing] = np.where(np.isnan(answer[missing]), past, answer[missing])
    return answer
