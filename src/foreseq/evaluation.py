"""What a forecaster is worth: rolling origins, naive forecasts beside them, and the gate."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq import calendar, metrics, windows
from foreseq.bundle import Bundle, State
from foreseq.config import GateConfig
from foreseq.errors import DataRefused
from foreseq.forecast import Forecaster
from foreseq.metrics import Errors, Scores
from foreseq.network import middle
from foreseq.panel import Panel
from foreseq.windows import Windows

NAIVE, SEASONAL_NAIVE, FORESEQ = "naive", "seasonal_naive", "foreseq"


class Backtest(NamedTuple):
    """Forecasts beside what came, for the same windows."""

    windows: Windows
    actual: NDArray[np.float64]
    """Shape (windows, horizon); NaN where not observed."""
    forecasts: dict[str, NDArray[np.float64]]
    """By forecaster: the point forecast, shape (windows, horizon)."""
    quantiles: NDArray[np.float64]
    """Of foreseq: shape (windows, horizon, outputs)."""
    seasonal_error: NDArray[np.float64]
    """Scale of MASE, from before the first cutoff of each series, shape (n_series,)."""

    def scores(self) -> dict[str, Scores]:
        """Return the measures of every forecaster."""
        return {
            name: metrics.score(self.actual, forecast, self.windows.series, self.seasonal_error)
            for name, forecast in self.forecasts.items()
        }

    def by_horizon(self) -> dict[str, Errors]:
        """Return the measures of every forecaster for each step ahead, shape (horizon,)."""
        return {
            name: metrics.by_horizon(
                self.actual, forecast, self.windows.series, self.seasonal_error
            )
            for name, forecast in self.forecasts.items()
        }

    def on(self, chosen: NDArray[np.bool_], horizon: int) -> "Backtest":
        """Return the backtest on some windows and the first steps only."""
        return self._replace(
            windows=self.windows.take(chosen),
            actual=self.actual[chosen, :horizon],
            forecasts={name: one[chosen, :horizon] for name, one in self.forecasts.items()},
            quantiles=self.quantiles[chosen, :horizon],
        )

    def error(self, name: str) -> float:
        """Return what the gate compares: mean MASE, or MAE where no series has a MASE."""
        scores = metrics.score(
            self.actual, self.forecasts[name], self.windows.series, self.seasonal_error
        )
        return scores.mae if np.isnan(scores.mase) else scores.mase

    def skill(self, name: str = FORESEQ) -> float:
        """Return the share of the seasonal naive's error that is avoided; 0 is no better."""
        return metrics.skill(self.error(name), self.error(SEASONAL_NAIVE))


class Decision(NamedTuple):
    """What the gate said, with the numbers it said it on."""

    published: bool
    reason: str
    challenger: float
    """Error of the challenger."""
    seasonal_naive: float
    """Error of the seasonal naive on the same windows."""
    champion: float | None
    """Error of the champion on the same windows; None: there is none to beat."""


def backtest(forecaster: Forecaster, panel: Panel, chosen: Windows) -> Backtest:
    """Forecast windows on the road that production takes, and naively, beside what came."""
    horizon = forecaster.experiment.dataset.horizon
    answers = forecaster(panel, chosen)
    first = panel.lengths.copy()
    np.minimum.at(first, chosen.series, chosen.cutoff)
    return Backtest(
        windows=chosen,
        actual=windows.futures(panel, chosen, horizon),
        forecasts={
            FORESEQ: middle(answers, forecaster.experiment.network.quantiles),
            SEASONAL_NAIVE: seasonal_naive(panel, chosen, horizon),
            NAIVE: naive(panel, chosen, horizon),
        },
        quantiles=answers,
        seasonal_error=metrics.seasonal_errors(
            panel.values[:, 0], panel.observed, panel.offsets, first, panel.season
        ),
    )


def judge(challenger: Bundle, champion: Bundle | None, panel: Panel) -> tuple[Decision, Backtest]:
    """Let the gate compare two forecasters on test windows that neither has seen.

    Args:
        challenger: Its test windows are the ones.
        champion: Scored anew, never by what its own run said; None: there is none.
        panel: The newest data.

    Returns:
        The decision, and the challenger's backtest on all test windows.
    """
    experiment = challenger.experiment
    test = windows.split(panel, experiment.dataset.horizon, experiment.split).test
    tested = backtest(Forecaster(experiment, challenger.evaluated), panel, test)
    if champion is None:
        return decide(tested, None, experiment.gate), tested
    return _against(champion, tested, panel, experiment.gate), tested


def unseen_backtest(fitted: Bundle, panel: Panel) -> Backtest:
    """Return the backtest of a forecaster on those test windows of a panel that it has not seen.

    Raises:
        DataRefused: If it has seen them all.
    """
    experiment = fitted.experiment
    test = windows.split(panel, experiment.dataset.horizon, experiment.split).test
    weights, fresh = _unseen(fitted, panel, test)
    if not fresh.any():
        raise DataRefused(
            "a backtest needs windows that the forecaster was not trained on",
            found="none",
            remedy="bring newer data",
        )
    return backtest(Forecaster(experiment, weights), panel, test.take(fresh))


def forecast_alike(one: Bundle, other: Bundle) -> bool:
    """Tell whether two forecasters answer the same question: same steps, season and horizon."""
    shapes = [
        (told.freq, told.season, told.horizon)
        for told in (one.experiment.dataset, other.experiment.dataset)
    ]
    return shapes[0] == shapes[1]


def _against(champion: Bundle, tested: Backtest, panel: Panel, gate: GateConfig) -> Decision:
    """Decide on the windows that the champion, too, has not seen."""
    told = champion.experiment.dataset
    if (told.freq, told.season) != (panel.freq, panel.season):
        return decide(tested, None, gate)._replace(
            published=False,
            reason=f"the champion forecasts steps of {told.freq} with season {told.season}, these"
            f" data have {panel.freq} and {panel.season}; publish under another name",
        )
    fitted, fresh = _unseen(champion, panel, tested.windows)
    if not fresh.any():
        return decide(tested, None, gate)._replace(
            published=False,
            reason="the champion was trained on every test window, none is fair; bring newer data",
        )
    rival = Forecaster(champion.experiment, fitted)
    shared = min(told.horizon, tested.actual.shape[1])
    challenger = tested.on(fresh, shared)
    answers = rival.point(panel, challenger.windows)[:, :shared]
    return decide(challenger, challenger._replace(forecasts={FORESEQ: answers}), gate)


def _unseen(champion: Bundle, panel: Panel, chosen: Windows) -> tuple[State, NDArray[np.bool_]]:
    """Return the champion's newest weights that leave fair windows, and which windows those are."""
    cutoffs = calendar.at(panel.starts[chosen.series], chosen.cutoff - 1, panel.freq)
    for fitted in (champion.final, champion.evaluated):
        ids, last = fitted.seen
        position = np.searchsorted(ids, panel.ids[chosen.series]).clip(max=len(ids) - 1)
        known = ids[position] == panel.ids[chosen.series]
        fresh = ~known | (last[position].astype(cutoffs.dtype) <= cutoffs)
        if fresh.all():
            break
    return fitted, fresh


def naive(panel: Panel, chosen: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the last observed value for every step, shape (windows, horizon)."""
    return np.repeat(_newest_seasons(panel, chosen, 1), horizon, axis=1)


def seasonal_naive(panel: Panel, chosen: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the value of one season before for every step, shape (windows, horizon).

    Where it was not observed, the season before that answers, and at last the newest value.

    Example:
        >>> from foreseq.panel import from_series
        >>> panel = from_series({"a": [1.0, 2.0, 3.0, 4.0, 5.0]}, freq="1", season=2)
        >>> seasonal_naive(panel, Windows(np.array([0]), np.array([5])), 3).tolist()
        [[4.0, 5.0, 4.0]]
    """
    season = _newest_seasons(panel, chosen, panel.season)
    season = np.where(np.isnan(season), _newest_seasons(panel, chosen, 1), season)
    return season[:, np.arange(horizon) % panel.season]


def decide(challenger: Backtest, champion: Backtest | None, gate: GateConfig) -> Decision:
    """Decide whether the challenger may take the champion's place.

    Args:
        challenger: Its backtest.
        champion: The champion's on the same windows; None: there is no champion.
        gate: What must be shown.
    """
    error, reference = challenger.error(FORESEQ), challenger.error(SEASONAL_NAIVE)
    skill = metrics.skill(error, reference)
    rival = None if champion is None else champion.error(FORESEQ)
    if not skill > gate.min_skill:
        reason = f"skill over the seasonal naive is {skill:.3f}, needed is above {gate.min_skill:g}"
    elif rival is not None and not error < rival * (1 - gate.margin):
        reason = f"error {error:.4f} does not beat the champion's {rival:.4f}"
    else:
        beaten = "" if rival is None else f" and the champion's {rival:.4f}"
        return Decision(
            True, f"error {error:.4f} beats the seasonal naive's {reference:.4f}{beaten}",
            error, reference, rival,
        )  # fmt: skip
    return Decision(False, reason, error, reference, rival)


def per_series(result: Backtest, panel: Panel) -> pd.DataFrame:
    """Return a row per series with each forecaster's errors, and the skill, best series first."""
    position = result.windows.series
    columns: dict[str, NDArray[np.float64]] = {}
    for name, forecast in result.forecasts.items():
        errors = metrics.per_series(result.actual, forecast, position, result.seasonal_error)
        columns |= {f"{name}_{measure}": value for measure, value in errors._asdict().items()}
    table = pd.DataFrame({"unique_id": panel.ids.astype(object), **columns})
    table["skill"] = 1 - table[f"{FORESEQ}_mae"] / table[f"{SEASONAL_NAIVE}_mae"]
    tested = table.iloc[np.unique(position)]
    return tested.sort_values("skill", ascending=False, kind="stable").reset_index(drop=True)


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
