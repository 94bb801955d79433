"""The flow that trains a forecaster and writes down how it went."""

import tempfile
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE

from foreseq import auto, bundle, evaluation, panel, report, tracking
from foreseq.config import ExperimentConfig
from foreseq.experiment import conduct
from foreseq.ingest import Ingested
from foreseq.search import search
from foreseq.training import Progress
from pipelines import console


@task(cache_policy=NO_CACHE)
def learn(experiment: ExperimentConfig, ingested: Ingested) -> str:
    """Choose, fit, test and track; return the MLflow run id."""
    series = panel.load(ingested.folder)
    found = search(*auto.settle(experiment, series), series, report=console.say_candidate)
    settled, choices = found.experiment, found.choices
    for choice in choices:
        console.say(f"chosen   {choice.field}={choice.value}: {choice.reason}")
    with tracking.run(settled, series) as run, console.training_progress() as show:

        def looked(stage: str, progress: Progress) -> None:
            show(stage, progress)
            run.report(stage, progress)

        run.save_choices(choices, ingested.repairs)
        run.save_candidates(found.candidates)
        outcome = conduct(settled, series, report=looked)
        with tempfile.TemporaryDirectory() as folder:
            run.save_bundle(bundle.save(outcome.bundle, Path(folder) / "bundle"))
        rivals = evaluation.rivals(outcome.backtest, series, settled)
        run.save_backtest(outcome.backtest, series)
        run.save_rivals(rivals, series)
        for file, figure in report.pictures(outcome, series).items():
            run.save_figure(figure, file)
    return run.id


@flow
def train(experiment: ExperimentConfig, ingested: Ingested) -> str:
    """Train the experiment on an ingested panel; return the run id that `publish` takes."""
    run_id = learn(experiment, ingested)
    create_link_artifact(
        key="mlflow-run", link=tracking.ui_link(run_id), description="The training in MLflow"
    )
    return run_id
