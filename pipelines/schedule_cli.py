"""The commands that run flows by themselves: `foreseq serve` and `foreseq backfill`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipelines.command import begin, result

Place = Annotated[Path, typer.Argument(help="YAML of a schedule, or a folder of them.")]
FOLDER = Path("configs") / "schedules"


def serve(place: Place = FOLDER) -> None:
    """Run the schedules until it is stopped: their flows, in processes of their own."""
    from pipelines import schedules

    found = [(path, schedules.load(path)) for path in schedules.find(place)]
    begin("serving")
    from pipelines.serving import serve_schedules

    serve_schedules(found)


def backfill(
    schedule: Annotated[Path, typer.Argument(help="YAML of the schedule.")],
    first: Annotated[datetime, typer.Option("--from", help="Oldest logical date, in UTC.")],
    last: Annotated[datetime, typer.Option("--to", help="Newest one, in UTC.")],
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object an interval.")] = False,
) -> None:
    """Carry out the intervals of the past that are missing, the oldest first."""
    from pipelines import schedules

    told = schedules.load(schedule)
    begin("scheduled")
    from pipelines.scheduled import scheduled

    for due in told.between(first.replace(tzinfo=UTC), last.replace(tzinfo=UTC)):
        done = scheduled(schedule.absolute(), due)
        result(as_json, **done.model_dump(mode="json"))
