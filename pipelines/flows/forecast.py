"""The flow that forecasts many series with one version of a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from foreseq.config import history_dataset
from foreseq.errors import Unavailable
from foreseq.forecasting import bundle, ensemble, export, writer
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.forecasting.output import Output
from foreseq.forecasting.writer import ForecastSource, Manifest
from foreseq.ingest.store import Ingested
from foreseq.pipelines.flows.ingest import ingest
from foreseq.pipelines.runtime import console, environment, summary
from foreseq.pipelines.runtime.flows import flow
from foreseq.series import panel
from foreseq.tracking import registry
from foreseq.tracking.registry import ModelVersion


def may_answer(_task: Any, _run: Any, state: Any) -> bool:
    """Return whether a retry can help: if a database is out of reach."""
    return isinstance(state.result(raise_on_failure=False), Unavailable)


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=may_answer,
)
def send(folder: Path, output: Output) -> int:
    """Export a folder of forecasts to a file or a database."""
    return export.write(writer.tables(folder), output)


def deliver(folder: Path, manifest: Manifest, output: Output) -> None:
    """Say where forecasts are, and export them if that is asked for."""
    for line in summary.forecast(manifest, folder):
        console.say(line)
    if output.export:
        console.say(f"exported {send(folder, output):,} rows to {output.shown}")


def folder_for(output: Output, model: str, last: str) -> Path:
    """Return the folder of forecasts, by default of the model and the newest time in the data."""
    stamp = last.replace(":", "").replace(" ", "T")
    return output.folder or environment.data() / "forecasts" / model / stamp


@task(name="forecast", cache_policy=NO_CACHE)
def write(
    version: ModelVersion,
    histories: Path,
    folder: Path,
    output: Output,
    fitted: Bundle | None = None,
) -> Manifest:
    """Forecast every series of an ingested panel into a folder, whole or not at all."""
    fitted = fitted or bundle.load(registry.fetch(version))
    forecaster = Ensemble(fitted.experiment, fitted.final)
    source = ForecastSource(
        forecaster,
        str(version),
        version.digest,
        output.sample_paths,
        registry.verdict(version),
        output.by,
    )
    known = panel.load(histories, fitted.experiment.dataset.season)
    for missing in ensemble.require_known(forecaster, known):
        console.say(f"warning  {missing}: forecast without")
    return writer.write(source, known, folder)


def history_of(version: ModelVersion, history: Mapping[str, Any] | None) -> Ingested:
    """Ingest histories as a version needs them; None: those of its own training source."""
    trained = bundle.load(registry.fetch(version)).experiment.dataset
    return ingest(history_dataset(trained, history))


@flow()
def forecast(model: str, history: Mapping[str, Any] | None, output: Output) -> Manifest:
    """Forecast the steps after the last observation of every series.

    Args:
        model: `NAME@champion`, `NAME/3` or `NAME`; resolved once, so that one version is used.
        history: Fields of the dataset that differ from the model's, such as `source`; None: none.
        output: Where the forecasts go.
    """
    version = registry.resolve(model)
    ingested = history_of(version, history)
    folder = folder_for(output, version.name, ingested.repairs.last)
    manifest = write(version, ingested.folder, folder, output)
    deliver(folder, manifest, output)
    return manifest
