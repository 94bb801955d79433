"""Checks, on the user's own data and config, that a backtest can be trusted."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from foreseq.config import ExperimentConfig, ResolvedExperiment, change
from foreseq.evaluation import gate
from foreseq.evaluation.backtest import Backtest
from foreseq.evaluation.contracts import ForecastFunction, altered, independent, same_rows
from foreseq.experiment.recipe import fit
from foreseq.forecasting.ensemble import Ensemble
from foreseq.selection.choose import Chosen, by_rules
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

MAX_STEPS = 200
"""Of training: a leak shows in the first of them."""
SEED = 1

Choose = Callable[[ExperimentConfig, Panel], Chosen]
"""Makes the choices that an experiment leaves open."""
Fit = Callable[[ResolvedExperiment, Panel], tuple[ForecastFunction, Backtest]]
"""Trains on a panel; returns the forecaster and its backtest on the test windows."""


class Finding(NamedTuple):
    """The result of one check."""

    name: str
    holds: bool
    message: str


def fit_briefly(experiment: ResolvedExperiment, panel: Panel) -> tuple[ForecastFunction, Backtest]:
    """Fit one member for a few steps, in the same way as every experiment."""
    steps = min(experiment.training.max_steps, MAX_STEPS)
    short = change(
        experiment,
        {"training.max_steps": steps, "training.members": 1, "training.refit": False},
    )
    split = windows.split(panel, experiment.dataset.horizon, experiment.split)
    outcome = fit(short, panel, split)
    return Ensemble(outcome.bundle.experiment, outcome.bundle.evaluated), outcome.backtest


def verify(
    experiment: ExperimentConfig,
    panel: Panel,
    fit: Fit = fit_briefly,
    choose: Choose = by_rules,
) -> Iterator[Finding]:
    """Yield the result of each check; the second and the last one train anew.

    Args:
        experiment: What to check.
        panel: The data.
        fit: Trains.
        choose: Chooses what the experiment leaves open.

    Raises:
        SeriesTooShort: If no series has a window to train, validate and test on.
    """
    test = windows.split(panel, experiment.dataset.horizon, experiment.split).test
    resolved = choose(experiment, panel).experiment
    again = choose(experiment, altered(panel, test, resolved.dataset.horizon)).experiment
    yield _no_later_choice(resolved, again)
    panel = replace(panel, season=resolved.dataset.season)
    forecast, _ = fit(resolved, panel)
    yield _no_look_ahead(resolved, panel, test, fit, forecast)
    same = independent(forecast, panel, test, forecast(panel, test))
    message = f"{same.sum()} of {test.count} forecasts are the same in any order and number"
    yield Finding("no window depends on another", bool(same.all()), message)
    _, tested = fit(resolved, shuffled(panel))
    strict = resolved.gate.model_copy(update={"unproven": "reject"})
    decision = gate.decide(tested, None, strict)
    message = f"with values in random order: {decision.reason}"
    yield Finding("no skill on shuffled values", not decision.published, message)


def shuffled(panel: Panel) -> Panel:
    """Return the panel with the observed values of each series in random order."""
    rng = np.random.default_rng(SEED)
    values = np.array(panel.values)
    for start, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
        seen = start + np.flatnonzero(panel.observed[start:end])
        values[seen] = values[rng.permutation(seen)]
    return replace(panel, values=values)


def _no_later_choice(resolved: ResolvedExperiment, again: ResolvedExperiment) -> Finding:
    """Compare the choices with those made where all after each first cutoff was altered."""
    changed = [
        f"{section}.{name}"
        for section in ("dataset", "network", "training", "split")
        for name, value in getattr(resolved, section)
        if value != getattr(getattr(again, section), name)
    ]
    message = f"{', '.join(changed) or 'nothing'} changed when all later data were altered"
    return Finding("no choice by later data", not changed, message)


def _no_look_ahead(
    experiment: ResolvedExperiment,
    panel: Panel,
    test: Windows,
    fit: Fit,
    forecast: ForecastFunction,
) -> Finding:
    """Alter everything after each series' first cutoff, train again, compare the forecasts."""
    _, first = np.unique(test.series, return_index=True)
    firsts = test.take(first)  # cutoffs ascend within a series
    other = altered(panel, firsts, experiment.dataset.horizon)
    again, _ = fit(experiment, other)
    same = same_rows(forecast(panel, firsts), again(other, firsts))
    message = f"{same.sum()} of {firsts.count} forecasts unchanged when all later data were altered"
    return Finding("no look-ahead", bool(same.all()), message)
