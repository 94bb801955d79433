"""Commands that run by themselves or prove something: serve, monitor, verify, reproduce, ...

Heavy imports wait inside the commands, so that `--help` answers at once.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from foreseq.config import history_fields
from foreseq.config.dataset import without_secrets
from foreseq.errors import CheckFailed, ConfigError, NotPublished
from foreseq.pipelines.cli.command import (
    AsJson,
    Config,
    Data,
    HistoryOverrides,
    Horizon,
    Model,
    Overrides,
    begin,
    experiment_of,
    opening,
    result,
)

SCHEDULES = Path("configs") / "schedules"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    for command in (explore, monitor, index, history, serve, backfill, verify, reproduce, pretrain):
        app.command()(command)


def explore(
    data: Annotated[
        str, typer.Argument(help="File, URL or database, or YAML of an experiment.", metavar="DATA")
    ],
    output: Annotated[Path, typer.Option(help="Page to write.")] = Path("explore.html"),
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show what series look like before any training."""
    is_config = data.endswith((".yaml", ".yml"))
    dataset = experiment_of(
        Path(data) if is_config else None, None if is_config else data, 1, overrides
    ).dataset
    begin(f"explore  {without_secrets(data)}")
    from foreseq.durable import files
    from foreseq.ingest.fetch import fetch
    from foreseq.ingest.read import read_file
    from foreseq.ingest.table import to_panel
    from foreseq.pipelines.runtime import console, environment, summary
    from foreseq.report import exploration

    table = read_file(fetch(dataset, environment.data() / "raw"), dataset)
    panel, repairs = to_panel(table, dataset, file=without_secrets(dataset.source))
    for line in summary.data(repairs, panel.freq):
        console.say(line)
    explored = exploration.explore(panel, repairs)
    lines = exploration.lines(explored)
    for head, text in lines:
        console.say(f"{head:<8} {text}")
    with files.new_file(output.absolute()) as temporary:
        temporary.write_text(exploration.page(explored, dataset.name), encoding="utf-8")
    console.say(f"page     {output}")
    result(as_json, page=str(output), repairs=asdict(repairs), lines=dict(lines))


def monitor(
    model: Model,
    actuals: Annotated[
        str | None,
        typer.Option(
            "--input", help="CSV or Parquet with the actuals (default: the training source)."
        ),
    ] = None,
    overrides: HistoryOverrides = None,
    forecasts: Annotated[
        Path | None, typer.Option(help="Folder of forecasts (default: data/forecasts).")
    ] = None,
    retrain: Annotated[
        Literal["auto", "never"],
        typer.Option(help="auto: recalibrate or retrain if needed; never: only report."),
    ] = "never",
    as_json: AsJson = False,
) -> None:
    """Compare past forecasts with actuals and decide."""
    source = history_fields(actuals, overrides or ())
    begin(f"monitor  {model}", "monitor")
    from foreseq.pipelines.flows.monitor import monitor as flow

    checked = flow(model, source, forecasts, retrain)
    decided = checked.decided
    result(
        as_json,
        decision=decided.action,
        reason=decided.reason,
        version=decided.version,
        acted=decided.acted,
        published=decided.published,
        outcome=decided.outcome,
        until=decided.until,
        run_id=checked.run_id,
        page=str(checked.page),
        **checked.measures,
    )
    if decided.acted and not decided.published and retrain == "auto":
        raise NotPublished(decided.outcome)


def index(as_json: AsJson = False) -> None:
    """Write one page over all models, forecasts and nightly runs."""
    begin("index    of all models, forecasts and nightly runs")
    from foreseq.pipelines.runtime import console, environment
    from foreseq.tracking import overview

    page = overview.write(environment.data())
    console.say(f"page     {page}")
    result(as_json, page=str(page))


def history(
    dataset: Annotated[str, typer.Argument(help="Name of a dataset in data/series.")],
    as_json: AsJson = False,
) -> None:
    """List the versions of a dataset and their models."""
    begin(f"history  {dataset}")
    from foreseq.ingest import history as versions
    from foreseq.pipelines.runtime import console, environment
    from foreseq.tracking import run as runs

    known = versions.read(environment.data() / "series" / dataset)
    if not known:
        raise ConfigError(f"{dataset}: no such dataset in {environment.data() / 'series'}")
    rows = []
    for version in known:
        trained = runs.trained_on(version.fingerprint)
        rows.append({**version.model_dump(exclude={"settings", "content"}), "trained": trained})
        models = f"; trained: {', '.join(trained)}" if trained else ""
        console.say(f"{version.last}  {version.fingerprint[:12]}  {version.changes}{models}")
    result(as_json, versions=rows)


def serve(
    schedules_at: Annotated[
        Path, typer.Argument(help="YAML of a schedule, or a folder of them.", metavar="SCHEDULES")
    ] = SCHEDULES,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Port of Prefect's pages, if it is free.")
    ] = 4200,
) -> None:
    """Run schedules until stopped."""
    from foreseq.pipelines.runtime import schedules

    configs = [(path, schedules.load(path)) for path in schedules.find(schedules_at)]
    begin(f"serve    {schedules_at}", "serving", port=port)
    from foreseq.pipelines.flows.serving import serve_schedules

    serve_schedules(configs)


def backfill(
    schedule: Annotated[Path, typer.Argument(help="YAML of the schedule.")],
    first: Annotated[
        str, typer.Option("--from", metavar="TIME", help="2026-01-31T03:00, or a date; in UTC.")
    ],
    last: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The same; a date includes its whole day.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per interval.")
    ] = False,
) -> None:
    """Run the missing intervals of a schedule, the oldest first."""
    from foreseq.pipelines.runtime import schedules

    config = schedules.load(schedule)
    span = (schedules.parse_time(first), schedules.parse_time(last, end=True))
    begin(f"backfill {schedule} from {first} to {last}", "scheduled")
    from foreseq.pipelines.flows.scheduled import scheduled

    for due in config.between(*span):
        done = scheduled(schedule.absolute(), due)
        result(as_json, **done.model_dump(mode="json"))


def verify(
    config: Config = None,
    data: Data = None,
    horizon: Horizon = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Check that nothing looks ahead and noise has no skill."""
    experiment = experiment_of(config, data, horizon, overrides)
    begin(opening("verify", experiment), "reproduce")
    from foreseq.pipelines.flows.reproduce import verify_experiment as flow

    findings = flow(experiment)
    result(as_json, findings=[finding._asdict() for finding in findings])
    failed = ", ".join(finding.name for finding in findings if not finding.holds)
    if failed:
        raise CheckFailed(f"does not hold: {failed}; do not trust these forecasts")


def reproduce(
    run_id: Annotated[str, typer.Argument(help="MLflow run of a training.")],
    as_json: AsJson = False,
) -> None:
    """Train a tracked run again and compare the weights."""
    begin(f"repeat   run {run_id}", "reproduce")
    from foreseq.pipelines.flows.reproduce import reproduce as flow

    parts = flow(run_id)
    rows = [{**part._asdict(), "alike": part.alike} for part in parts]
    result(as_json, run_id=run_id, alike=all(part.alike for part in parts), parts=rows)
    other = ", ".join(part.name for part in parts if not part.alike)
    if other:
        raise CheckFailed(
            f"run {run_id} is not reproduced: {other} differ, though config and data are the same;"
            " another machine, other library versions or changed code can be the reason, see the"
            " line `code` above"
        )


def pretrain(
    output: Annotated[Path, typer.Option(help="Folder for the networks.")] = Path("networks"),
    season: Annotated[
        list[int] | None, typer.Option(help="Season of a network, may be repeated (default: all).")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Batches to learn (default: as in the package).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same network.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train the pretrained networks again; resumable."""
    begin(f"pretrain into {output}", "pretrain")
    from foreseq.pipelines.flows.pretrain import pretrain as flow
    from foreseq.pipelines.runtime import console
    from foreseq.training import pretrained
    from foreseq.training.pretraining import Recipe

    seasons = season or [family.season for family in pretrained.FAMILIES]
    families = [pretrained.needed(one) for one in seasons]
    recipes = [Recipe(family, steps or family.steps, seed) for family in families]
    made = flow(recipes, output)
    for one in made:
        console.say(f"wrote    {one.folder}, validation {one.validation:.4f}")
    result(as_json, networks={str(one.folder): one.validation for one in made})
