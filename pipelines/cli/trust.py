"""The command that proves a tracked forecaster can be made again."""

from typing import TYPE_CHECKING, Annotated

import typer

from foreseq.errors import ForeseqError
from foreseq.pipelines.cli.command import begin, result

if TYPE_CHECKING:
    from foreseq.experiment.reproduce import Part

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")]


def reproduce(run_id: str, as_json: AsJson = False) -> None:
    """Train a tracked run again from its data, config and seed, and compare the weights."""
    begin("reproduce")
    from foreseq.pipelines.flows.reproduce import reproduce as flow

    parts = flow(run_id)
    told = [{**part._asdict(), "alike": part.alike} for part in parts]
    result(as_json, run_id=run_id, alike=all(part.alike for part in parts), parts=told)
    _complain(run_id, parts)


def _complain(run_id: str, parts: list["Part"]) -> None:
    other = [part.name for part in parts if not part.alike]
    if other:
        raise ForeseqError(
            f"run {run_id} is not reproduced: {', '.join(other)} differ, though config and data are"
            " the same; another machine, other versions of libraries or changed code can be why,"
            " see the line `code` above"
        )
