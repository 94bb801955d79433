"""Schedules as Prefect deployments, run by this process until it is stopped."""

import os
from pathlib import Path

from prefect import serve
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval
from prefect.types.entrypoint import EntrypointType

from foreseq.pipelines.flows.scheduled import scheduled
from foreseq.pipelines.runtime import console
from foreseq.pipelines.runtime.flows import labels_of
from foreseq.pipelines.runtime.schedules import ANCHOR, ScheduleConfig

AT_ONCE = 2
"""Runs at the same time; of each schedule at most one."""


def serve_schedules(schedules: list[tuple[Path, ScheduleConfig]]) -> None:
    """Run schedules until the process is stopped."""
    for path, config in schedules:
        when = config.cron or f"every {config.every}"
        console.say(
            f"serving  {config.name}: {config.flow} {when} ({config.timezone}), from {path}"
        )
    api = os.environ.get("PREFECT_API_URL", "")
    if api:
        console.say(f"pages    {api.removesuffix('/api')}; for other terminals:")
        console.say(f"         export PREFECT_API_URL={api}")
    serve(*[deployment(path, config) for path, config in schedules], limit=AT_ONCE)


def deployment(path: Path, config: ScheduleConfig) -> RunnerDeployment:
    """Return the Prefect deployment of a schedule."""
    if config.every is not None:
        when = Interval(config.every, anchor_date=ANCHOR)
    else:
        when = Cron(str(config.cron), timezone=config.timezone)
    deployed = scheduled.to_deployment(
        name=config.name,
        schedule=when,
        parameters={"schedule": str(path.absolute())},
        concurrency_limit=1,
        tags=labels_of(config),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(deployed, RunnerDeployment)  # noqa: S101 called where nothing is awaited
    return deployed
