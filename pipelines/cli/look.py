"""The commands that look at what there is: `foreseq show` and `foreseq open`.

Heavy imports wait inside the commands, so that `--help` answers at once.
"""

import json
import re
import sys
import webbrowser
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foreseq.errors import ConfigError
from foreseq.forecasting.output import PRETRAINED
from foreseq.pipelines.cli.command import begin
from foreseq.pipelines.runtime import environment

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "_manifest.json"
"""Of a folder of forecasts. Its writer is not imported, as that brings TensorFlow."""
MOST_SERIES, MOST_STEPS, MOST_NAMED = 20, 24, 5
"""That are listed."""
PAST, LEAST = 2, 12
"""Horizons of the past in a plot, and the fewest steps."""
RUN_ID = 32
"""Letters of the id of an MLflow run."""


def show(
    what: Annotated[
        str, typer.Argument(help="Folder of forecasts, or a model.", metavar="FORECAST_OR_MODEL")
    ],
    series: Annotated[str | None, typer.Option(metavar="ID", help="One of many series.")] = None,
) -> None:
    """Show a forecast as a table and a plot, in the terminal."""
    folder = _forecasts(what)
    from rich.console import Console
    from rich.text import Text

    made = _manifest(folder)
    table = _table(folder, made, series)
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    names = table["unique_id"].unique()
    is_one = len(names) == 1
    which = f"series {names[0]}" if is_one else f"{made['series']:,} series"
    steps = f"{made['horizon']} steps, by {made['model_version']}"
    console.print(Text(f"{folder}: {which}, {steps}", "bold"))
    for line in _one(table, made["data"]) if is_one else _overview(table, made["series"]):
        console.print(line if isinstance(line, Text) else Text(line))


def open_report(
    what: Annotated[
        str,
        typer.Argument(
            help="MLflow run, folder of forecasts, or model as NAME or NAME/3.",
            metavar="RUN_OR_FORECAST_OR_MODEL",
        ),
    ],
) -> None:
    """Open the report on a model in a browser; print its place."""
    begin(f"open     {what}")
    from foreseq.tracking import registry, store

    wanted = _manifest(Path(what))["model_version"] if (Path(what) / MANIFEST).is_file() else what
    if wanted.startswith(f"{PRETRAINED}/"):
        raise ConfigError(f"{wanted}: no report; `foreseq show` shows the forecast itself")
    is_run = len(wanted) == RUN_ID and wanted.isalnum()
    run_id = wanted if is_run else registry.resolve(wanted).run_id
    folder = store.local(store.get_run(run_id).info.artifact_uri)
    place = address = store.report_link(run_id)
    if folder is not None:
        file = (folder / store.REPORT).absolute()
        if not file.is_file():
            raise ConfigError(f"{wanted}: its run {run_id} has no report")
        address = file.as_uri()
        place = str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)
    sys.stdout.write(f"{place}\n")
    if not webbrowser.open(address):
        raise ConfigError("no browser was found here; open the page above in one")


def _manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))


def _forecasts(what: str) -> Path:
    """Return a folder of forecasts, or the newest one of a model.

    Raises:
        ConfigError: If there is none.
    """
    if (Path(what) / MANIFEST).is_file():
        return Path(what)
    home = environment.data() / "forecasts"
    files = sorted(home.glob(f"**/{MANIFEST}"), key=lambda file: file.stat().st_mtime)
    by = {file.parent: _manifest(file.parent)["model_version"] for file in files}
    names = {version.rpartition("/")[0] for version in by.values()}
    name = what.removesuffix("@champion")
    found = [
        folder for folder, version in by.items() if name in (version, version.rpartition("/")[0])
    ]
    if not found:
        there = f"there are those of {', '.join(sorted(names))}" if names else "there are none yet"
        raise ConfigError(
            f"{what}: neither a folder of forecasts nor a model with forecasts in {home}; {there}"
        )
    return found[-1]


def _table(folder: Path, made: dict[str, Any], series: str | None) -> "pd.DataFrame":
    """Return the forecasts of one series, or all of the first part.

    Raises:
        ConfigError: If there is no such series, or no forecast at all.
    """
    import pandas as pd

    if not made["rows"]:
        raise ConfigError(f"{folder}: no series has a forecast; {MANIFEST} there says why")
    if series is None:
        parts = sorted(made["parts"])[: MOST_SERIES if made.get("by") else 1]
        return pd.concat([pd.read_parquet(folder / part, partitioning=None) for part in parts])
    ids = pd.read_parquet(folder, columns=["unique_id"])["unique_id"].unique().tolist()
    wanted = [one for one in ids if str(one) == series]
    if not wanted:
        there = ", ".join(get_close_matches(series, map(str, ids)) or map(str, ids[:MOST_NAMED]))
        raise ConfigError(f"{folder}: no forecast of series {series}; there is {there}")
    return pd.read_parquet(folder, filters=[("unique_id", "==", wanted[0])])


def _overview(table: "pd.DataFrame", count: int) -> Iterator[str]:
    """Yield a line on each series."""
    from foreseq.pipelines.runtime import plot
    from foreseq.report.html import number

    yield f"{'unique_id':<28}{'first':>11}{'last':>11}"
    for name, one in islice(table.groupby("unique_id", sort=False), MOST_SERIES):
        values = one["y_hat"].to_numpy(float)
        ends = f"{number(values[0]):>11}{number(values[-1]):>11}"
        yield f"{str(name)[:27]:<28}{ends}  {plot.spark(values, 28)}"
    more = f"and {count - MOST_SERIES:,} more; " if count > MOST_SERIES else ""
    yield f"{more}--series ID shows one of them"


def _one(table: "pd.DataFrame", fingerprint: str) -> Iterator[Any]:
    """Yield a plot of a series and its forecast, and the table."""
    import numpy as np
    from rich.text import Text

    from foreseq.pipelines.runtime import plot
    from foreseq.report.html import number

    name, horizon = str(table["unique_id"].iloc[0]), len(table)
    levels = [column for column in map(str, table) if re.fullmatch(r"q[\d.]+", column)]
    shown = ["y_hat", *dict.fromkeys([*levels[:1], *levels[-1:]])]
    past, first = np.empty(0), str(table["ds"].iloc[0])
    panel = _history(fingerprint)
    if panel is not None:
        position = panel.ids.tolist().index(name)
        past = np.where(panel.seen(position), panel.series(position), np.nan)
        past = past[-max(PAST * horizon, LEAST) :]
        first = str(panel.times(position, panel.lengths[position] - len(past), 1)[0])
    lines, begins = plot.draw(past, table[shown].to_numpy(float))
    for line in lines:
        text = Text(line)
        text.stylize("cyan", begins)
        yield text
    ends = [plot.brief_time(time) for time in (first, table["ds"].iloc[0], table["ds"].iloc[-1])]
    yield plot.axis(ends, begins)
    yield ""
    yield f"{'ds':<26}" + "".join(f"{column:>13}" for column in shown)
    rows = table if horizon <= MOST_STEPS else table.iloc[: MOST_STEPS // 2]
    for time, *values in rows[["ds", *shown]].itertuples(index=False):
        yield f"{plot.brief_time(time):<26}" + "".join(f"{number(one):>13}" for one in values)
    if len(rows) < horizon:
        yield f"and {horizon - len(rows):,} more steps"


def _history(fingerprint: str) -> Any:
    """Return the panel that was forecast, if it is still in the store."""
    from foreseq.series import panel

    for file in (environment.data() / "series").glob("*/*/panel.json"):
        if fingerprint in file.read_text(encoding="utf-8"):
            return panel.load(file.parent)
    return None
