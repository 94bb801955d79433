"""Studies of `foreseq tune`: one run for the study, within it one for each trial."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from foreseq.config import ResolvedExperiment
from foreseq.selection.tuning import Best, Trial
from foreseq.series.panel import Panel
from foreseq.tracking import runs
from foreseq.tracking.runs import Run
from foreseq.training.fitting import Progress

STUDY, TRIAL, PARENT = "study", "study.trial", "mlflow.parentRunId"
"""Tags: the study of a run, the number of a trial, and MLflow's own for a nested run."""
ERROR = "tune/validation"
"""Metric: the least validation error."""


@dataclass(frozen=True)
class TrialRun:
    """The run of one trial."""

    run: Run

    def report(self, stage: str, progress: Progress) -> None:
        """Log one look at the training."""
        self.run.report(stage, progress)

    def conclude(self, trial: Trial) -> None:
        """Log how it ended."""
        self.run.save_number(ERROR, trial.error)
        self.run.tag({"pruned": str(trial.pruned).lower()})


@contextmanager
def study(name: str, experiment: ResolvedExperiment, panel: Panel) -> Iterator[Run]:
    """Yield the run of one call of a study; its trials are nested in it."""
    with runs.run(experiment, panel, tags={STUDY: name}, name=f"study {name}") as run:
        yield run


@contextmanager
def trial(
    parent: Run, name: str, panel: Panel, number: int, experiment: ResolvedExperiment
) -> Iterator[TrialRun]:
    """Yield the run of one trial, within that of its study."""
    tags = {STUDY: name, TRIAL: str(number), PARENT: parent.id}
    with runs.run(experiment, panel, tags=tags, name=f"{name} trial {number}") as run:
        yield TrialRun(run)


def save_best(run: Run, best: Best, config: str) -> None:
    """Log the best trial with its study: what it tried, its error, and the config to run."""
    run.save_number(ERROR, best.error)
    values = {f"best.{field}": str(value) for field, value in best.values.items()}
    run.tag({"best.trial": str(best.number), **values})
    run.save_text(config, "best.yaml")
