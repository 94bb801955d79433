"""The flow that trains a tracked forecaster again and compares."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from foreseq.experiment import reproduce as library
from foreseq.experiment.reproduce import Part
from foreseq.forecasting import bundle
from foreseq.pipelines.flows.ingest import ingest
from foreseq.pipelines.runtime import console
from foreseq.series import panel
from foreseq.tracking import registry
from foreseq.tracking import run as runs


@task(cache_policy=NO_CACHE)
def train_again(folder: Path, series: Path) -> list[Part]:
    """Train the forecaster of a bundle on a panel, as it was trained before."""
    with console.training_progress() as show:
        return library.again(folder, panel.load(series), report=show)


@flow
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
