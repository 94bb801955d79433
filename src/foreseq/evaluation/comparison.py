"""Statistical baselines on the same test windows as foreseq, within a time limit."""

import time
from collections.abc import Mapping
from statistics import NormalDist
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import MEDIAN, ResolvedExperiment, StatisticalBaselinesConfig
from foreseq.evaluation import statistical_baselines
from foreseq.evaluation.backtest import FORESEQ, Backtest, Interval
from foreseq.evaluation.baselines import SEASONAL_NAIVE
from foreseq.evaluation.statistical_baselines import METHODS, Method, Normal
from foreseq.metrics import mean_known
from foreseq.series import windows
from foreseq.series.panel import Panel

SEED = 1
"""Of the sample of windows: the same data give the same sample."""
INSTALL = "run `uv sync --extra statistical`"

Floats = NDArray[np.float64]


class Comparison(NamedTuple):
    """Statistical baselines and foreseq on the same sample of test windows."""

    backtest: Backtest | None
    """Of foreseq, the seasonal naive and each method; None: there was no comparison."""
    quantiles: dict[str, Floats]
    """By method, shape (windows, horizon, levels)."""
    failures: dict[str, int]
    """By method: windows whose fit failed, where the seasonal naive was used."""
    sample: str
    """Which windows were compared, or why none."""
    seconds: Mapping[str, float] = MappingProxyType({})
    """By method: of all its forecasts."""

    @property
    def names(self) -> list[str]:
        """The methods, best first."""
        return [] if self.backtest is None else sorted(self.quantiles, key=self.backtest.error)

    def intervals(self) -> dict[str, list[Interval]]:
        """Return the intervals of foreseq and of each method."""
        return {name: one.intervals() for name, one in self._backtests().items()}

    def crps(self) -> dict[str, float]:
        """Return the CRPS of foreseq and of each method."""
        return {name: one.crps(name) for name, one in self._backtests().items()}

    def _backtests(self) -> dict[str, Backtest]:
        """Return the backtest with the quantiles of foreseq, then of each method."""
        if self.backtest is None:
            return {}
        return {FORESEQ: self.backtest} | {
            name: self.backtest._replace(quantiles=self.quantiles[name], probabilistic=name)
            for name in self.names
        }


def compare(result: Backtest, panel: Panel, experiment: ResolvedExperiment) -> Comparison:
    """Forecast a sample of the test windows by every statistical baseline, while time lasts.

    The methods see the newest values before the cutoff, or their logarithms where the network does.

    Args:
        result: Of foreseq, on all test windows.
        panel: The data.
        experiment: Its `statistical_baselines` limit windows, history and time.
    """
    limits = experiment.statistical_baselines
    if not limits.windows:
        return Comparison(None, {}, {}, "not asked for (statistical_baselines.windows=0)")
    if not statistical_baselines.is_installed():
        return Comparison(None, {}, {}, f"statsmodels is not installed; {INSTALL}")
    count, horizon = result.actual.shape
    rows = np.random.default_rng(SEED).permutation(count)[: limits.windows]
    pasts = windows.before(panel, result.windows.take(rows), limits.history)
    levels = result.levels or (MEDIAN,)
    quantiles = {name: np.empty((len(rows), horizon, len(levels))) for name in METHODS}
    failures, seconds = dict.fromkeys(METHODS, 0), dict.fromkeys(METHODS, 0.0)
    start = time.monotonic()
    done = 0
    while done < len(rows) and (not done or time.monotonic() - start < limits.seconds):
        past = pasts[done]
        for name, method in METHODS.items():
            begun = time.monotonic()
            forecast = _forecast(
                method, past, panel.season, horizon, levels, log=experiment.network.log
            )
            seconds[name] += time.monotonic() - begun
            if forecast is None:
                failures[name] += 1
                naive = result.forecasts[SEASONAL_NAIVE][rows[done]]
                forecast = _quantiles(_fallback(past, naive, panel.season), levels)
            quantiles[name][done] = forecast
        done += 1
    rows = rows[:done]
    quantiles = {name: values[:done] for name, values in quantiles.items()}
    median = levels.index(MEDIAN)
    shared = result._replace(
        windows=result.windows.take(rows),
        actual=result.actual[rows],
        forecasts={name: result.forecasts[name][rows] for name in (FORESEQ, SEASONAL_NAIVE)}
        | {name: values[..., median] for name, values in quantiles.items()},
        quantiles=result.quantiles[rows],
    )
    return Comparison(shared, quantiles, failures, _sample(done, count, limits), seconds)


def _sample(done: int, count: int, limits: StatisticalBaselinesConfig) -> str:
    sample = f"{done} of {count} test windows"
    if done < count:
        sample += f", drawn with seed {SEED}"
    sample += f", at most the last {limits.history} steps before each"
    if done < min(limits.windows, count):
        sample += f"; more would have taken longer than {limits.seconds:.0f} s"
    return sample


def _forecast(  # noqa: PLR0913 - one window, and how to forecast it
    method: Method,
    past: Floats,
    season: int,
    horizon: int,
    levels: tuple[float, ...],
    *,
    log: bool,
) -> Floats | None:
    """Return the quantiles of one window, by way of logarithms if asked for; None on failure."""
    if log and (past <= 0).any():
        return None
    normal = statistical_baselines.forecast(method, np.log(past) if log else past, season, horizon)
    if normal is None:
        return None
    return np.exp(_quantiles(normal, levels)) if log else _quantiles(normal, levels)


def _fallback(past: Floats, naive: Floats, season: int) -> Normal:
    """Return the seasonal naive with the spread of the changes from season to season."""
    change = past[season:] - past[:-season]
    spread = float(np.sqrt(np.nan_to_num(mean_known(change**2))))
    return Normal(naive, spread * np.sqrt(1 + np.arange(len(naive)) // season))


def _quantiles(normal: Normal, levels: tuple[float, ...]) -> Floats:
    """Return the quantiles of a normal law, shape (horizon, levels)."""
    away = np.array([NormalDist().inv_cdf(level) for level in levels])
    return np.asarray(normal.mean[:, None] + normal.spread[:, None] * away)
