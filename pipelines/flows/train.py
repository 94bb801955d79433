"""The flow that trains a forecaster and tracks it."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from foreseq.config import ExperimentConfig
from foreseq.durable import resume
from foreseq.durable.resume import ResumeLog
from foreseq.experiment import recipe
from foreseq.experiment.recipe import Outcome
from foreseq.ingest.store import Ingested
from foreseq.pipelines.runtime import artifacts, console, environment, progress, summary
from foreseq.pipelines.runtime.flows import flow, step
from foreseq.report import leaderboard
from foreseq.report.findings import Training, findings
from foreseq.selection.choose import choose
from foreseq.series import panel as panels
from foreseq.tracking import forecaster, registry
from foreseq.tracking import run as runs
from foreseq.training.fitting import REFIT_SHARE, Progress
from foreseq.training.loop import MIN_GAIN


@dataclass(frozen=True)
class Trained:
    """A tracked training."""

    run_id: str
    """In MLflow."""
    outcome: Outcome | None
    """None: an earlier run had done the same, and its bundle is in MLflow."""


@task(name="train", cache_policy=NO_CACHE)
def learn(experiment: ExperimentConfig, ingested: Ingested) -> Trained:
    """Choose, fit, test and track, unless an earlier run has done the same."""
    experiment = _timeless(experiment)
    key = resume.cache_key(experiment, ingested.fingerprint)
    runs.close_dead_runs()
    with resume.claim(environment.data() / "unfinished", key, wait=_say_waiting) as folder:
        done = runs.finished(experiment.model, {runs.CACHE_KEY: key}, with_bundle=True)
        if done is not None and registry.holds(done):
            console.say(
                f"trained  reusing run {done[:8]} (same data, config and code);"
                " set training.seed to train anew"
            )
            return Trained(done, None)
        return _learn(experiment, ingested, key, folder)


def _learn(experiment: ExperimentConfig, ingested: Ingested, key: str, folder: Path) -> Trained:
    """Train and track, from where an earlier process stopped."""
    panel = panels.load(ingested.folder)
    log = ResumeLog(folder / "search.json")
    begun = time.monotonic()
    with progress.shown() as show:
        report = progress.search(show, experiment.auto.time_budget)
        chosen = step("search", lambda: choose(experiment, panel, log=log, report=report))
    resolved = chosen.experiment
    panel = replace(panel, season=resolved.dataset.season)
    for choice in chosen.choices:
        console.detail(f"chosen   {choice.field}={choice.value}: {choice.reason}")
    with (
        forecaster.begin(resolved, panel, cache_key=key) as run,
        progress.shown() as show,
    ):
        show("fit", "preparing the network")
        show = artifacts.tracked(show)  # noqa: PLW2901 the same, on Prefect's pages as well
        after = REFIT_SHARE if resolved.training.refit else 0.0
        show_training = progress.training(show, after)

        def track(stage: str, point: Progress) -> None:
            show_training(stage, point)
            forecaster.log_progress(run, stage, point)

        forecaster.log_choices(run, chosen.choices, ingested.repairs, chosen.candidates)
        outcome = step(
            "fit",
            lambda: recipe.fit(resolved, panel, chosen.split, checkpoint=folder, report=track),
        )
        if resolved.training.max_steps and not any(one.best_step for one in outcome.members):
            first = "pretrained network" if resolved.training.start == "pretrained" else "naive one"
            console.say(
                f"warning  training improved validation error by less than {MIN_GAIN:.0%};"
                f" the {first} forecasts"
            )
        seconds = time.monotonic() - begun
        console.say(summary.trained(chosen, outcome.members, seconds))
        show("test", "statistical baselines, for comparison")
        training = Training(run.model, panel, ingested.repairs, chosen, *outcome)
        found = step("test", lambda: findings(training, run.name, f"foreseq reproduce {run.id}"))
        forecaster.log_backtest(run, outcome.backtest, panel)
        forecaster.log_comparison(run, found.comparison, panel)
        board = leaderboard.rank(found.backtest, found.comparison, panel.season, seconds)
        for line in summary.leaderboard(found.backtest, board):
            console.say(line)
        show("page", "drawing the report")
        forecaster.log_findings(run, found, board)
        forecaster.log_bundle(run, outcome.bundle, panel)
    return Trained(run.id, outcome)


def _timeless(experiment: ExperimentConfig) -> ExperimentConfig:
    """Return the experiment without its time limit, which the panel has met.

    Thus intervals that bring no new data train once, and a forecaster goes on to newer data.
    """
    dataset = experiment.dataset.model_copy(update={"as_of": None})
    return experiment.model_copy(update={"dataset": dataset})


def _say_waiting() -> None:
    console.say("waiting  for another process that trains the same")


@flow()
def train(experiment: ExperimentConfig, ingested: Ingested) -> Trained:
    """Train an experiment on an ingested panel."""
    trained = learn(experiment, ingested)
    artifacts.training(trained.run_id)
    return trained
