"""The commands `foreseq monitor` and `foreseq history`.

Heavy imports wait inside the commands, so that `--help` answers at once.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from foreseq.errors import ConfigError, NotPublished
from foreseq.pipelines.cli.command import begin, histories, result

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")]


class Retrain(StrEnum):
    """What `--retrain` takes: the words of `config.Retrain`, whose import would delay `--help`."""

    AUTO = "auto"
    NEVER = "never"


def monitor(
    model: Annotated[str, typer.Option(help="NAME@champion, NAME/3 or NAME.")],
    actuals: Annotated[
        str | None, typer.Option("--input", help="Actuals; without: the model's own source.")
    ] = None,
    forecasts: Annotated[
        Path | None, typer.Option(help="Folder of forecasts; without: data/forecasts.")
    ] = None,
    retrain: Annotated[
        Retrain, typer.Option(help="auto: do what the evidence asks for; never: only say it.")
    ] = Retrain.NEVER,
    as_json: AsJson = False,
) -> None:
    """Judge past forecasts by what came: keep, recalibrate or retrain, and why."""
    source = histories(actuals)
    begin("monitor")
    from foreseq.pipelines.flows.monitor import monitor as flow

    looked = flow(model, source, forecasts, retrain.value)
    decided = looked.decided
    result(
        as_json,
        decision=decided.action,
        reason=decided.reason,
        version=decided.version,
        acted=decided.acted,
        published=decided.published,
        outcome=decided.outcome,
        until=decided.until,
        run_id=looked.run_id,
        page=str(looked.page),
        **looked.measures,
    )
    if decided.acted and not decided.published and retrain is Retrain.AUTO:
        raise NotPublished(decided.outcome)


def history(
    dataset: Annotated[str, typer.Argument(help="Name of a dataset in data/series.")],
    as_json: AsJson = False,
) -> None:
    """Tell the versions of a dataset: what changed, and which models were trained on each."""
    begin()
    from foreseq.ingest import history as versions
    from foreseq.pipelines.runtime import console, environment
    from foreseq.tracking import run as runs

    read = versions.read(environment.data() / "series" / dataset)
    if not read:
        raise ConfigError(f"{dataset}: no such dataset in {environment.data() / 'series'}")
    rows = []
    for version in read:
        trained = runs.trained_on(version.fingerprint)
        rows.append({**version.model_dump(exclude={"settings", "content"}), "trained": trained})
        models = f"; trained: {', '.join(trained)}" if trained else ""
        console.say(f"{version.last}  {version.fingerprint[:12]}  {version.changes}{models}")
    result(as_json, versions=rows)
