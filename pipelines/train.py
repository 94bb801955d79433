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
from foreseq.report import Findings
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
        pictures = report.pictures(outcome, series)
        for file, figure in pictures.items():
            run.save_figure(figure, file)
        told = Findings(
            model=run.model,
            run=run.name,
            panel=series,
            repairs=ingested.repairs,
            tested=outcome.backtest,
            rivals=rivals,
            choices=choices,
            candidates=found.candidates,
        )
        run.save_report(report.page(told, pictures))
    return run.id


@flow
def train(experiment: ExperimentConfig, ingested: Ingested) -> str:
    """Train the experiment on an ingested panel; return the run id that `publish` takes."""
    run_id = learn(experiment, ingested)
    create_link_artifact(
        key="mlflow-run", link=tracking.ui_link(run_id), description="The training in MLflow"
    )
    create_link_artifact(
        key="report", link=tracking.report_link(run_id), description="How far to trust it"
    )
    return run_id
