"""`foreseq tune` on the command line."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from foreseq.pipelines.cli.command import begin, experiment_of, result, seconds


class Sampler(StrEnum):
    """What proposes the next values."""

    tpe = "tpe"
    cmaes = "cmaes"
    evolutionary = "evolutionary"


def tune(
    config: Annotated[
        Path | None, typer.Argument(help="YAML of the experiment.", show_default=False)
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="In the study, earlier ones included.")] = 20,
    time_budget: Annotated[
        str | None, typer.Option(help="After which no trial begins: 90s, 10m, 1h.")
    ] = None,
    sampler: Annotated[Sampler, typer.Option(help="What proposes values.")] = Sampler.tpe,
    study: Annotated[str | None, typer.Option(help="Goes on if there is one of the name.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes on the one study.")] = 1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Trials on the workers of a Dask cluster.")
    ] = None,
    space: Annotated[Path | None, typer.Option(help="YAML of ranges, not the usual ones.")] = None,
    output: Annotated[Path | None, typer.Option(help="YAML for the best config.")] = None,
    data: Annotated[str | None, typer.Option(help="Long CSV or Parquet, without a config.")] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Steps to forecast.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Override: training.max_steps=500.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on the last line of stdout.")
    ] = False,
) -> None:
    """Look for a better config on the validation windows; resumable, by several processes."""
    deadline = time.time() + seconds(time_budget) if time_budget else float("inf")
    experiment = experiment_of(config, data, horizon, overrides)
    from foreseq.selection import space as spaces

    varied = spaces.read_space(space) if space else spaces.open_space(experiment)
    begin("tune")
    from foreseq.pipelines.flows.tune import Plan
    from foreseq.pipelines.flows.tune import tune as flow
    from foreseq.pipelines.runtime.console import say
    from foreseq.tracking import store

    name = study or f"{experiment.model}-{sampler}"
    tuned = flow(
        experiment,
        Plan(
            name=name,
            storage=store.home() / "studies.db",
            space=varied,
            output=output or Path(f"{name}.yaml"),
            sampler=sampler.value,
            trials=trials,
            deadline=deadline,
        ),
        workers,
        dask,
    )
    best = tuned.best
    say(f"best     trial {best.number}: validation {best.error:.4f}; {best.completed} completed,")
    say(f"         {best.pruned} pruned; {store.ui_link(tuned.run_id)}")
    say(f"next     foreseq run {tuned.output}")
    result(
        as_json,
        study=name,
        run_id=tuned.run_id,
        trial=best.number,
        validation=best.error,
        values=best.values,
        config=str(tuned.output),
    )
