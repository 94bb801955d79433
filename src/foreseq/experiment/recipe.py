"""One experiment from panel to bundle: choose, fit, calibrate, test once, refit with everything."""

import time
from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import NamedTuple

import numpy as np

from foreseq.config import ExperimentConfig, ResolvedExperiment, change
from foreseq.durable.resume import ResumeLog
from foreseq.evaluation.backtest import Backtest, backtest
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle, Origin
from foreseq.forecasting.ensemble import Ensemble, calibrate
from foreseq.selection.choose import choose
from foreseq.selection.search import Candidate
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Split
from foreseq.training import fitting, pretrained, workers
from foreseq.training.fitting import Progress, Task
from foreseq.training.loop import Fitted

Report = Callable[[str, Progress], None]
"""Called after each validation with the stage, `fit` or `refit`, and where training is."""


class Outcome(NamedTuple):
    """A trained and tested forecaster."""

    bundle: Bundle
    backtest: Backtest
    """On the test windows, read once, after the last choice was made."""
    members: list[Fitted]
    """With their training curves."""
    seconds: float = nan
    """Of fit, test and refit by the clock; of a resumed training, of what was left."""


def train(
    experiment: ExperimentConfig,
    panel: Panel,
    *,
    folder: Path | None = None,
    candidate: Callable[[Candidate], None] = lambda _: None,
    report: Report = lambda _stage, _progress: None,
) -> Outcome:
    """Choose what is open, then fit and test.

    Args:
        experiment: What to do.
        panel: The data.
        folder: Where to keep unfinished work and to resume from; None: nowhere.
        candidate: Called after each short training of the search.
        report: Called after each validation.

    Raises:
        SeriesTooShort: If no series has a window to train, validate and test on.
    """
    log = ResumeLog(folder and folder / "search.json")
    chosen = choose(experiment, panel, log=log, report=candidate)
    return fit(chosen.experiment, panel, chosen.split, checkpoint=folder, report=report)


def fit(
    experiment: ResolvedExperiment,
    panel: Panel,
    split: Split,
    *,
    checkpoint: Path | None = None,
    report: Report = lambda _stage, _progress: None,
) -> Outcome:
    """Fit, calibrate and test a forecaster, then refit it with all observations.

    Args:
        experiment: What to train.
        panel: The data; their season is that of the experiment.
        split: Their windows by purpose.
        checkpoint: Folder to keep the state of training in, and to resume from.
        report: Called after each validation.
    """
    begun = time.monotonic()
    panel = replace(panel, season=experiment.dataset.season)
    members = workers.fit(
        Task(
            panel,
            split.train_ends,
            split.validation,
            experiment.training.max_steps,
            pretrained.start(experiment),
        ),
        experiment,
        checkpoint=checkpoint and checkpoint / "fit",
        report=lambda progress: report("fit", progress),
    )
    evaluated = bundle.state(panel, split.train_ends, members)
    calibration = calibrate(Ensemble(experiment, evaluated), panel, split.validation)
    evaluated = evaluated._replace(calibration=calibration)
    tested = backtest(Ensemble(experiment, evaluated), panel, split.test)
    final = evaluated
    if experiment.training.refit:
        refitted, steps = members, _refit_steps(members)
        if steps:
            start = tuple(member.weights for member in members)
            refitted = workers.fit(
                Task(panel, panel.lengths, None, steps, start),
                experiment,
                checkpoint=checkpoint and checkpoint / "refit",
                report=lambda progress: report("refit", progress),
            )
        final = bundle.state(panel, panel.lengths, refitted)._replace(calibration=calibration)
    workers.shutdown()
    best = tuple(member.best_step for member in members)
    origin = Origin(data=panel.fingerprint(), steps=best)
    seconds = time.monotonic() - begun
    return Outcome(Bundle(experiment, origin, evaluated, final), tested, members, seconds)


def cross_validate(
    experiment: ResolvedExperiment,
    panel: Panel,
    n_windows: int,
    step_size: int | None = None,
    *,
    report: Report = lambda _stage, _progress: None,
) -> Backtest:
    """Fit once with what came before the newest windows, and forecast these.

    Nothing is chosen anew: what the experiment says was chosen before, perhaps with the older of
    these windows in validation.

    Args:
        experiment: What to train.
        panel: The data.
        n_windows: Windows of each series.
        step_size: Time steps from one cutoff to the next; None: the horizon.
        report: Called after each validation.

    Raises:
        SeriesTooShort: If too little is left to train and validate on.
    """
    stride = step_size or experiment.dataset.horizon
    plan = {"split.test_windows": n_windows, "split.stride": stride, "training.refit": False}
    changed = change(experiment, plan)
    split = windows.split(panel, changed.dataset.horizon, changed.split)
    return fit(changed, panel, split, report=report).backtest


def _refit_steps(members: list[Fitted]) -> int:
    """Return the steps of the refit, which has no validation windows left to stop by."""
    best = float(np.median([member.best_step for member in members]))
    return max(1, int(fitting.REFIT_SHARE * best)) if best else 0
