"""The flow that trains a forecaster and tracks it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE

from foreseq import evaluation, report
from foreseq.config import ExperimentConfig
from foreseq.durable import locking
from foreseq.durable.resume_log import ResumeLog
from foreseq.experiment import recipe
from foreseq.experiment.recipe import Outcome
from foreseq.forecasting import bundle
from foreseq.ingest.store import Ingested
from foreseq.pipelines.runtime import console, environment
from foreseq.report import Findings
from foreseq.selection.choose import choose
from foreseq.series import panel
from foreseq.tracking import links, registry, runs
from foreseq.training.fitting import Progress
from foreseq.training.loop import MIN_GAIN


@dataclass(frozen=True)
class Trained:
    """A tracked training."""

    run_id: str
    """In MLflow."""
    outcome: Outcome | None
    """None: an earlier run had done the same, and its bundle is in MLflow."""


@task(cache_policy=NO_CACHE)
def learn(experiment: ExperimentConfig, ingested: Ingested) -> Trained:
    """Choose, fit, test and track, unless an earlier run has done the same."""
    experiment = _timeless(experiment)
    key = locking.cache_key(experiment, ingested.fingerprint)
    runs.close_the_dead()
    with locking.claim(environment.data() / "unfinished", key, wait=_say_waiting) as folder:
        done = runs.done(experiment.model, key)
        if done is not None and registry.holds(done):
            console.say(
                f"trained  reusing run {done[:8]} (same data, config and code);"
                " set training.seed to train anew"
            )
            return Trained(done, None)
        return _learn(experiment, ingested, key, folder)


def _learn(experiment: ExperimentConfig, ingested: Ingested, key: str, folder: Path) -> Trained:
    """Train and track, from where an earlier process stopped."""
    series = panel.load(ingested.folder)
    log = ResumeLog(folder / "search.json")
    chosen = choose(experiment, series, log=log, report=console.say_candidate)
    resolved = chosen.experiment
    for choice in chosen.choices:
        console.say(f"chosen   {choice.field}={choice.value}: {choice.reason}")
    with runs.run(resolved, series, work=key) as run, console.training_progress() as show:

        def track(stage: str, progress: Progress) -> None:
            show(stage, progress)
            run.report(stage, progress)

        run.save_choices(chosen.choices, ingested.repairs)
        run.save_candidates(chosen.candidates)
        outcome = recipe.fit(resolved, series, chosen.split, checkpoint=folder, report=track)
        if not any(member.best_step for member in outcome.members):
            console.say(
                f"warning  training improved validation error by less than {MIN_GAIN:.0%};"
                " using the naive baseline"
            )
        rivals = evaluation.rivals(outcome.backtest, series, resolved)
        run.save_backtest(outcome.backtest, series)
        run.save_rivals(rivals, series)
        pictures = report.pictures(outcome, series)
        for file, figure in pictures.items():
            run.save_figure(figure, file)
        findings = Findings(
            model=run.model,
            run=run.name,
            panel=series,
            repairs=ingested.repairs,
            tested=outcome.backtest,
            rivals=rivals,
            choices=chosen.choices,
            candidates=chosen.candidates,
            members=outcome.members,
        )
        run.save_report(report.page(findings, pictures))
        with tempfile.TemporaryDirectory() as scratch:
            run.save_bundle(bundle.save(outcome.bundle, Path(scratch) / "bundle"))
    return Trained(run.id, outcome)


def _timeless(experiment: ExperimentConfig) -> ExperimentConfig:
    """Return the experiment without its time limit, which the panel has met.

    Thus intervals that bring no new data train once, and a forecaster goes on to newer data.
    """
    dataset = experiment.dataset.model_copy(update={"as_of": None})
    return experiment.model_copy(update={"dataset": dataset})


def _say_waiting() -> None:
    console.say("waiting  for another process that trains the same")


@flow
def train(experiment: ExperimentConfig, ingested: Ingested) -> Trained:
    """Train an experiment on an ingested panel."""
    trained = learn(experiment, ingested)
    create_link_artifact(
        key="mlflow-run", link=links.ui_link(trained.run_id), description="The training in MLflow"
    )
    create_link_artifact(
        key="report", link=links.report_link(trained.run_id), description="How far to trust it"
    )
    return trained
