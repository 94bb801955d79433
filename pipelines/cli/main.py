"""The command line: each command runs the flow of its name.

Heavy imports wait inside the commands, so that `--help` answers at once. One of the longer modules:
most of it is arguments with their help, and commands are looked up by name.
"""

import os
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from foreseq.config import history_fields
from foreseq.config.dataset import without_secrets
from foreseq.errors import ConfigError, DoneInPart, ForeseqError, NotPublished
from foreseq.pipelines.cli import look, operate, pretrained, text
from foreseq.pipelines.cli.command import (
    AsJson,
    Budget,
    By,
    Config,
    Data,
    Future,
    HistoryOverrides,
    Horizon,
    Model,
    Output,
    Overrides,
    Static,
    Table,
    Verbose,
    begin,
    beside,
    destination,
    experiment_of,
    opening,
    result,
    seconds,
)
from foreseq.pipelines.cli.help import Grouped
from foreseq.pipelines.runtime import environment

if TYPE_CHECKING:
    from foreseq.forecasting.writer import Manifest
    from foreseq.pipelines.flows.publish import Published

MOST_PORTS = 65_535

app = typer.Typer(
    help="Forecast many time series with recurrent networks: train, test, publish, every night.",
    cls=Grouped,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; expected failures become one message and an exit code."""
    environment.prepare()
    try:
        app()
    except ForeseqError as error:
        from foreseq.pipelines.runtime import console

        console.say_error(error)
        sys.exit(error.exit_code)
    except Exception as error:
        from foreseq.pipelines.runtime import console

        sys.exit(console.say_failure(error))


def _print_version(wanted: bool) -> None:
    if wanted:
        from foreseq import __version__

        sys.stdout.write(f"foreseq {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def run(
    config: Config = None,
    data: Data = None,
    horizon: Horizon = None,
    output: Output = None,
    table: Table = "forecasts",
    by: By = None,
    time_budget: Budget = None,
    future: Future = None,
    static: Static = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Train, test, publish and forecast.

    Without arguments it uses the AirPassengers example.
    """
    sets = beside(future, static, overrides)
    experiment = experiment_of(config, data, horizon, sets, time_budget)
    where = destination(output, table, by)
    begin(opening("run", experiment), "run", verbose=verbose)
    from foreseq.forecasting import export
    from foreseq.pipelines.flows.run import run as flow
    from foreseq.pipelines.runtime import console
    from foreseq.tracking import store

    export.check(where)
    ran = flow(experiment, where)
    published = ran.published
    if published.serving != published.version:
        _say(f"warning  {published.version} was rejected; {published.serving} made this forecast")
    _say(f"look     foreseq show {shlex.quote(str(ran.folder))}")
    _say(f"report   foreseq open {published.version}")
    console.detail(f"details  {store.ui_link(ran.run_id)}")
    if published.decision.published:
        _say(f"next     foreseq forecast --model {experiment.model}@champion --output tonight")
    result(
        as_json,
        run_id=ran.run_id,
        model=experiment.model,
        version=str(published.version),
        published=published.decision.published,
        reason=published.decision.reason,
        skill=published.skill,
        forecast=str(ran.folder),
        forecast_by=ran.manifest.model_version,
    )
    _require_published(published)
    _require_all_series(ran.manifest)


@app.command()
def ingest(
    config: Config = None,
    data: Data = None,
    horizon: Horizon = 1,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Read, check and store the series of a config or file."""
    experiment = experiment_of(config, data, horizon, overrides)
    begin(f"ingest   {without_secrets(experiment.dataset.source)}", "ingest")
    from foreseq.pipelines.flows.ingest import ingest as flow

    ingested = flow(experiment.dataset)
    result(
        as_json,
        folder=str(ingested.folder),
        fingerprint=ingested.fingerprint,
        fresh=ingested.fresh,
        repairs=asdict(ingested.repairs),
        changes=ingested.changes,
    )


@app.command()
def train(
    config: Config = None,
    data: Data = None,
    horizon: Horizon = None,
    time_budget: Budget = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Train, test and track a forecaster; publish nothing."""
    experiment = experiment_of(config, data, horizon, overrides, time_budget)
    begin(opening("train", experiment), "ingest", "train", verbose=verbose)
    from foreseq.pipelines.flows.ingest import ingest as read
    from foreseq.pipelines.flows.train import train as flow

    trained = flow(experiment, read(experiment.dataset))
    _say(f"report   foreseq open {trained.run_id}")
    _say(f"next     foreseq publish {trained.run_id}")
    result(as_json, run_id=trained.run_id, model=experiment.model)


@app.command()
def publish(
    run_id: Annotated[str, typer.Argument(help="MLflow run of a training.")],
    as_json: AsJson = False,
) -> None:
    """Publish a training run, if the gate accepts it."""
    begin(f"publish  run {run_id}", "publish")
    from foreseq.pipelines.flows.publish import publish as flow

    published = flow(run_id)
    result(
        as_json,
        version=str(published.version),
        published=published.decision.published,
        reason=published.decision.reason,
        skill=published.skill,
    )
    _require_published(published)


@app.command()
def rollback(
    model: Annotated[str, typer.Argument(help="Name of the model.")], as_json: AsJson = False
) -> None:
    """Make the previous champion of a model its champion again."""
    begin(f"rollback {model}")
    from foreseq.tracking import registry

    version = registry.rollback(model)
    _say(f"champion {version}")
    result(as_json, version=str(version))


@app.command()
def forecast(
    output: Annotated[
        str, typer.Option(help="Folder, FILE.csv, FILE.xlsx or database for the forecasts.")
    ],
    model: Annotated[
        str | None, typer.Option(help="Model as NAME, NAME@champion or NAME/3.")
    ] = None,
    data: Data = None,
    horizon: Horizon = None,
    history: Annotated[
        str | None,
        typer.Option(
            "--input", help="CSV or Parquet with the history (default: the training source)."
        ),
    ] = None,
    future: Future = None,
    static: Static = None,
    overrides: HistoryOverrides = None,
    sample_paths: Annotated[
        int, typer.Option(min=0, help="Simulated paths per series, a column each.")
    ] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Forecast file by file in N processes.")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Forecast file by file on a Dask cluster.")
    ] = None,
    table: Table = "forecasts",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Forecast with a published model, or a pretrained one.

    --model names the published one; --data and --horizon take the pretrained one.
    """
    where = destination(output, table, by, sample_paths)
    if model is None:
        if data is None or history is not None or workers is not None or dask is not None:
            raise ConfigError("give --model with or without --input, or --data and --horizon")
        experiment = experiment_of(None, data, horizon, overrides)
        says = opening("forecast", experiment)
        _require_all_series(pretrained.forecast(experiment, where, says, as_json))
        return
    if data is not None or horizon is not None:
        raise ConfigError("a model has its own horizon; give its histories by --input")
    source = history_fields(history, beside(future, static, overrides))
    in_files = workers is not None or dask is not None
    begin(f"forecast with {model}", "bulk" if in_files else "forecast")
    from foreseq.forecasting import export

    export.check(where)
    if in_files:
        from foreseq.pipelines.flows.bulk import forecast_files, runner

        by_file = forecast_files.with_options(task_runner=runner(workers or 1, dask))
        manifest = by_file(model, source, where)
    else:
        from foreseq.pipelines.flows.forecast import forecast as flow

        manifest = flow(model, source, where)
    result(as_json, forecast=where.place, **manifest.model_dump(exclude={"parts"}))
    _require_all_series(manifest)


@app.command()
def backtest(
    model: Model,
    history: Annotated[
        str | None,
        typer.Option("--input", help="CSV or Parquet with series (default: the training source)."),
    ] = None,
    overrides: HistoryOverrides = None,
    as_json: AsJson = False,
) -> None:
    """Score a published model on windows it has not seen."""
    begin(f"backtest {model}", "backtest")
    from foreseq.pipelines.flows.backtest import backtest as flow

    scores = flow(model, history_fields(history, overrides or ()))
    result(as_json, **{name: score._asdict() for name, score in scores.items()})


@app.command()
def tune(
    config: Config = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Total number of trials, including those of earlier calls.")
    ] = 20,
    time_budget: Annotated[
        str | None, typer.Option(help="Start no further trial after this time (90s, 10m, 1h).")
    ] = None,
    sampler: Annotated[
        Literal["tpe", "cmaes", "evolutionary"], typer.Option(help="Optuna sampler.")
    ] = "tpe",
    study: Annotated[
        str | None, typer.Option(help="Study name; an existing study of that name is resumed.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that run trials.")] = 1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run trials on a Dask cluster.")
    ] = None,
    space: Annotated[
        Path | None, typer.Option(help="Search space as YAML (default: built in).")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="YAML for the best config.")] = None,
    data: Data = None,
    horizon: Horizon = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Search for a better config with Optuna; resumable."""
    experiment = experiment_of(config, data, horizon, overrides)
    budget = seconds(time_budget) if time_budget else float("inf")
    from foreseq.selection import space as spaces

    searched = spaces.read_space(space) if space else spaces.open_space(experiment)
    begin(opening("tune", experiment), "tune")
    from foreseq.pipelines.flows.tune import Plan
    from foreseq.pipelines.flows.tune import tune as flow
    from foreseq.pipelines.runtime import console
    from foreseq.tracking import store

    name = study or f"{experiment.model}-{sampler}"
    plan = Plan(
        name=name,
        storage=store.home() / "studies.db",
        space=searched,
        output=output or Path(f"{name}.yaml"),
        sampler=sampler,
        trials=trials,
        deadline=time.time() + budget,
    )
    tuned = flow(experiment, plan, workers, dask)
    best = tuned.best
    _say(f"best     trial {best.number}: validation {best.error:.4f}")
    _say(f"trials   {best.completed} completed, {best.pruned} pruned")
    console.say_run(tuned.run_id, store.ui_link(tuned.run_id))
    _say(f"next     foreseq run {tuned.output}")
    result(
        as_json,
        study=name,
        run_id=tuned.run_id,
        trial=best.number,
        validation=best.error,
        values=best.values,
        config=str(tuned.output),
    )


app.command()(look.show)
app.command("open")(look.open_report)
operate.add_to(app)
app.add_typer(text.text, name="text")
app.add_typer(text.diagnose, name="diagnose")


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port, on this machine only.")] = 5000) -> None:
    """Serve the MLflow UI on the configured store."""
    if not 0 < port <= MOST_PORTS:
        raise ConfigError(f"--port {port}: must be between 1 and {MOST_PORTS}")
    from foreseq.pipelines.runtime import server

    server.require(server.mlflow())
    from foreseq.tracking import store

    store.open_store()
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # 2 processes, not 10
    _say(f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning")
    command = ["-m", "mlflow", "ui", "--backend-store-uri", store.address(), "--port", str(port)]
    command += ["--workers", "1"]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 our own interpreter


@app.command()
def example_data(
    target: Annotated[Path, typer.Argument(help="NAME.csv, NAME.parquet, or a folder of parts.")],
    series: Annotated[int, typer.Option(min=1, help="Number of series.")] = 100,
    freq: Annotated[str, typer.Option(help="D, h, MS, ...; 1 for integer steps.")] = "D",
    length: Annotated[int, typer.Option(min=2, help="Steps of the longest series.")] = 730,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same data.")] = 1,
) -> None:
    """Write a panel of realistic example series."""
    from foreseq.series import examples

    _say(f"wrote {examples.write(target, series, freq, length, seed)}")


@app.command()
def doctor() -> None:
    """Show versions, folders, stores and what is wrong."""
    from foreseq.pipelines.runtime.doctor import diagnose

    worst = 0
    for finding in diagnose():
        worst = max(worst, finding.exit_code)
        _say(f"{'WRONG' if finding.exit_code else 'ok   '} {finding.name:<12} {finding.message}")
    if worst:
        raise typer.Exit(worst)


def _require_published(published: "Published") -> None:  # type: ignore[type-arg]
    if not published.decision.published:
        raise NotPublished(f"{published.version} is rejected, see the line `gate` above")


def _require_all_series(manifest: "Manifest") -> None:
    if manifest.refused:
        raise DoneInPart(
            f"{len(manifest.refused)} files refused, see _manifest.json; first"
            f" {next(iter(manifest.refused.values()))}"
        )
    if manifest.failures:
        series, reason = next(iter(manifest.failures.items()))
        raise DoneInPart(
            f"{len(manifest.failures)} series without a forecast, see _manifest.json; first"
            f" {series}: {reason}"
        )


def _say(line: str) -> None:
    from foreseq.pipelines.runtime import console

    console.say(line)
