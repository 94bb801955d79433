"""The gate: a forecaster is published when it beats others on equal windows, beyond luck."""

from typing import NamedTuple

import numpy as np

from foreseq.config import GateConfig
from foreseq.evaluation.backtest import FORESEQ, Backtest, Losses, backtest, unseen
from foreseq.evaluation.baselines import LEVEL, NAIVE, SEASONAL_NAIVE
from foreseq.evaluation.bootstrap import confidence
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.ensemble import Forecaster
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel

CHAMPION = "champion"
TOLD = {SEASONAL_NAIVE: "seasonal naive", LEVEL: "median of the past"}


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
    naive: float | None = None
    """Error of repeating the last value, on the same windows."""
    level: float | None = None
    """Error of the median of the past, on the same windows."""
    confidence: float = 0.0
    """That the challenger beats the rival it beats least surely."""
    series: int = 0
    """Series that were compared."""
    windows: int = 0
    """Windows that were compared."""
    steps: int = 0
    """Observations that were compared."""


class _Duel(NamedTuple):
    """The challenger against one rival."""

    rival: str
    error: float
    share: float
    """Of the rival's error, what must be avoided at least."""
    confidence: float


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


def decide(challenger: Backtest, champion: Backtest | None, gate: GateConfig) -> Decision:
    """Decide whether the challenger may take the champion's place.

    It must beat, each with the confidence asked for, the seasonal naive, the naive, the median of
    the past (nobody foresees noise, yet on noise any constant beats the seasonal naive) and the
    champion. A challenger without a finite error on everything observed never wins.

    Args:
        challenger: Its backtest.
        champion: The champion's on the same windows; None: there is no champion.
        gate: What must be shown.
    """
    duels = _duels(challenger, champion, gate)
    lost = [duel for duel in duels if not duel.confidence >= gate.confidence]
    errors = {duel.rival: duel.error for duel in duels}
    ours = challenger.losses(FORESEQ)
    error = ours.mean
    series, many, steps = (int((~np.isnan(part)).sum()) for part in reversed(ours))
    on = f"on {series} series, {many} window{'s' * (many != 1)}, {steps} observations"
    return Decision(
        published=not lost,
        reason=f"{_blame(lost[0], error, gate) if lost else _praise(duels, error)} {on}",
        challenger=error,
        seasonal_naive=errors[SEASONAL_NAIVE],
        champion=errors.get(CHAMPION),
        naive=errors.get(NAIVE),
        level=errors.get(LEVEL),
        confidence=min(duel.confidence for duel in duels),
        series=series,
        windows=many,
        steps=steps,
    )


def forecast_alike(one: Bundle, other: Bundle) -> bool:
    """Tell whether two forecasters answer the same question: same steps, season and horizon."""
    shapes = [
        (told.freq, told.season, told.horizon)
        for told in (one.experiment.dataset, other.experiment.dataset)
    ]
    return shapes[0] == shapes[1]


def is_ahead(fitted: Bundle, panel: Panel) -> bool:
    """Tell whether a forecaster has learned of a panel's series what came after its newest step."""
    ends = calendar.at(panel.starts, panel.lengths - 1, panel.freq)
    seen = fitted.final.seen
    last = seen.last[np.isin(seen.ids, panel.ids)]
    return last.size > 0 and last.dtype.kind == ends.dtype.kind and bool(last.max() > ends.max())


def _against(champion: Bundle, tested: Backtest, panel: Panel, gate: GateConfig) -> Decision:
    """Decide on the windows that the champion, too, has not seen."""
    told = champion.experiment.dataset
    if (told.freq, told.season) != (panel.freq, panel.season):
        return decide(tested, None, gate)._replace(
            published=False,
            reason=f"the champion forecasts steps of {told.freq} with season {told.season}, these"
            f" data have {panel.freq} and {panel.season}; publish under another name",
        )
    if is_ahead(champion, panel):
        return decide(tested, None, gate)._replace(
            published=False,
            reason="the champion has learned from later data than these; an older interval does"
            " not replace it",
        )
    fitted, fresh = unseen(champion, panel, tested.windows)
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


def _duels(challenger: Backtest, champion: Backtest | None, gate: GateConfig) -> list[_Duel]:
    ours = challenger.losses(FORESEQ)
    duels = [
        _duel(name, ours, challenger.losses(name), gate.min_skill)
        for name in (SEASONAL_NAIVE, NAIVE, LEVEL)
    ]
    if champion is not None:
        duels.append(_duel(CHAMPION, ours, champion.losses(FORESEQ), gate.margin))
    return duels


def _duel(rival: str, ours: Losses, theirs: Losses, share: float) -> _Duel:
    return _Duel(rival, theirs.mean, share, confidence(ours, theirs, share))


def _praise(duels: list[_Duel], error: float) -> str:
    sure = min(duel.confidence for duel in duels)
    beaten = " and ".join(
        f"the {_told(duel)}'s {duel.error:.4f}"
        for duel in duels
        if duel.rival in (SEASONAL_NAIVE, CHAMPION)
    )
    return f"error {error:.4f} beats {beaten}, {sure:.1%} sure"


def _blame(lost: _Duel, error: float, gate: GateConfig) -> str:
    aim = f" by {lost.share:.1%}" if lost.share else ""
    verdict = "not shown to beat" if lost.rival == CHAMPION else "no skill: not shown to beat"
    return (
        f"{verdict} the {_told(lost)}{aim}, error {error:.4f} against {lost.error:.4f},"
        f" {lost.confidence:.1%} sure where {gate.confidence:.1%} is needed,"
    )


def _told(duel: _Duel) -> str:
    return TOLD.get(duel.rival, duel.rival)
