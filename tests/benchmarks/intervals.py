"""Print how well the intervals of a folder of forecasts hold on a test file, beside the classics.

    foreseq run configs/forecasters/m4-hourly.yaml --output hourly
    python tests/benchmarks/intervals.py configs/forecasters/m4-hourly.yaml hourly TEST.parquet

TEST is a long table `unique_id, ds, y` of what came after the last step of every series. A test
part is read once, at the very end: nothing may be chosen by what this prints.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from foreseq import metrics
from foreseq.config import ExperimentConfig, StatisticalBaselinesConfig, load_experiment
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import SEASONAL_NAIVE, seasonal_naive
from foreseq.evaluation.comparison import compare
from foreseq.forecasting import writer
from foreseq.ingest.read import read_file
from foreseq.ingest.store import ingest
from foreseq.series import panel, windows
from foreseq.series.panel import Panel


def main() -> None:
    """Print a line per forecaster and interval."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("forecasts", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--windows", type=int, default=100, help="to compare")
    parser.add_argument("--seconds", type=float, default=600, help="limit for them")
    args = parser.parse_args()
    experiment = load_experiment(args.config)
    plan = StatisticalBaselinesConfig(windows=args.windows, seconds=args.seconds)
    data = Path("data") / "series"
    series = panel.load(ingest(experiment.dataset, data).folder)
    table, actual = writer.read(args.forecasts), read_file(args.test, experiment.dataset)
    tested = held_against(series, table, actual, experiment.dataset.horizon)
    say(FORESEQ, "all series", tested)
    settled = _with_log(experiment, series, plan)
    found = compare(tested, series, settled)
    sys.stdout.write(f"compared {found.sample}; failed fits: {found.failures}\n")
    if found.backtest is not None:
        say(FORESEQ, "the same series", found.backtest)
        for name in found.names:
            say(name, "", found.backtest._replace(quantiles=found.quantiles[name]))


def held_against(
    series: Panel, forecasts: pd.DataFrame, actual: pd.DataFrame, horizon: int
) -> Backtest:
    """Return forecasts beside what came, in the order of the panel.

    Args:
        series: Histories, all before what came.
        forecasts: The table of `foreseq run`.
        actual: Columns `unique_id, ds, y`; the first `horizon` of each series count.
        horizon: Steps ahead.
    """
    names = sorted((c for c in forecasts if c.startswith("q")), key=lambda c: float(c[1:]))
    levels = tuple(round(float(name[1:]) / 100, 9) for name in names)
    chosen = windows.newest(series)
    count = series.n_series
    order = {name: place for place, name in enumerate(series.ids.tolist())}

    def lined_up(table: pd.DataFrame, columns: list[str]) -> np.ndarray:
        table = table[table["unique_id"].astype(str).isin(order)].sort_values(["unique_id", "ds"])
        place = table["unique_id"].astype(str).map(order).to_numpy()
        step = table.groupby("unique_id").cumcount().to_numpy()
        kept = step < horizon
        lines = np.full((count, horizon, len(columns)), np.nan)
        lines[place[kept], step[kept]] = table[columns].to_numpy(float)[kept]
        return lines

    quantiles = lined_up(forecasts, names)
    return Backtest(
        windows=chosen,
        actual=lined_up(actual, ["y"])[..., 0],
        forecasts={
            FORESEQ: lined_up(forecasts, ["y_hat"])[..., 0],
            SEASONAL_NAIVE: seasonal_naive(series, chosen, horizon),
        },
        quantiles=quantiles,
        seasonal_error=metrics.seasonal_errors(
            series.values, series.observed, series.offsets, series.lengths, series.season
        ),
        levels=levels,
    )


def say(name: str, where: str, tested: Backtest) -> None:
    """Print one forecaster's intervals."""
    for each in tested.intervals():
        sys.stdout.write(
            f"{name:<9} {100 * each.level:g}% interval holds {100 * each.coverage:5.1f}%,"
            f" mean scaled interval score {each.score:8.3f}  {where}\n"
        )


def _with_log(
    experiment: ExperimentConfig, series: Panel, plan: StatisticalBaselinesConfig
) -> ExperimentConfig:
    """Return the experiment with its logarithm resolved and the statistical baselines bounded."""
    log = experiment.network.log
    if log is None:
        log = bool((series.values[series.observed] > 0).all())
    network = experiment.network.model_copy(update={"log": log})
    return experiment.model_copy(update={"network": network, "statistical_baselines": plan})


if __name__ == "__main__":
    main()
