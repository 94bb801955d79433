"""The commands that run flows by themselves: `foreseq serve` and `foreseq backfill`."""

from pathlib import Path
from typing import Annotated

import typer

from foreseq.pipelines.cli.command import begin, result

Place = Annotated[Path, typer.Argument(help="YAML of a schedule, or a folder of them.")]
FOLDER = Path("configs") / "schedules"


def serve(place: Place = FOLDER) -> None:
    """Run the schedules until it is stopped: their flows, in processes of their own."""
    from foreseq.pipelines.runtime import schedules

    found = [(path, schedules.load(path)) for path in schedules.find(place)]
    begin("serving")
    from foreseq.pipelines.flows.serving import serve_schedules

    serve_schedules(found)


def backfill(
    schedule: Annotated[Path, typer.Argument(help="YAML of the schedule.")],
    first: Annotated[
        str, typer.Option("--from", metavar="TIME", help="2026-01-31T03:00, or a date; in UTC.")
    ],
    last: Annotated[
        str, typer.Option("--to", metavar="TIME", help="Likewise; a date means all of its day.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object an interval.")] = False,
) -> None:
    """Carry out the intervals of the past that are missing, the oldest first."""
    from foreseq.pipelines.runtime import schedules

    told = schedules.load(schedule)
    span = (schedules.parse_time(first), schedules.parse_time(last, end=True))
    begin("scheduled")
    from foreseq.pipelines.flows.scheduled import scheduled

    for due in told.between(*span):
        done = scheduled(schedule.absolute(), due)
        result(as_json, **done.model_dump(mode="json"))
