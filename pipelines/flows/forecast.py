"""The flow that forecasts many series with one version of a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from foreseq.config import history_dataset
from foreseq.forecasting import bundle, ensemble, writer
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.forecasting.writer import ForecastSource, Manifest
from foreseq.ingest.store import Ingested
from foreseq.pipelines.flows.ingest import ingest
from foreseq.pipelines.runtime import console, summary
from foreseq.series import panel
from foreseq.tracking import registry
from foreseq.tracking.registry import ModelVersion


@task(cache_policy=NO_CACHE)
def write(
    version: ModelVersion,
    folder: Path,
    output: Path,
    sample_paths: int = 0,
    fitted: Bundle | None = None,
) -> Manifest:
    """Forecast every series of an ingested panel into a folder, whole or not at all."""
    fitted = fitted or bundle.load(registry.fetch(version))
    forecaster = Ensemble(fitted.experiment, fitted.final)
    source = ForecastSource(
        forecaster, str(version), version.digest, sample_paths, registry.verdict(version)
    )
    histories = panel.load(folder, fitted.experiment.dataset.season)
    for missing in ensemble.require_known(forecaster, histories):
        console.say(f"warning  {missing}: forecast without")
    return writer.write(source, histories, output)


def history_of(version: ModelVersion, history: Mapping[str, Any] | None) -> Ingested:
    """Ingest histories as a version needs them; None: those of its own training source."""
    trained = bundle.load(registry.fetch(version)).experiment.dataset
    return ingest(history_dataset(trained, history))


@flow
def forecast(
    model: str, history: Mapping[str, Any] | None, output: Path, sample_paths: int = 0
) -> Manifest:
    """Forecast the steps after the last observation of every series.

    Args:
        model: `NAME@champion`, `NAME/3` or `NAME`; resolved once, so that one version is used.
        history: Fields of the dataset that differ from the model's, such as `source`; None: none.
        output: Folder for the forecasts.
        sample_paths: Trajectories to simulate for each series, a column each.
    """
    version = registry.resolve(model)
    manifest = write(version, history_of(version, history).folder, output, sample_paths)
    for line in summary.forecast(manifest, output):
        console.say(line)
    return manifest
