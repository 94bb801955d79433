"""Schedules as Prefect deployments, served by this process until it is stopped."""

from pathlib import Path

from prefect import serve
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval
from prefect.types.entrypoint import EntrypointType

from foreseq.pipelines.flows.scheduled import scheduled
from foreseq.pipelines.runtime import console
from foreseq.pipelines.runtime.schedules import ANCHOR, ScheduleConfig

AT_ONCE = 2
"""Runs at the same time; of each schedule at most one."""


def serve_schedules(schedules: list[tuple[Path, ScheduleConfig]]) -> None:
    """Run schedules when they are due, until the process is stopped."""
    for path, config in schedules:
        when = config.cron or f"every {config.every}"
        console.say(
            f"serving  {config.name}: {config.flow} {when} ({config.timezone}), from {path}"
        )
    serve(*[deployment(path, config) for path, config in schedules], limit=AT_ONCE)


def deployment(path: Path, config: ScheduleConfig) -> RunnerDeployment:
    """Return a schedule as a Prefect deployment."""
    if config.every is not None:
        when = Interval(config.every, anchor_date=ANCHOR)
    else:
        when = Cron(str(config.cron), timezone=config.timezone)
    made = scheduled.to_deployment(
        name=config.name,
        schedule=when,
        parameters={"schedule": str(path.absolute())},
        concurrency_limit=1,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(made, RunnerDeployment)  # noqa: S101 a coroutine only in an event loop
    return made
