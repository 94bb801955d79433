"""What the commands share: their options, how they start, and how they print results."""

import atexit
import gc
import json
import sys
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from foreseq.config import fields
from foreseq.errors import ConfigError
from foreseq.pipelines.runtime import environment

if TYPE_CHECKING:
    from foreseq.config import ExperimentConfig
    from foreseq.forecasting.output import Output as Place

Config = Annotated[Path | None, typer.Argument(help="YAML of the experiment.", show_default=False)]
Data = Annotated[
    str | None,
    typer.Option(help="File (CSV, Parquet, Excel), URL or database; instead of a config."),
]
Future = Annotated[
    str | None,
    typer.Option(help="File of what is known ahead: covariates after the last y of each series."),
]
Static = Annotated[
    str | None, typer.Option(help="File with a row for each series: its static covariates.")
]
Horizon = Annotated[int | None, typer.Option(min=1, help="Steps to forecast.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set a config field, such as training.max_steps=500."),
]
HistoryOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Set a field of the model's dataset, such as dataset.columns.y=sales."
    ),
]
Budget = Annotated[
    str | None, typer.Option(help="Time for search and training, such as 90s, 10m or 1h.")
]
Model = Annotated[str, typer.Option(help="Model as NAME, NAME@champion or NAME/3.")]
Output = Annotated[
    str | None, typer.Option(help="Folder, FILE.csv, FILE.xlsx or database for the forecasts.")
]
Table = Annotated[str, typer.Option(help="Table of the database, or SCHEMA.TABLE.")]
By = Annotated[
    Literal["unique_id", "hash"] | None,
    typer.Option(help="Divide the folder: by series, or into 64 parts for many series."),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Show every choice and short training, too.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on the last line of stdout.")
]


def begin(says: str, *flows: str, verbose: bool = False, port: int = 0) -> None:
    """Redirect what libraries print to a file; import flows while Prefect's server starts.

    Args:
        says: The first line, before anything that takes time.
        flows: Modules of flows.
        verbose: Whether details are for the terminal.
        port: Preferred by the server; 0: any.

    Raises:
        Unavailable: If a server that the environment names does not answer.
    """
    from foreseq.pipelines.runtime import console, progress, server

    console.hush(verbose=verbose)
    console.say(says)
    atexit.register(gc.freeze)  # else TensorFlow's objects are collected at exit, for seconds
    if flows != ("ingest",):
        server.require(server.mlflow())
    if flows:
        ready = server.start(port)
        with progress.shown() as show:
            show("start", "loading libraries")
            for flow in flows:
                import_module(f"foreseq.pipelines.flows.{flow}")
            show("start", "waiting for Prefect's server")
            ready()


def opening(command: str, experiment: "ExperimentConfig") -> str:
    """Return the first line of a command that works on an experiment."""
    budget = experiment.auto.time_budget
    limit = f", about {budget:g} s of training" if budget and command in ("run", "train") else ""
    horizon = experiment.dataset.horizon
    return f"{command:<8} {experiment.model}: {horizon} steps ahead{limit}"


def experiment_of(
    config: Path | None,
    data: str | None,
    horizon: int | None,
    overrides: list[str] | None,
    time_budget: str | None = None,
) -> "ExperimentConfig":
    """Read the experiment of a command, before anything heavy is imported.

    Raises:
        ConfigError: If the options do not make an experiment.
    """
    from foreseq.config import build_experiment, load_experiment, loading

    sets = list(overrides or [])
    if time_budget is not None:
        sets.insert(0, f"auto.time_budget={seconds(time_budget)}")
    if data is not None:
        if config is not None:
            raise ConfigError("give a config or --data, not both")
        if horizon is None:
            raise ConfigError("--data needs --horizon: how many steps to forecast")
        dataset = {"name": loading.stem(data), "source": data, "horizon": horizon}
        return build_experiment({"dataset": dataset}, sets, origin="--set")
    if config is None:  # the example works from any folder
        config = environment.EXAMPLE
        sets.insert(0, f"dataset.source={environment.EXAMPLE_DATA}")
    if horizon is not None:
        sets.append(f"dataset.horizon={horizon}")
    return load_experiment(config, sets)


def beside(future: str | None, static: str | None, overrides: list[str] | None) -> list[str]:
    """Return the overrides with the files beside the history, which are fields of the dataset."""
    files = {"dataset.future": future, "dataset.static": static}
    given = [f"{field}={file}" for field, file in files.items() if file is not None]
    return [*given, *(overrides or [])]


def destination(output: str | None, table: str, by: str | None, sample_paths: int = 0) -> "Place":
    """Return where `--output` and the options beside it send forecasts.

    Raises:
        ConfigError: If they cannot go there.
    """
    from foreseq.forecasting.output import parse

    return parse(output, table=table, by=by or "", sample_paths=sample_paths)


def seconds(budget: str) -> float:
    """Return the seconds in 90s, 10m or 1h.

    Raises:
        ConfigError: If it is written otherwise.
    """
    parsed = fields.seconds(budget)
    if parsed is None:
        raise ConfigError(f"--time-budget {budget}: write it as 90s, 10m or 1h")
    return parsed


def result(as_json: bool, **values: Any) -> None:
    """Print the result as one line of JSON, if asked for; NaN and infinity become null."""
    if as_json:
        finite = {name: _finite(value) for name, value in values.items()}
        sys.stdout.write(json.dumps(finite) + "\n")
        sys.stdout.flush()


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
