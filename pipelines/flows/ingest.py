"""The flow that brings series into the store."""

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from foreseq.config import DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest import store
from foreseq.ingest.store import Ingested
from foreseq.pipelines.runtime import console, environment, summary
from foreseq.pipelines.runtime.flows import flow
from foreseq.series import panel


def may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Return whether a retry can help: if the source is out of reach, not if it breaks a rule."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, DataRefused) and isinstance(error.__cause__, OSError)


@task(
    name="ingest",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=may_pass,
)
def read(dataset: DatasetConfig) -> Ingested:
    """Fetch, validate and store the panel, unless the same input is there already."""
    return store.ingest(dataset, environment.data() / "series")


@flow()
def ingest(dataset: DatasetConfig) -> Ingested:
    """Bring a dataset into the store; return where its panel is and what was repaired."""
    ingested = read(dataset)
    for line in summary.data(ingested.repairs, panel.load(ingested.folder).freq):
        console.say(line)
    if ingested.changes not in ("", store.FIRST):
        console.say(f"changes  {ingested.changes}")
    return ingested
