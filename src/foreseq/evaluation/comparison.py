"""Classical methods beside foreseq, on the very same test windows, for a price that is bounded."""

import time
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import MEDIAN, ResolvedExperiment, StatisticalBaselinesConfig
from foreseq.evaluation import statistical_baselines
from foreseq.evaluation.backtest import FORESEQ, Backtest, Interval
from foreseq.evaluation.baselines import SEASONAL_NAIVE
from foreseq.evaluation.statistical_baselines import CLASSICS, Method, Normal
from foreseq.metrics import mean_known
from foreseq.series import windows
from foreseq.series.panel import Panel

SEED = 1
"""Of the windows drawn: the same data give the same sample."""
INSTALL = "install foreseq[classics]"


class Rivals(NamedTuple):
    """What classical methods made of some test windows, and foreseq of the same ones."""

    tested: Backtest | None
    """On the windows drawn: forecasts of foreseq, the seasonal naive and each method; None: none
    was asked for, or statsmodels is not installed."""
    quantiles: dict[str, NDArray[np.float64]]
    """By method, shape (windows, horizon, levels)."""
    failures: dict[str, int]
    """By method: windows whose fit failed; the seasonal naive answers there."""
    told: str
    """For reports: on how many windows, drawn how, or why on none."""

    @property
    def names(self) -> list[str]:
        """The methods, best first."""
        return [] if self.tested is None else sorted(self.quantiles, key=self.tested.error)

    def intervals(self) -> dict[str, list[Interval]]:
        """Return the intervals of foreseq and of each method on these windows."""
        if self.tested is None:
            return {}
        return {FORESEQ: self.tested.intervals()} | {
            name: self.tested._replace(quantiles=self.quantiles[name]).intervals()
            for name in self.names
        }


def rivals(result: Backtest, panel: Panel, experiment: ResolvedExperiment) -> Rivals:
    """Let every classical method forecast test windows, drawn with a seed, while time lasts.

    Each method sees the newest values before the cutoff, or their logarithms where the network
    works on these, too.

    Args:
        result: Of foreseq, on all test windows.
        panel: The data.
        experiment: Settled; its `classics` bounds the price.
    """
    plan = experiment.statistical_baselines
    if not plan.windows:
        return Rivals(None, {}, {}, "none were asked for (statistical_baselines.windows=0)")
    if not statistical_baselines.are_there():
        return Rivals(None, {}, {}, f"statsmodels is not installed; {INSTALL}")
    return _compete(result, panel, plan, log=bool(experiment.network.log))


def _compete(
    result: Backtest, panel: Panel, plan: StatisticalBaselinesConfig, *, log: bool
) -> Rivals:
    count, horizon = result.actual.shape
    rows = np.random.default_rng(SEED).permutation(count)[: plan.windows]
    pasts = windows.before(panel, result.windows.take(rows), plan.history)
    levels = result.levels or (MEDIAN,)
    quantiles = {name: np.empty((len(rows), horizon, len(levels))) for name in CLASSICS}
    failures = dict.fromkeys(CLASSICS, 0)
    begun = time.monotonic()
    done = 0
    while done < len(rows) and (not done or time.monotonic() - begun < plan.seconds):
        for name, method in CLASSICS.items():
            answer = _answer(method, pasts[done], panel.season, horizon, levels, log=log)
            if answer is None:
                failures[name] += 1
                naive = result.forecasts[SEASONAL_NAIVE][rows[done]]
                answer = _quantiles(_fallback(pasts[done], naive, panel.season), levels)
            quantiles[name][done] = answer
        done += 1
    rows = rows[:done]
    quantiles = {name: each[:done] for name, each in quantiles.items()}
    place = levels.index(MEDIAN)
    shared = result._replace(
        windows=result.windows.take(rows),
        actual=result.actual[rows],
        forecasts={name: result.forecasts[name][rows] for name in (FORESEQ, SEASONAL_NAIVE)}
        | {name: each[..., place] for name, each in quantiles.items()},
        quantiles=result.quantiles[rows],
    )
    return Rivals(shared, quantiles, failures, _told(done, count, plan))


def _told(done: int, count: int, plan: StatisticalBaselinesConfig) -> str:
    """Say on how many windows, drawn how."""
    told = f"{done} of {count} test windows"
    if done < count:
        told += f", drawn with seed {SEED}"
    told += f", at most the last {plan.history} steps before each"
    if done < min(plan.windows, count):
        told += f"; more would have taken longer than {plan.seconds:.0f} s"
    return told


def _answer(  # noqa: PLR0913 - a past, a question and how to read it
    method: Method,
    past: NDArray[np.float64],
    season: int,
    horizon: int,
    levels: tuple[float, ...],
    *,
    log: bool,
) -> NDArray[np.float64] | None:
    """Return the quantiles of one window, by way of logarithms if asked for; None on failure."""
    if log and (past <= 0).any():
        return None
    told = statistical_baselines.forecast(method, np.log(past) if log else past, season, horizon)
    if told is None:
        return None
    return np.exp(_quantiles(told, levels)) if log else _quantiles(told, levels)


def _fallback(past: NDArray[np.float64], naive: NDArray[np.float64], season: int) -> Normal:
    """Return the seasonal naive, as sure as the changes from season to season were small."""
    change = past[season:] - past[:-season]
    spread = float(np.sqrt(np.nan_to_num(mean_known(change**2))))
    return Normal(naive, spread * np.sqrt(1 + np.arange(len(naive)) // season))


def _quantiles(told: Normal, levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the quantiles of a normal law, shape (horizon, levels)."""
    away = np.array([NormalDist().inv_cdf(level) for level in levels])
    return np.asarray(told.mean[:, None] + told.spread[:, None] * away)
