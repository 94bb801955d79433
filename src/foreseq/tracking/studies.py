"""The runs of `foreseq tune`: one for the study, with one nested in it for each trial."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from foreseq.config import ResolvedExperiment
from foreseq.selection.tuning import Best, Trial
from foreseq.series.panel import Panel
from foreseq.tracking import forecaster
from foreseq.tracking.run import Measure, Run
from foreseq.training.fitting import Progress

STUDY, TRIAL, PARENT = "study", "study.trial", "mlflow.parentRunId"
"""Tags: the study of a run, the number of a trial, and MLflow's tag of a nested run."""
ERROR = "tune/validation"
"""Metric: the lowest validation error."""


@dataclass(frozen=True)
class TrialRun:
    """The run of one trial."""

    run: Run

    def report(self, stage: str, progress: Progress) -> None:
        """Log one validation."""
        forecaster.log_progress(self.run, stage, progress)

    def conclude(self, trial: Trial) -> None:
        """Log how the trial ended."""
        self.run.log_metrics([Measure(ERROR, trial.error)])
        self.run.log_tags({"pruned": str(trial.pruned).lower()})


@contextmanager
def study(name: str, experiment: ResolvedExperiment, panel: Panel) -> Iterator[Run]:
    """Yield the run of a study."""
    with forecaster.begin(experiment, panel, tags={STUDY: name}, name=f"study {name}") as run:
        yield run


@contextmanager
def trial(
    parent: Run, name: str, panel: Panel, number: int, experiment: ResolvedExperiment
) -> Iterator[TrialRun]:
    """Yield the run of a trial, nested in that of its study."""
    tags = {STUDY: name, TRIAL: str(number), PARENT: parent.id}
    with forecaster.begin(experiment, panel, tags=tags, name=f"{name} trial {number}") as run:
        yield TrialRun(run)


def log_best(run: Run, best: Best, config: str) -> None:
    """Log the best trial of a study: its values, its error, and a config with them."""
    run.log_metrics([Measure(ERROR, best.error)])
    values = {f"best.{field}": str(value) for field, value in best.values.items()}
    run.log_tags({"best.trial": str(best.number), **values})
    run.log_text(config, "best.yaml")
