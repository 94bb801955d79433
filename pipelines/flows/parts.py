"""The task that forecasts one file of many, in a process of its own or on another machine.

A module apart, so that such a process imports no more than it needs.
"""

from functools import cache
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from foreseq.errors import BundleRefused
from foreseq.forecasting import bulk, bundle
from foreseq.forecasting.bulk import Job
from foreseq.forecasting.ensemble import Ensemble
from foreseq.forecasting.writer import ForecastSource, Part


@task(cache_policy=NO_CACHE, retries=2)
def write_part(job: Job, number: int, folder: Path) -> Part:
    """Forecast the series of file `number` with the bundle in `folder`, a path of this machine."""
    source = _source(folder, job.model_version, job.model_digest, job.sample_paths)
    return bulk.write(job, number, source._replace(verdict=job.verdict))


@cache
def _source(folder: Path, version: str, digest: str, sample_paths: int) -> ForecastSource:
    """Load the forecaster, once per process, after checking its digest."""
    if not folder.exists():
        folder = _fetch(version)
    fitted = bundle.load(folder)
    if bundle.digest(folder) != digest:
        raise BundleRefused(f"{folder}: needed the bundle {digest[:12]}, found another; try again")
    return ForecastSource(Ensemble(fitted.experiment, fitted.final), version, digest, sample_paths)


def _fetch(version: str) -> Path:
    """Bring the bundle from MLflow's server to a machine that does not share the folder."""
    from foreseq.tracking import registry  # noqa: PLC0415 MLflow costs seconds and memory, rarely needed

    return registry.fetch(registry.resolve(version))
