"""The gate: a challenger is published if it beats the baselines and the champion significantly."""

from typing import NamedTuple

import numpy as np

from foreseq.config import GateConfig
from foreseq.evaluation.backtest import (
    FORESEQ,
    MOST_UNANSWERED,
    Backtest,
    Losses,
    backtest,
    unseen,
)
from foreseq.evaluation.baselines import HISTORIC_MEDIAN, NAIVE, SEASONAL_NAIVE
from foreseq.evaluation.decision import CHALLENGER, CHAMPION, Decision, percent
from foreseq.evaluation.significance import MOST_PERIODS, Units, confidence, units_of
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel

UNKNOWN = 0.5
"""Confidence of a lower error on a single period."""
MOST_NAMED = 3
"""Series that a reason names."""
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
    median (on noise any constant beats the seasonal naive) and the champion. Windows that it or the
    champion does not answer are left out for all, unless they are too many. A challenger without a
    finite error on everything else observed is rejected.

    Args:
        challenger: Its backtest.
        champion: The champion's on the same windows; None: there is no champion.
        gate: What is required.
    """
    others = dict.fromkeys((SEASONAL_NAIVE, NAIVE, HISTORIC_MEDIAN), gate.min_skill)
    tested = challenger
    if champion is not None:
        others[CHAMPION] = gate.margin
        forecasts = {**challenger.forecasts, CHAMPION: champion.forecasts[FORESEQ]}
        tested = challenger._replace(forecasts=forecasts).answered(CHAMPION)
    tested = tested.answered()
    ours, units = tested.losses(FORESEQ), units_of(tested)
    known = ~np.isnan(ours.windows)
    comparisons = [
        _compare(name, ours, tested.losses(name), units, min_gain)
        for name, min_gain in others.items()
    ]
    series, many, steps = (int((~np.isnan(part)).sum()) for part in reversed(ours))
    decision = Decision(
        published=all(one.confidence >= gate.confidence for one in comparisons),
        reason="",
        scores={CHALLENGER: ours.mean, **{one.other: one.error for one in comparisons}},
        confidence=min(one.confidence for one in comparisons),
        series=series,
        windows=many,
        periods=units.take(known).periods if known.any() else 0,
        steps=steps,
    )
    if tested.lacks().any():
        return _refuse(decision, _unanswered(tested))
    lower = all(one.confidence >= UNKNOWN for one in comparisons)
    unproven = decision.periods < MOST_PERIODS and lower and not decision.published
    published = decision.published or (unproven and gate.unproven == "publish")
    reason = _reason(decision, comparisons, gate, f"{tested.measure} {ours.mean:.4f}", unproven)
    if tested.unanswered:
        reason += f"; left out for want of a forecast: windows of {_named(tested)}"
    return decision._replace(published=published, reason=reason)


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


def _compare(
    other: str, ours: Losses, theirs: Losses, units: Units, min_gain: float
) -> _Comparison:
    return _Comparison(other, theirs.mean, min_gain, confidence(ours, theirs, units, min_gain))


def _reason(
    decision: Decision, comparisons: list[_Comparison], gate: GateConfig, error: str, unproven: bool
) -> str:
    windows, periods = (
        f"{count} {noun}{'s' * (count != 1)}"
        for count, noun in ((decision.windows, "window"), (decision.periods, "period"))
    )
    counts = f"{decision.series} series, {windows} in {periods}, {decision.steps} observations"
    lost = next((one for one in comparisons if not one.confidence >= gate.confidence), None)
    if lost is None:
        sure = percent(min(one.confidence for one in comparisons))
        beaten = " and ".join(
            f"the {one.name}'s {one.error:.4f}"
            for one in comparisons
            if one.other in (SEASONAL_NAIVE, CHAMPION)
        )
        return f"{error} is lower than {beaten}, with a confidence of {sure} ({counts})"
    versus = f"{error} vs {lost.name} {lost.error:.4f}"
    gain = f" of {100 * lost.min_gain:g}%" if lost.min_gain else ""
    sure = f"confidence {percent(lost.confidence)}, required {100 * gate.confidence:g}%"
    if not unproven:
        return f"{versus} is not a significant improvement{gain} ({sure}; {counts})"
    if gate.unproven == "publish":
        return f"{versus} is lower, but not proven ({sure}; {counts}); see gate.unproven"
    shown = "a single period of test windows shows no confidence"
    if decision.periods > 1:
        shown = f"{sure}; so few periods show no more"
    return (
        f"{versus} is lower, but not proven: {shown} ({counts}); raise split.test_windows until"
        " they span more horizons and seasons, bring a longer history, or set"
        " gate.unproven=publish"
    )


def _unanswered(tested: Backtest) -> str:
    lacking = tested.lacks()
    series = tuple(np.unique(tested.windows.series[lacking]).tolist())
    return (
        f"{lacking.sum()} of {tested.windows.count} test windows have no forecast, at most"
        f" {MOST_UNANSWERED:.0%} may lack one: {_named(tested._replace(unanswered=series))}"
    )


def _named(tested: Backtest) -> str:
    """Return the series of which windows were not answered."""
    names = [tested.ids[one] if tested.ids else str(one) for one in tested.unanswered]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"series {', '.join(names[:MOST_NAMED])}{more}"
