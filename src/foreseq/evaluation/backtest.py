"""Forecasts on rolling origins, with the actuals and with baselines that need no training."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq import metrics
from foreseq.config import MEDIAN
from foreseq.errors import DataRefused
from foreseq.evaluation.baselines import BASELINES, SEASONAL_NAIVE
from foreseq.forecasting.bundle import Bundle, State
from foreseq.forecasting.ensemble import Ensemble
from foreseq.metrics import Errors, Scores
from foreseq.network.outputs import median_output
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

FORESEQ = "foreseq"
ROUNDING = 1e-9
MOST_UNANSWERED = 0.2
"""Largest share of windows without a forecast that are left out; not forecasting must not pay."""

Floats = NDArray[np.float64]


class Losses(NamedTuple):
    """Absolute errors of one forecaster, in the unit the gate compares; NaN where unobserved."""

    steps: Floats
    """Shape (windows, horizon)."""
    windows: Floats
    """Mean of each window, shape (windows,)."""
    series: Floats
    """Mean of each series over its windows, shape (n_series,)."""

    @property
    def mean(self) -> float:
        """The mean over series."""
        return float(metrics.mean_known(self.series))


class Interval(NamedTuple):
    """A central prediction interval, measured against the actuals."""

    level: float
    """Share of actuals that should lie inside."""
    coverage: float
    """Share that does."""
    width: float
    """Mean, in the unit of the data."""
    score: float
    """M4's mean scaled interval score over series: lower is better."""


class Backtest(NamedTuple):
    """Forecasts and actuals of the same windows."""

    windows: Windows
    actual: Floats
    """Shape (windows, horizon); NaN where not observed."""
    forecasts: dict[str, Floats]
    """By forecaster: the point forecast, shape (windows, horizon)."""
    quantiles: Floats
    """Of the probabilistic forecaster: shape (windows, horizon, outputs)."""
    seasonal_error: Floats
    """Scale of MASE, from before the first cutoff of each series, shape (n_series,)."""
    levels: tuple[float, ...] = ()
    """Of the quantiles; none for a point forecast."""
    probabilistic: str = FORESEQ
    """The forecaster whose quantiles are given; of the others only points are known."""
    starts: NDArray[np.int64] | None = None
    """First step of each series, counted from that of the earliest; None: they begin together."""
    season: int = 1
    """Of the series, in steps."""
    ids: tuple[str, ...] = ()
    """Names of the series; none: not known."""
    unanswered: tuple[int, ...] = ()
    """Positions of series of which windows are left out for want of a forecast."""

    def scores(self) -> dict[str, Scores]:
        """Return the point measures of every forecaster."""
        return {
            name: metrics.score(self.actual, forecast, self.windows.series, self.seasonal_error)
            for name, forecast in self.forecasts.items()
        }

    def by_horizon(self) -> dict[str, Errors]:
        """Return the point measures of every forecaster by steps ahead, shape (horizon,)."""
        return {
            name: metrics.by_horizon(
                self.actual, forecast, self.windows.series, self.seasonal_error
            )
            for name, forecast in self.forecasts.items()
        }

    def on(self, rows: NDArray[np.bool_], horizon: int) -> "Backtest":
        """Return the backtest on some windows and the first steps only."""
        return self._replace(
            windows=self.windows.take(rows),
            actual=self.actual[rows, :horizon],
            forecasts={name: one[rows, :horizon] for name, one in self.forecasts.items()},
            quantiles=self.quantiles[rows, :horizon],
        )

    def lacks(self, name: str = FORESEQ) -> NDArray[np.bool_]:
        """Return which windows have an observed step without a forecast, shape (windows,)."""
        missing = np.isnan(self.forecasts[name]) & ~np.isnan(self.actual)
        return np.asarray(missing.any(axis=1))

    def answered(self, name: str = FORESEQ) -> "Backtest":
        """Return the backtest without the windows that a forecaster does not answer.

        If these are more than a fifth, all stay, and its error is infinite.
        """
        lacking = self.lacks(name)
        if not lacking.any() or lacking.mean() > MOST_UNANSWERED:
            return self
        series = np.union1d(self.windows.series[lacking], np.array(self.unanswered, np.int64))
        rest = self.on(~lacking, self.actual.shape[1])
        return rest._replace(unanswered=tuple(series.tolist()))

    @property
    def times(self) -> NDArray[np.int64]:
        """The cutoff of each window, in steps from the first of the earliest series."""
        if self.starts is None:
            return self.windows.cutoff
        return self.starts[self.windows.series] + self.windows.cutoff

    @property
    def measure(self) -> str:
        """`MASE`, or `MAE` where no series has a MASE: what `error` returns."""
        return "MASE" if (self.seasonal_error[self.windows.series] > 0).any() else "MAE"

    def losses(self, name: str) -> Losses:
        """Return absolute errors scaled as in MASE, or plain where no series has a MASE."""
        series = self.windows.series
        scale = self.seasonal_error
        if self.measure == "MAE":
            scale = np.ones_like(scale)
        units = np.repeat(scale[series][:, None], self.actual.shape[1], axis=1)
        steps = metrics.mase(self.actual[..., None], self.forecasts[name][..., None], units)
        means = metrics.mean_known(steps)
        return Losses(steps, means, metrics.series_mean(means, series, len(scale)))

    def error(self, name: str) -> float:
        """Return the mean loss over series: MASE, or MAE where no series has a MASE."""
        return self.losses(name).mean

    def skill(self, name: str = FORESEQ, *, over: str = SEASONAL_NAIVE) -> float:
        """Return the share of another forecaster's error that is avoided; 0 is no better."""
        return metrics.skill(self.error(name), self.error(over))

    def win_rate(self, over: str) -> float:
        """Return the share of series that foreseq forecasts better than another; a tie is half."""
        ours, theirs = self.losses(FORESEQ).series, self.losses(over).series
        judged = ~(np.isnan(ours) | np.isnan(theirs))
        wins = np.where(ours == theirs, 0.5, ours < theirs)[judged]
        return float(metrics.mean_known(wins))

    def crps(self, name: str = FORESEQ) -> float:
        """Return the CRPS as weighted quantile loss; a point forecast is all of its quantiles."""
        levels = self.levels or (MEDIAN,)
        quantiles = self.quantiles
        if name != self.probabilistic or not self.levels:
            quantiles = np.repeat(self.forecasts[name][..., None], len(levels), axis=-1)
        return metrics.weighted_quantile_loss(self.actual, quantiles, levels)

    def intervals(self) -> list[Interval]:
        """Return the central prediction intervals, the widest first."""
        bounds = [
            (low, high)
            for low, high in zip(self.levels, reversed(self.levels), strict=True)
            if low < MEDIAN and abs(low + high - 1) < ROUNDING
        ]
        return [self._interval(low, high) for low, high in bounds]

    def shares_below(self) -> list[float]:
        """Return the share of actuals below the quantile of each level."""
        lowest = np.full_like(self.actual, -np.inf)
        return [
            float(metrics.coverage(self.actual.ravel(), lowest.ravel(), bound.ravel()))
            for bound in np.moveaxis(self.quantiles, -1, 0)
        ]

    def _interval(self, low: float, high: float) -> Interval:
        lower, upper = (self.quantiles[..., self.levels.index(level)] for level in (low, high))
        series = self.windows.series
        level = round(high - low, 9)
        scores = metrics.interval_score(
            self.actual, lower, upper, level, self.seasonal_error[series]
        )
        means = metrics.series_mean(scores, series, len(self.seasonal_error))
        return Interval(
            level,
            float(metrics.coverage(self.actual.ravel(), lower.ravel(), upper.ravel())),
            float(metrics.interval_width(lower.ravel(), upper.ravel())),
            float(metrics.mean_known(means)),
        )


def backtest(forecaster: Ensemble, panel: Panel, chosen: Windows) -> Backtest:
    """Forecast windows as in production, and by every baseline; see `Backtest.answered`."""
    horizon = forecaster.experiment.dataset.horizon
    quantiles = forecaster(panel, chosen)
    return Backtest(
        windows=chosen,
        actual=windows.futures(panel, chosen, horizon),
        forecasts={
            FORESEQ: median_output(quantiles, forecaster.levels),
            **{name: baseline(panel, chosen, horizon) for name, baseline in BASELINES.items()},
        },
        quantiles=quantiles,
        seasonal_error=mase_scales(panel, chosen),
        levels=forecaster.levels,
        starts=calendar.positions(panel.starts, panel.starts.min(), panel.freq),
        season=panel.season,
        ids=tuple(panel.ids.tolist()),
    ).answered()


def mase_scales(panel: Panel, chosen: Windows) -> NDArray[np.float64]:
    """Return the seasonal naive's error before the first window of each series, shape (n_series,).

    A series without windows is measured whole.
    """
    first = panel.lengths.copy()
    np.minimum.at(first, chosen.series, chosen.cutoff)
    return metrics.seasonal_errors(panel.values, panel.observed, panel.offsets, first, panel.season)


def unseen_backtest(fitted: Bundle, panel: Panel) -> Backtest:
    """Return the backtest on the test windows that a forecaster was not trained on.

    Raises:
        DataRefused: If there is none.
    """
    experiment = fitted.experiment
    test = windows.split(panel, experiment.dataset.horizon, experiment.split).test
    state, fresh = unseen(fitted, panel, test)
    if not fresh.any():
        raise DataRefused(
            "a backtest needs windows that the forecaster was not trained on",
            found="none",
            remedy="bring newer data",
        )
    return backtest(Ensemble(experiment, state), panel, test.take(fresh))


def unseen(fitted: Bundle, panel: Panel, chosen: Windows) -> tuple[State, NDArray[np.bool_]]:
    """Return the newest weights with unseen windows, and which windows those are."""
    for state in (fitted.final, fitted.evaluated):
        fresh = chosen.cutoff >= state.seen.steps(panel)[chosen.series]
        if fresh.all():
            break
    return state, fresh


def score_table(result: Backtest) -> pd.DataFrame:
    """Return a row per forecaster: mean errors over series, and foreseq's skill over it."""
    table = pd.DataFrame({name: row._asdict() for name, row in result.scores().items()}).T
    table = table[["mase", "smape", "mae", "rmse"]].rename_axis("forecaster")
    table["crps"] = [result.crps(name) for name in table.index]
    table["skill"] = [result.skill(over=name) for name in table.index]
    return table


def per_series(result: Backtest, panel: Panel) -> pd.DataFrame:
    """Return a row per series with each forecaster's errors, and the skill, best series first."""
    position = result.windows.series
    columns: dict[str, Floats] = {}
    for name, forecast in result.forecasts.items():
        errors = metrics.per_series(result.actual, forecast, position, result.seasonal_error)
        columns |= {f"{name}_{measure}": value for measure, value in errors._asdict().items()}
    table = pd.DataFrame({"unique_id": panel.ids.astype(object), **columns})
    table["skill"] = 1 - table[f"{FORESEQ}_mae"] / table[f"{SEASONAL_NAIVE}_mae"]
    tested = table.iloc[np.unique(position)]
    return tested.sort_values("skill", ascending=False, kind="stable").reset_index(drop=True)
