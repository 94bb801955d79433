"""`auto` on every public series set beside the seasonal naive and the best classical models.

    python tests/benchmarks/auto_vs_classics.py --python OTHER/bin/python --time-budget 120
    python tests/benchmarks/auto_vs_classics.py --python OTHER/bin/python --part test   # once

What foreseq does is what `foreseq run --data FILE --horizon N` does: it is given the steps before
the judged part and nothing else, chooses, trains, learns on, and its final weights forecast from
every cutoff of the judged part. Validation judges the newest steps of the training files, test the
test files. The classical models (statsforecast, in an interpreter that you name) are fitted anew at
each cutoff, on the newest 1000 steps. MASE is the mean over series, scaled by what came before the
judged part.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import ROOT, by_itself, classics, histories, judge_each

from foreseq import metrics
from foreseq.config import ColumnsConfig, build_experiment, read_yaml
from foreseq.evaluation import baselines
from foreseq.ingest.read import read_table
from foreseq.ingest.table import to_panel
from foreseq.series import windows
from foreseq.series.windows import Windows

CLASSICS = ("AutoETS", "AutoTheta", "AutoARIMA", "MSTL")
LONGEST = 1000
"""Newest steps a classical model is fitted to."""


@dataclass(frozen=True)
class Judged:
    """What of a series set is judged; cutoffs lie `stride` steps apart, from the newest back."""

    dataset: str
    """Name of its config."""
    validation: int
    """Newest steps of the training part that are judged before the test is read."""
    stride: int
    file: str = ""
    """Its training file; empty: as in the config."""
    rows: tuple[int, int] = (0, 0)
    """Of a set in one file: where training ends, and the validation part."""
    horizon: int = 0
    """0: as in the config."""


SETS = {
    "airline_passengers": Judged("air-passengers", 24, 2, "airline_passengers-train.parquet"),
    "airline_one_step": Judged("air-passengers", 24, 1, rows=(72, 96), horizon=1),
    "daily_min_temperatures": Judged("daily-min-temperatures", 485, 30),
    "monthly_sunspots": Judged("monthly-sunspots", 228, 24),
    "exchange_rate": Judged("exchange-rate", 760, 83),
    "m4_weekly": Judged("m4-weekly", 13, 13),
    "m4_hourly": Judged("m4-hourly", 48, 48),
    "etth1": Judged("etth1", 2880, 116, rows=(8640, 11520)),
}
TEST_ROWS = 14400
"""Of sets in one file: rows after these are not used."""


def main() -> None:
    """Judge each set and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--python", default="", help="Interpreter that has statsforecast.")
    options.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    options.add_argument("--part", default="validation", choices=["validation", "test"])
    options.add_argument("--time-budget", type=float, default=600.0, help="Seconds for foreseq.")
    options.add_argument("--patience", type=float, default=900.0, help="Seconds for a classic.")
    options.add_argument("--classics", nargs="+", default=list(CLASSICS), choices=list(CLASSICS))
    options.add_argument("--windows", type=int, default=120, help="Most windows for the classics.")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--set", action="append", default=[], dest="overrides")
    options.add_argument("--output", type=Path, help="Markdown file to write.")
    args = options.parse_args()
    judge_each(args.sets, judge, args, overrides=args.overrides or "none")


def judge(name, args):
    """Return the row of one set."""
    judged = SETS[name]
    experiment = plan(judged, [f"auto.time_budget={args.time_budget}", *args.overrides])
    before, whole = tables(judged, experiment, args.part)
    read = experiment.dataset.model_copy(update={"columns": ColumnsConfig(), "layout": "long"})
    given, _ = to_panel(before, read)
    alike = read.model_copy(update={"freq": given.freq, "season": given.season})
    panel, _ = to_panel(whole, alike)
    horizon = read.horizon
    chosen = cutoffs(given, panel, horizon, judged.stride)
    actual = windows.futures(panel, chosen, horizon)
    scale = metrics.seasonal_errors(
        given.values, given.observed, given.offsets, given.lengths, given.season
    )

    forecaster, seconds = by_itself(name, experiment, given)
    forecasts = {"foreseq": forecaster.point(panel, chosen)}
    forecasts |= {
        each: baselines.BASELINES[each](panel, chosen, horizon)
        for each in (baselines.SEASONAL_NAIVE, baselines.NAIVE)
    }

    def mase(forecast, rows=slice(None)):
        part = chosen.take(rows)
        return metrics.score(actual[rows], forecast, part.series, scale).mase

    few = slice(None, None, -(-chosen.count // args.windows))
    row = {"data": name, "windows": chosen.count, "season": given.season, "seconds": seconds}
    row |= {each: mase(forecast) for each, forecast in forecasts.items()}
    row["RMSE"] = metrics.score(actual, forecasts["foreseq"], chosen.series, scale).rmse
    row["classics' windows"] = chosen.take(few).count
    row["foreseq there"] = mase(forecasts["foreseq"][few], few)
    rivals = {}
    if args.python:
        history = histories(panel, chosen.take(few), LONGEST)
        rivals = classics(name, args, history, alike, lambda answer: mase(answer, few))
    row |= rivals
    best = np.nanmin([*rivals.values(), np.inf])
    row["over seasonal naive"] = 1 - row["foreseq"] / row[baselines.SEASONAL_NAIVE]
    row["over best classic"] = 1 - row["foreseq there"] / best if np.isfinite(best) else np.nan
    return row


def plan(judged, overrides):
    """Return the experiment of a user who says nothing but where the data are."""
    args = read_yaml(ROOT / "configs" / "datasets" / f"{judged.dataset}.yaml")
    if judged.horizon:
        args["horizon"] = judged.horizon
    if judged.file:
        args["source"] = f"../shared/data/{judged.file}"
    return build_experiment({"dataset": args}, overrides)


def tables(judged, experiment, part):
    """Return the long table that foreseq is given, and the one with the judged steps as well."""
    long = read_table(experiment.dataset)
    by_series = long.groupby("unique_id", sort=False)
    if judged.rows[0]:
        given, end = judged.rows if part == "validation" else (judged.rows[1], TEST_ROWS)
        return by_series.head(given), by_series.head(end)
    if part == "validation":
        return by_series.head(-judged.validation), long
    file = experiment.dataset.source.replace("-train", "-test")
    test = read_table(experiment.dataset.model_copy(update={"source": file}))
    return long, pd.concat([long, test], ignore_index=True)


def cutoffs(given, panel, horizon, stride):
    """Return the windows whose futures lie after what was given, from the newest back."""
    series, cutoff = [], []
    for position, (first, end) in enumerate(zip(given.lengths, panel.lengths, strict=True)):
        here = np.arange(end - horizon, first - 1, -stride)[::-1]
        series.append(np.full(len(here), position))
        cutoff.append(here)
    return Windows(np.concatenate(series), np.concatenate(cutoff))


if __name__ == "__main__":
    main()
