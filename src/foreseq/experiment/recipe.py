"""One experiment from panel to bundle: settle, fit, test once, fit again with everything."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from foreseq import evaluation
from foreseq.config import ExperimentConfig, settled
from foreseq.evaluation import Backtest
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle, Origin
from foreseq.forecasting.ensemble import Forecaster, calibrate
from foreseq.selection import rules
from foreseq.selection.rules import Choice
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.training import fitting, workers
from foreseq.training.fitting import Member, Progress, Task


class Outcome(NamedTuple):
    """What an experiment brought."""

    bundle: Bundle
    backtest: Backtest
    """On the test windows, read once, after the last choice was made."""
    choices: list[Choice]
    """What was left open, and how it was decided."""
    members: list[Member]
    """With their curves."""


def conduct(
    experiment: ExperimentConfig,
    panel: Panel,
    *,
    checkpoint: Path | None = None,
    report: Callable[[str, Progress], None] = lambda _stage, _progress: None,
) -> Outcome:
    """Train and test a forecaster.

    Args:
        experiment: What to do; fields left open are chosen from the training span.
        panel: The data.
        checkpoint: Folder to keep the state of training in, and to resume from.
        report: Told the stage, `fit` or `refit`, and where it is.

    Raises:
        SeriesTooShort: If no series has a window to train, validate and test on.
    """
    plan, choices = rules.settle(experiment, panel)
    steps = settled(plan.training.steps)
    parts = windows.split(panel, plan.dataset.horizon, plan.split)
    members = workers.fit(
        Task(panel, parts.train_ends, parts.validation, steps),
        plan,
        checkpoint=checkpoint and checkpoint / "fit",
        report=lambda progress: report("fit", progress),
    )
    evaluated = bundle.state(panel, parts.train_ends, members)
    held_back = calibrate(Forecaster(plan, evaluated), panel, parts.validation)
    evaluated = evaluated._replace(calibration=held_back)
    tested = evaluation.backtest(Forecaster(plan, evaluated), panel, parts.test)
    final = evaluated
    if plan.training.refit:
        again, on = members, _steps_on(members)
        if on:
            start = tuple(member.weights for member in members)
            again = workers.fit(
                Task(panel, panel.lengths, None, on, start),
                plan,
                checkpoint=checkpoint and checkpoint / "refit",
                report=lambda progress: report("refit", progress),
            )
        final = bundle.state(panel, panel.lengths, again)._replace(calibration=held_back)
    workers.dismiss()
    best = tuple(member.best_step for member in members)
    return Outcome(
        Bundle(plan, Origin(data=panel.fingerprint(), steps=best), evaluated, final),
        tested,
        choices,
        members,
    )


def _steps_on(members: list[Member]) -> int:
    """Return how long to learn on where no validation windows are left to tell."""
    best = float(np.median([member.best_step for member in members]))
    return max(1, int(fitting.ON * best)) if best else 0
