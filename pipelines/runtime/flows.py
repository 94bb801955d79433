"""How our functions become flows: what Prefect's pages call them, and why one has failed."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, cast
from zoneinfo import ZoneInfo

import prefect
from prefect import Flow, get_client, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Failed

from foreseq.config import Config
from foreseq.errors import ForeseqError
from foreseq.pipelines.runtime import console, failures, schedules

P = ParamSpec("P")
R = TypeVar("R")


class Decorator(Protocol):
    """Makes a function a flow."""

    def __call__(self, function: Callable[P, R], /) -> Flow[P, R]:
        """Return the flow."""


def flow(name: str = "") -> Decorator:
    """Return what makes a function a flow.

    Its runs are named and tagged by model, schedule and date. The state of one that was refused has
    the refusal's sentence as its message.
    """

    def decorate(function: Callable[P, R], /) -> Flow[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            labels = _labels(flow_run.parameters)
            token = console.OUTERMOST.set(console.OUTERMOST.get() or str(flow_run.id))
            try:
                with tags(*labels):
                    _tag(labels)
                    return function(*args, **kwargs)
            except Exception as error:
                known = error if isinstance(error, ForeseqError) else failures.expected(error)
                if known is None:
                    raise
                console.log(str(known), "error")
                return cast("R", Failed(message=str(known), data=error))
            finally:
                console.OUTERMOST.reset(token)

        made = prefect.flow(name=name or None, flow_run_name=run_name)
        return cast("Flow[P, R]", made(call))

    return decorate


def step(name: str, call: Callable[[], R]) -> R:
    """Run a part of a task as a task of its own, so that Prefect shows how long it took."""
    return task(name=name, cache_policy=NO_CACHE)(call)()


def run_name() -> str:
    """Return the name of the present flow run, such as `my nightly 2026-11-27`."""
    parameters = flow_run.parameters
    schedule = _schedule(parameters)
    if schedule is None:
        words, when = _labels(parameters), datetime.now(UTC)
        return " ".join([*words, f"{when:%Y-%m-%d %H:%M}"])
    when = parameters.get("logical") or flow_run.scheduled_start_time
    return interval_name(schedule, datetime.fromisoformat(str(when)))


def interval_name(schedule: schedules.ScheduleConfig, when: datetime) -> str:
    """Return the name of a schedule's run: its model, itself, and its date on its own clock.

    The time is added where there are several on one day.
    """
    due = schedule.due(when.astimezone(UTC))
    often = len(list(schedule.between(due, due + timedelta(hours=23)))) > 1
    local = due.astimezone(ZoneInfo(schedule.timezone))
    return " ".join(
        [*labels_of(schedule), f"{local:%Y-%m-%d %H:%M}" if often else f"{local:%Y-%m-%d}"]
    )


def labels_of(schedule: schedules.ScheduleConfig) -> list[str]:
    """Return the tags of a schedule's runs: its model and itself."""
    return list(dict.fromkeys([schedule.experiment().model, schedule.name]))


def _labels(parameters: Mapping[str, Any]) -> list[str]:
    """Return model and schedule of a flow run, as far as its parameters name them."""
    schedule = _schedule(parameters)
    if schedule is not None:
        return labels_of(schedule)
    model = parameters.get("model")
    if isinstance(model, str):
        return [re.split("[@/]", model)[0]]
    configs = [value for value in parameters.values() if isinstance(value, Config)]
    names = (getattr(config, "model", getattr(config, "name", "")) for config in configs)
    return [name for name in names if name][:1]


def _schedule(parameters: Mapping[str, Any]) -> schedules.ScheduleConfig | None:
    """Return the schedule that a flow run is of; None: of none, or of one that is invalid."""
    try:
        schedule = schedules.load(Path(parameters["schedule"]))
        schedule.experiment()
    except (KeyError, ForeseqError):
        return None
    return schedule


def _tag(labels: list[str]) -> None:
    """Add tags to the present flow run, as those of its context are for what it calls."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, tags={*flow_run.tags, *labels})
