"""The gate: a challenger is published if it beats the baselines and the champion significantly."""

from typing import NamedTuple

import numpy as np

from foreseq.config import GateConfig
from foreseq.evaluation.backtest import FORESEQ, Backtest, Losses, backtest, unseen
from foreseq.evaluation.baselines import HISTORIC_MEDIAN, NAIVE, SEASONAL_NAIVE
from foreseq.evaluation.bootstrap import confidence
from foreseq.evaluation.decision import CHALLENGER, CHAMPION, Decision, percent
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel

NAMES = {SEASONAL_NAIVE: "seasonal naive", NAIVE: "naive", HISTORIC_MEDIAN: "historic median"}


class _Comparison(NamedTuple):
    """The challenger against one other forecaster."""

    other: str
    error: float
    """Of the other."""
    min_gain: float
    """Share of that error by which the challenger must be better."""
    confidence: float

    @property
    def name(self) -> str:
        return NAMES.get(self.other, self.other)


def judge(
    challenger: Bundle, champion: Bundle | None, panel: Panel, tested: Backtest | None = None
) -> tuple[Decision, Backtest]:
    """Compare a challenger with baselines and champion on test windows that neither has seen.

    Args:
        challenger: Its test windows are used.
        champion: Backtested anew, never trusted by what its own run logged; None: there is none.
        panel: The newest data.
        tested: The challenger's backtest on all its test windows, if it is known.

    Returns:
        The decision, and the challenger's backtest on all test windows.
    """
    experiment = challenger.experiment
    if tested is None:
        test = windows.split(panel, experiment.dataset.horizon, experiment.split).test
        tested = backtest(Ensemble(experiment, challenger.evaluated), panel, test)
    if champion is None:
        return decide(tested, None, experiment.gate), tested
    return _against(champion, tested, panel, experiment.gate), tested


def decide(challenger: Backtest, champion: Backtest | None, gate: GateConfig) -> Decision:
    """Decide whether a challenger becomes champion.

    It must beat, each with the required confidence, the seasonal naive, the naive, the historic
    median (on noise any constant beats the seasonal naive) and the champion. A challenger without a
    finite error on everything observed is rejected.

    Args:
        challenger: Its backtest.
        champion: The champion's on the same windows; None: there is no champion.
        gate: What is required.
    """
    ours = challenger.losses(FORESEQ)
    comparisons = [
        _compare(name, ours, challenger.losses(name), gate.min_skill)
        for name in (SEASONAL_NAIVE, NAIVE, HISTORIC_MEDIAN)
    ]
    if champion is not None:
        comparisons.append(_compare(CHAMPION, ours, champion.losses(FORESEQ), gate.margin))
    lost = [one for one in comparisons if not one.confidence >= gate.confidence]
    series, many, steps = (int((~np.isnan(part)).sum()) for part in reversed(ours))
    counts = f"{series} series, {many} window{'s' * (many != 1)}, {steps} observations"
    error = f"{challenger.measure} {ours.mean:.4f}"
    if lost:
        reason = f"{error} {_rejection(lost[0], gate.confidence, counts)}"
    else:
        reason = f"{error} {_approval(comparisons, counts)}"
    return Decision(
        published=not lost,
        reason=reason,
        scores={CHALLENGER: ours.mean, **{one.other: one.error for one in comparisons}},
        confidence=min(one.confidence for one in comparisons),
        series=series,
        windows=many,
        steps=steps,
    )


def forecast_alike(one: Bundle, other: Bundle) -> bool:
    """Return whether two forecasters have the same frequency, season and horizon."""
    shapes = [
        (dataset.freq, dataset.season, dataset.horizon)
        for dataset in (one.experiment.dataset, other.experiment.dataset)
    ]
    return shapes[0] == shapes[1]


def is_ahead(bundle: Bundle, panel: Panel) -> bool:
    """Return whether a forecaster was trained on later steps of the series than the panel has."""
    ends = calendar.at(panel.starts, panel.lengths - 1, panel.freq)
    seen = bundle.final.seen
    last = seen.last[np.isin(seen.ids, panel.ids)]
    return last.size > 0 and last.dtype.kind == ends.dtype.kind and bool(last.max() > ends.max())


def _against(champion: Bundle, tested: Backtest, panel: Panel, gate: GateConfig) -> Decision:
    """Decide on the windows that the champion has not seen either."""
    dataset = champion.experiment.dataset
    without = decide(tested, None, gate)
    if (dataset.freq, dataset.season) != (panel.freq, panel.season):
        return _refuse(
            without,
            f"the champion forecasts frequency {dataset.freq} with season {dataset.season}, these"
            f" data have {panel.freq} and {panel.season}; publish under another name",
        )
    if is_ahead(champion, panel):
        return _refuse(
            without,
            "the champion was trained on later data than these; a forecaster of older data does not"
            " replace it",
        )
    state, fresh = unseen(champion, panel, tested.windows)
    if not fresh.any():
        return _refuse(
            without,
            "the champion was trained on every test window, so none is fair; bring newer data",
        )
    ensemble = Ensemble(champion.experiment, state)
    shared = min(dataset.horizon, tested.actual.shape[1])
    challenger = tested.on(fresh, shared)
    forecasts = ensemble.point(panel, challenger.windows)[:, :shared]
    return decide(challenger, challenger._replace(forecasts={FORESEQ: forecasts}), gate)


def _refuse(decision: Decision, reason: str) -> Decision:
    return decision._replace(published=False, reason=reason)


def _compare(other: str, ours: Losses, theirs: Losses, min_gain: float) -> _Comparison:
    return _Comparison(other, theirs.mean, min_gain, confidence(ours, theirs, min_gain))


def _approval(comparisons: list[_Comparison], counts: str) -> str:
    sure = percent(min(one.confidence for one in comparisons))
    beaten = " and ".join(
        f"{one.name} {one.error:.4f}"
        for one in comparisons
        if one.other in (SEASONAL_NAIVE, CHAMPION)
    )
    return f"vs {beaten} (confidence {sure}; {counts})"


def _rejection(lost: _Comparison, required: float, counts: str) -> str:
    gain = f" of {100 * lost.min_gain:g}%" if lost.min_gain else ""
    return (
        f"vs {lost.name} {lost.error:.4f} is not a significant improvement{gain}"
        f" (confidence {percent(lost.confidence)}, required {100 * required:g}%; {counts})"
    )
