"""Prove, on the user's own data and config, what a forecast's worth stands on."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from foreseq import evaluation
from foreseq.config import ResolvedExperiment, change
from foreseq.evaluation import Backtest
from foreseq.evaluation.contracts import ALONE, Answer, altered, same_rows
from foreseq.experiment.recipe import fit
from foreseq.forecasting.ensemble import Forecaster
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

STEPS = 200
"""Batches learned from at most: a leak shows in the first of them."""
SEED = 1


Learn = Callable[[ResolvedExperiment, Panel], tuple[Answer, Backtest]]
"""Trains on all data; returns what forecasts, and its backtest on the test windows."""


class Finding(NamedTuple):
    """One thing looked at."""

    name: str
    holds: bool
    message: str


def learn(experiment: ResolvedExperiment, panel: Panel) -> tuple[Answer, Backtest]:
    """Fit one member for a few steps, on the road that every experiment takes."""
    steps = min(experiment.training.max_steps, STEPS)
    short = change(
        experiment,
        {"training.max_steps": steps, "training.members": 1, "training.refit": False},
    )
    split = windows.split(panel, experiment.dataset.horizon, experiment.split)
    outcome = fit(short, panel, split)
    return Forecaster(outcome.bundle.experiment, outcome.bundle.evaluated), outcome.backtest


def verify(experiment: ResolvedExperiment, panel: Panel, learn: Learn = learn) -> Iterator[Finding]:
    """Look at one thing after the other; each but the second trains anew.

    Args:
        experiment: What to verify.
        panel: The data.
        learn: What is looked at.

    Raises:
        SeriesTooShort: If no series has a window to train, validate and test on.
    """
    test = windows.split(panel, experiment.dataset.horizon, experiment.split).test
    answer, _ = learn(experiment, panel)
    yield _does_not_look_ahead(experiment, panel, test, learn, answer)
    yield _answers_each_window_alone(answer, panel, test)
    yield _finds_nothing_in_noise(experiment, panel, learn)


def shuffled(panel: Panel) -> Panel:
    """Return the panel with the observed values of each series in random order."""
    rng = np.random.default_rng(SEED)
    values = np.array(panel.values)
    for start, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
        seen = start + np.flatnonzero(panel.observed[start:end])
        values[seen] = values[rng.permutation(seen)]
    return replace(panel, values=values)


def _does_not_look_ahead(
    experiment: ResolvedExperiment, panel: Panel, test: Windows, learn: Learn, answer: Answer
) -> Finding:
    """Everything after a cutoff may change: neither training nor forecast may notice."""
    _, first = np.unique(test.series, return_index=True)
    chosen = test.take(first)  # cutoffs ascend within a series
    other = altered(panel, chosen)
    again, _ = learn(experiment, other)
    alike = same_rows(answer(panel, chosen), again(other, chosen))
    message = (
        f"{alike.sum()} of {chosen.count} forecasts unmoved when all that came later was altered"
    )
    return Finding("no look-ahead", bool(alike.all()), message)


def _answers_each_window_alone(answer: Answer, panel: Panel, test: Windows) -> Finding:
    whole = answer(panel, test)
    backwards = answer(panel, test.take(slice(None, None, -1)))[::-1]
    alike = same_rows(whole, backwards)
    for row in range(min(ALONE, test.count)):
        alike[row] &= same_rows(
            whole[row : row + 1], answer(panel, test.take(slice(row, row + 1)))
        )[0]
    message = f"{alike.sum()} of {test.count} forecasts the same in any order and number"
    return Finding("no window depends on another", bool(alike.all()), message)


def _finds_nothing_in_noise(experiment: ResolvedExperiment, panel: Panel, learn: Learn) -> Finding:
    _, tested = learn(experiment, shuffled(panel))
    decision = evaluation.decide(tested, None, experiment.gate)
    message = f"with values in random order: {decision.reason}"
    return Finding("no skill on shuffled values", not decision.published, message)
