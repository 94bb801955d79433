"""The flow that forecasts file by file, on several processes or a cluster."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect.context import FlowRunContext
from prefect.futures import as_completed
from prefect.logging.handlers import APILogHandler
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from foreseq.config import history_dataset
from foreseq.durable import files, resume
from foreseq.forecasting import bulk, bundle
from foreseq.forecasting.bulk import Job
from foreseq.forecasting.output import Output
from foreseq.forecasting.writer import Manifest, Part
from foreseq.ingest.fetch import content, fetch
from foreseq.pipelines.flows.forecast import deliver, folder_for
from foreseq.pipelines.flows.parts import write_part
from foreseq.pipelines.runtime import cluster, environment, progress
from foreseq.pipelines.runtime.flows import flow
from foreseq.tracking import registry


@flow()
def forecast_files(model: str, history: Mapping[str, Any] | None, output: Output) -> Manifest:
    """Forecast the steps after the last observation of every series of many files.

    Args:
        model: `NAME@champion`, `NAME/3` or `NAME`; resolved once, so that one version is used.
        history: Fields of the dataset that differ from the model's, such as `source`; None: none.
        output: Where the forecasts go.
    """
    version = registry.resolve(model)
    folder = registry.fetch(version).absolute()
    trained = bundle.load(folder).experiment.dataset
    dataset = history_dataset(trained, history)
    source = fetch(dataset, environment.data() / "raw").absolute()
    job = bulk.plan(
        dataset,
        source,
        output.folder or folder_for(output, version.name, content(source)[:16]),
        str(version),
        version.digest,
        sample_paths=output.sample_paths,
        verdict=registry.verdict(version),
        by=output.by,
    )
    with resume.claim(environment.data() / "unfinished", job.unfinished.name.rpartition(".")[2]):
        manifest = bulk.finished(job)
        if manifest is None:
            manifest = bulk.finish(job, _write(job, folder))
    deliver(output.folder or job.output, manifest, output)
    return manifest


def runner(workers: int, dask: str | None) -> TaskRunner[Any]:
    """Return what runs the parts: processes of this machine, or a Dask cluster at an address.

    Raises:
        ConfigError: If a cluster is asked for and prefect-dask is not installed.
    """
    if dask is None:
        return ProcessPoolTaskRunner(max_workers=workers)
    return cluster.task_runner(dask)


def _write(job: Job, folder: Path) -> list[Part]:
    """Write the missing parts and show progress."""
    parts = {n: part for n in range(len(job.files)) if (part := bulk.done(job, n))}
    missing = [n for n in range(len(job.files)) if n not in parts]
    with _one_core_per_process(), progress.series(sum(job.series)) as show:
        show(sum(job.series[n] for n in parts), fresh=False)
        futures = {write_part.submit(job, n, folder): n for n in missing}
        for future in as_completed(list(futures)):
            number = futures[future]
            parts[number] = future.result()
            show(job.series[number], fresh=True)
    _flush_cluster_logs()
    return [parts[n] for n in range(len(job.files))]


def _flush_cluster_logs() -> None:
    """Wait for the logs of a cluster's workers: the server they go to may end with the flow."""
    context = FlowRunContext.get()
    client = context and getattr(context.task_runner, "client", None)
    if client:
        client.run(APILogHandler.aflush)


@contextmanager
def _one_core_per_process() -> Iterator[None]:
    """Limit processes that are started within the block to one core."""
    before = {name: os.environ.get(name) for name in files.ONE_CORE}
    os.environ.update(files.ONE_CORE)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
