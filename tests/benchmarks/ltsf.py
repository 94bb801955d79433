"""ETTh1 as the literature on long horizons scores it: z-scored, every window of the test part.

    python tests/benchmarks/ltsf.py --set training.seed=2                 # validation windows
    python tests/benchmarks/ltsf.py --test --write etth1-forecast.parquet  # the test part, once

The written file is what an independent scorer reads: `origin`, `step` and a column per series. Rows
0 to 8639 train, the next 2880 validate, the next 2880 test, the rest is not used.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import looked, say

from foreseq.config import ColumnsConfig, load_experiment
from foreseq.forecasting import bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.ingest.read import read_table
from foreseq.ingest.table import to_panel
from foreseq.selection.choose import by_rules
from foreseq.series import windows
from foreseq.training import fitting
from foreseq.training.fitting import Task

CONFIG = Path(__file__).parents[2] / "configs" / "forecasters" / "etth1.yaml"
TRAIN, END = 8640, 14400


def main() -> None:
    """Train, score and, if asked to, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--config", type=Path, default=CONFIG)
    options.add_argument("--set", action="append", default=[], dest="overrides")
    options.add_argument("--test", action="store_true", help="Score the test part.")
    options.add_argument("--write", type=Path, help="Parquet file for the forecasts.")
    args = options.parse_args()

    experiment = load_experiment(args.config, args.overrides)
    long = read_table(experiment.dataset).groupby("unique_id", sort=False).head(END)
    canonical = {"columns": ColumnsConfig(), "layout": "long"}
    panel, _ = to_panel(long, experiment.dataset.model_copy(update=canonical))
    experiment, _, _, _ = by_rules(experiment, panel)
    parts = windows.split(panel, experiment.dataset.horizon, experiment.split)

    begun = time.perf_counter()
    steps = experiment.training.max_steps
    task = Task(panel, parts.train_ends, parts.validation, steps)
    members = fitting.fit(task, experiment, report=looked)
    best = [member.best_step for member in members]
    say(f"trained in {time.perf_counter() - begun:.0f} s, best steps {best}")
    forecaster = Ensemble(experiment, bundle.state(panel, parts.train_ends, members))
    chosen = parts.test if args.test else parts.validation
    point = forecaster.point(panel, chosen)

    values = panel.values.reshape(panel.n_series, -1)
    std = values[:, :TRAIN].std(axis=1)[chosen.series, None]
    actual = windows.futures(panel, chosen, experiment.dataset.horizon)
    error = (point - actual) / std
    name = "test" if args.test else "validation"
    say(f"{name}: MSE {np.mean(error**2):.4f}  MAE {np.mean(np.abs(error)):.4f}")
    if args.write:
        table(panel, chosen, point).to_parquet(args.write, index=False)


def table(panel, chosen, point):
    """Return a row per origin and step, a column per series."""
    horizon = point.shape[1]
    long = pd.DataFrame(
        {
            "unique_id": np.repeat(panel.ids[chosen.series].astype(object), horizon),
            "origin": np.repeat(chosen.cutoff - 1, horizon),
            "step": np.tile(np.arange(1, horizon + 1), chosen.count),
            "y": point.ravel(),
        }
    )
    return long.pivot_table(index=["origin", "step"], columns="unique_id", values="y").reset_index()


if __name__ == "__main__":
    main()
