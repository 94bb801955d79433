"""The flows that prove something: that a training can be repeated, that an experiment is honest."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from foreseq.config import ExperimentConfig
from foreseq.experiment import reproduce as library
from foreseq.experiment import verify
from foreseq.experiment.reproduce import Part
from foreseq.experiment.verify import Finding
from foreseq.forecasting import bundle
from foreseq.pipelines.flows.ingest import ingest
from foreseq.pipelines.runtime import console, progress
from foreseq.pipelines.runtime.flows import flow
from foreseq.series import panel as panels
from foreseq.tracking import registry
from foreseq.tracking import run as runs
from foreseq.training.fitting import REFIT_SHARE


@task(cache_policy=NO_CACHE)
def train_again(bundle_folder: Path, panel_folder: Path) -> list[Part]:
    """Train the forecaster of a bundle on a panel, as it was trained before."""
    with progress.shown() as show:
        report = progress.training(show, after=REFIT_SHARE)
        return library.train_again(bundle_folder, panels.load(panel_folder), report=report)


@flow()
def reproduce(run_id: str) -> list[Part]:
    """Train a run's forecaster again; return its parts, then and now.

    Args:
        run_id: Of the training.
    """
    folder = registry.fetch_of_run(run_id)
    fitted = bundle.load(folder)
    then, now = runs.codes(run_id)
    console.say(f"code     {now}" + ("" if then == now else f"; the run was made by {then}"))
    ingested = ingest(fitted.experiment.dataset)
    library.require_same_data(fitted, ingested.fingerprint)
    parts = train_again(folder, ingested.folder)
    for part in parts:
        console.say(f"weights  {part}")
    return parts


@task(cache_policy=NO_CACHE)
def prove(experiment: ExperimentConfig, folder: Path) -> list[Finding]:
    """Check one property after the other, and say each result as it is known."""
    findings = []
    for finding in verify.verify(experiment, panels.load(folder)):
        console.say(f"{'holds' if finding.holds else 'FAILS':<8} {finding.name}: {finding.message}")
        findings.append(finding)
    return findings


@flow("verify")
def verify_experiment(experiment: ExperimentConfig) -> list[Finding]:
    """Train shortly on the data, on altered and on shuffled data; return what was proved."""
    return prove(experiment, ingest(experiment.dataset).folder)
