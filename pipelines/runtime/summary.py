"""What a run tells: a few lines for people on data, training, test and forecast."""

import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

import pandas as pd

from foreseq.evaluation.backtest import Backtest
from foreseq.forecasting import writer
from foreseq.ingest.repairs import Repairs
from foreseq.pipelines.runtime import plot
from foreseq.pipelines.runtime.progress import duration
from foreseq.report.html import number, percent
from foreseq.report.leaderboard import Leaderboard
from foreseq.selection.choose import Chosen
from foreseq.training.loop import Fitted

WIDTH = 70
"""Letters of what covariates there are: a line holds 80."""
OFTEN = {
    "min": "every minute",
    "h": "hourly",
    "D": "daily",
    "B": "on business days",
    "W": "weekly",
    "M": "monthly",
    "Q": "quarterly",
    "Y": "yearly",
}
"""Frequencies for people, by the letters they begin with."""


def data(repairs: Repairs, freq: str) -> list[str]:
    """Return what was read, and on a line of its own what was repaired and looks wrong.

    Example:
        >>> for line in data(Repairs(5, 1, 6, "2024-01", "2024-06", gaps=1), "MS"):
        ...     print(line)
        data     1 series, monthly, 2024-01 to 2024-06, 5 rows
        noted    1 steps without a row left unobserved
        >>> found = ("price: known ahead, it is filled in beyond the last y", "kind: static, fixed")
        >>> data(Repairs(5, 1, 5, "1", "5", covariates=found), "1")[1]
        'beside   price known ahead; kind static'
    """
    _, _, noted = str(repairs).partition("; ")
    span = f"{repairs.first} to {repairs.last}, {repairs.rows:,} rows"
    lines = [f"data     {repairs.series:,} series, {often(freq)}, {span}"]
    if repairs.covariates:
        roles = "; ".join(note.split(", ")[0].replace(":", "", 1) for note in repairs.covariates)
        lines.append(f"beside   {shorten(roles, WIDTH, placeholder=' ...')}")
    return lines + ([f"noted    {noted}"] if noted else [])


def often(freq: str) -> str:
    """Return a frequency in words, where it is a usual one.

    Example:
        >>> often("MS"), often("W-SUN"), often("15min"), often("1")
        ('monthly', 'weekly', 'every 15min', 'integer steps')
    """
    usual = re.fullmatch(r"([A-Z]|h|min)(?:[SE])?(?:-\w+)?(?:@.+)?", freq)
    if usual and usual[1] in OFTEN:
        return OFTEN[usual[1]]
    return "integer steps" if freq == "1" else f"every {freq}"


def trained(chosen: Chosen, members: Sequence[Fitted], seconds: float) -> str:
    """Return how a forecaster came to be."""
    training, tried = chosen.experiment.training, len(chosen.candidates)
    searched = f"{tried} variants tried, " if tried else ""
    many = f"{len(members)} networks" if len(members) > 1 else "one network"
    learned = f"{many} of at most {training.max_steps:,} steps"
    if not training.max_steps:
        learned = "the pretrained network as it is"
    elif training.start == "pretrained":
        learned += ", from pretrained weights"
    return f"trained  {searched}{learned}, {duration(seconds)}"


def leaderboard(backtest: Backtest | None, board: Leaderboard | None) -> list[str]:
    """Return the leaderboard as a table of text, and how well the intervals held.

    Both are None where no series was long enough for a test.
    """
    if backtest is None or board is None:
        return ["warning  not tested: no series is long enough for this horizon; check it yourself"]
    rows = [f"tested   {board.windows:<42}{board.measure:>9}{'CRPS':>9}{'seconds':>9}"]
    for name, error, crps, clock in (place.cells() for place in board.places):
        rows.append(f"         {name:<42}{error:>9}{crps:>9}{clock:>9}".rstrip())
    for interval in backtest.intervals()[:1]:
        level, inside = percent(interval.level), percent(interval.coverage)
        rows.append(f"         {level} intervals of foreseq held {inside} of the actuals")
    return rows


def forecast(manifest: writer.Manifest, folder: Path, where: object = "") -> list[str]:
    """Return where forecasts are; of a single series also how they go on.

    Args:
        manifest: Of the forecasts.
        folder: That holds them.
        where: How the place is called; empty: as the folder.
    """
    lines = [writer.summary(manifest, where or folder)]
    if manifest.series == 1 and manifest.rows:
        table = writer.read(folder)
        lines.append(f"         {plot.spark(table['y_hat'].to_numpy(float))}  {span(table)}")
    return lines


def span(table: pd.DataFrame) -> str:
    """Return from when to when forecasts are, and from which to which value."""
    low, high = number(table["y_hat"].min()), number(table["y_hat"].max())
    first, last = (plot.brief_time(table["ds"].iloc[at]) for at in (0, -1))
    return f"{first} to {last}, {low} to {high}"
