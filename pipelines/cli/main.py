"""The command line: each command runs the flow of its name.

Heavy imports wait inside the commands, so that `--help` answers at once.
"""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foreseq.errors import DoneInPart, ForeseqError, NotPublished
from foreseq.pipelines.cli import monitor, schedule, text, trust, tune
from foreseq.pipelines.cli.command import begin, experiment_of, histories, result, seconds
from foreseq.pipelines.runtime import environment

if TYPE_CHECKING:
    from foreseq.forecasting.writer import Manifest

app = typer.Typer(
    help="Recurrent forecasts of many time series: trained, judged, published, made every night.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(text.text, name="text")
app.add_typer(text.diagnose, name="diagnose")
app.command()(tune.tune)
app.command()(monitor.monitor)
app.command()(monitor.history)
app.command()(schedule.serve)
app.command()(schedule.backfill)
app.command()(trust.reproduce)

Config = Annotated[Path | None, typer.Argument(help="YAML of the experiment.", show_default=False)]
Data = Annotated[str | None, typer.Option(help="Long CSV or Parquet, or a URL, without a config.")]
Horizon = Annotated[int | None, typer.Option(min=1, help="Steps to forecast.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override: training.max_steps=500.")]
Output = Annotated[Path | None, typer.Option(help="Folder for the forecasts.")]
Budget = Annotated[str | None, typer.Option(help="For search and training: 90s, 10m, 1h.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")]


def main() -> None:
    """Run the command line; expected failures become one message and an exit code."""
    environment.prepare()
    try:
        app()
    except ForeseqError as error:
        _say(f"foreseq: {error}")
        sys.exit(error.exit_code)
    except Exception as error:
        from foreseq.pipelines.runtime import console

        console.say_crash(error)
        sys.exit(1)


@app.command()
def run(
    config: Config = None,
    data: Data = None,
    horizon: Horizon = None,
    output: Output = None,
    time_budget: Budget = None,
    overrides: Set = None,
    as_json: AsJson = False,
) -> None:
    """Ingest, train, evaluate, publish through the gate, and forecast.

    Without arguments: the AirPassengers example.
    """
    experiment = experiment_of(config, data, horizon, _with_budget(overrides, time_budget))
    begin("run")
    from foreseq.pipelines.flows.run import run as flow
    from foreseq.pipelines.runtime.console import say
    from foreseq.tracking import store

    ran = flow(experiment, output)
    decision = ran.published.decision
    say(f"forecast {ran.manifest.series} series x {ran.manifest.horizon} steps in {ran.folder}")
    say(f"skill    {ran.published.skill:.3f} over the seasonal naive, on the test windows")
    say(f"compare  foreseq ui, then {store.ui_link(ran.run_id)}")
    result(
        as_json,
        run_id=ran.run_id,
        model=experiment.model,
        version=str(ran.published.version),
        published=decision.published,
        reason=decision.reason,
        skill=ran.published.skill,
        forecast=str(ran.folder),
        forecast_by=ran.manifest.model_version,
    )
    if not decision.published:
        raise NotPublished(f"{ran.published.version} is rejected: {decision.reason}")
    _complain_of_failures(ran.manifest)


@app.command()
def ingest(
    config: Config = None,
    data: Data = None,
    horizon: Horizon = 1,
    overrides: Set = None,
    as_json: AsJson = False,
) -> None:
    """Read, check and store the series of a config or file."""
    experiment = experiment_of(config, data, horizon, overrides)
    begin("ingest")
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
    overrides: Set = None,
    as_json: AsJson = False,
) -> None:
    """Train and test a forecaster and track it; publish nothing."""
    experiment = experiment_of(config, data, horizon, _with_budget(overrides, time_budget))
    begin("ingest", "train")
    from foreseq.pipelines.flows.ingest import ingest as read
    from foreseq.pipelines.flows.train import train as flow

    run_id = flow(experiment, read(experiment.dataset)).run_id
    result(as_json, run_id=run_id, model=experiment.model)


@app.command()
def publish(run_id: str, as_json: AsJson = False) -> None:
    """Let the gate decide on the forecaster of a training run."""
    begin("publish")
    from foreseq.pipelines.flows.publish import publish as flow

    published = flow(run_id)
    result(
        as_json,
        version=str(published.version),
        published=published.decision.published,
        reason=published.decision.reason,
        skill=published.skill,
    )
    if not published.decision.published:
        raise NotPublished(f"{published.version} is rejected: {published.decision.reason}")


@app.command()
def rollback(model: str, as_json: AsJson = False) -> None:
    """Make the previous champion of a model its champion again."""
    begin()
    from foreseq.pipelines.runtime.console import say
    from foreseq.tracking import registry

    version = registry.rollback(model)
    say(f"champion {version}")
    result(as_json, version=str(version))


@app.command()
def forecast(
    model: Annotated[str, typer.Option(help="NAME@champion, NAME/3 or NAME.")],
    output: Annotated[Path, typer.Option(help="Folder for the forecasts.")],
    history: Annotated[
        str | None, typer.Option("--input", help="Histories; without: the model's own source.")
    ] = None,
    paths: Annotated[int, typer.Option(min=0, help="Paths to simulate, a column each.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="File by file, in so many processes.")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="File by file, on a Dask cluster.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast what follows the last observation of every series, whole or not at all."""
    source = histories(history)
    if workers is not None or dask is not None:
        begin("bulk")
        from foreseq.pipelines.flows.bulk import forecast_files, runner

        manifest = forecast_files.with_options(task_runner=runner(workers or 1, dask))(
            model, source, output, paths
        )
    else:
        begin("forecast")
        from foreseq.pipelines.flows.forecast import forecast as flow

        manifest = flow(model, source, output, paths)
    result(as_json, forecast=str(output), **manifest.model_dump(exclude={"parts"}))
    _complain_of_failures(manifest)


@app.command()
def backtest(
    model: Annotated[str, typer.Option(help="NAME@champion, NAME/3 or NAME.")],
    history: Annotated[
        str | None, typer.Option("--input", help="Series; without: the model's own source.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a published forecaster on the newest windows it has not seen."""
    begin("backtest")
    from foreseq.pipelines.flows.backtest import backtest as flow

    source = histories(history)
    scores = flow(model, source)
    result(as_json, **{name: score._asdict() for name, score in scores.items()})


@app.command()
def verify(
    config: Config = None,
    data: Data = None,
    horizon: Horizon = None,
    overrides: Set = None,
    as_json: AsJson = False,
) -> None:
    """Prove on your own data that nothing looks ahead and that noise has no skill."""
    experiment = experiment_of(config, data, horizon, overrides)
    begin("reproduce")
    from foreseq.pipelines.flows.reproduce import verify_experiment as flow

    findings = flow(experiment)
    result(as_json, findings=[finding._asdict() for finding in findings])
    failed = ", ".join(finding.name for finding in findings if not finding.holds)
    if failed:
        raise ForeseqError(f"does not hold: {failed}; do not trust these forecasts")


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Where it listens, on this machine only.")] = 5000,
) -> None:
    """Open the MLflow UI on the configured store."""
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
    series: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    freq: Annotated[str, typer.Option(help="D, h, MS, ...; 1 for integer steps.")] = "D",
    length: Annotated[int, typer.Option(min=2, help="Steps of the longest.")] = 730,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same data.")] = 1,
) -> None:
    """Write a panel of made-up but realistic series."""
    from foreseq.series import examples

    _say(f"wrote {examples.write(target, series, freq, length, seed)}")


@app.command()
def doctor() -> None:
    """Tell what is installed, where data and stores are, and what is wrong."""
    from foreseq.pipelines.runtime.doctor import diagnose

    healthy = True
    for name, told, fine in diagnose():
        healthy &= fine
        _say(f"{'ok   ' if fine else 'WRONG'} {name:<12} {told}")
    if not healthy:
        raise typer.Exit(1)


def _with_budget(overrides: list[str] | None, budget: str | None) -> list[str]:
    """Return the overrides with the time budget among them."""
    told = overrides or []
    if budget is None:
        return told
    return [f"auto.time_budget={seconds(budget)}", *told]


def _complain_of_failures(manifest: "Manifest") -> None:
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
