"""Schedules as deployments of Prefect, run by this process until it is stopped."""

from pathlib import Path

from prefect import serve
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval
from prefect.types.entrypoint import EntrypointType

from foreseq.pipelines.flows.scheduled import scheduled
from foreseq.pipelines.runtime import console
from foreseq.pipelines.runtime.schedules import ANCHOR, ScheduleConfig

AT_ONCE = 2
"""Runs of different schedules side by side; of one schedule there is one at a time."""


def serve_schedules(found: list[tuple[Path, ScheduleConfig]]) -> None:
    """Fire schedules until the process is stopped."""
    for path, told in found:
        when = told.cron or f"every {told.every}"
        console.say(f"serving  {told.name}: {told.flow} {when} ({told.timezone}), from {path}")
    serve(*[deployment(path, told) for path, told in found], limit=AT_ONCE)


def deployment(path: Path, told: ScheduleConfig) -> RunnerDeployment:
    """Return what Prefect needs to know of a schedule."""
    if told.every is not None:
        when = Interval(told.every, anchor_date=ANCHOR)
    else:
        when = Cron(str(told.cron), timezone=told.timezone)
    made = scheduled.to_deployment(
        name=told.name,
        schedule=when,
        parameters={"schedule": str(path.absolute())},
        concurrency_limit=1,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(made, RunnerDeployment)  # noqa: S101 asked from where nothing is awaited
    return made
