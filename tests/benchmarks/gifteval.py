"""foreseq on twelve configs of GIFT-Eval, by its protocol, beside published models.

    python tests/benchmarks/gifteval.py DATA                      # pretrained alone, no training
    python tests/benchmarks/gifteval.py DATA --time-budget 120    # choose, train, forecast
    python tests/benchmarks/gifteval.py DATA --part validation    # to decide by

DATA is a folder with ETTm1, M4 hourly and weekly, US births, hospital, and `gifteval.csv`, the
published scores. Forecasters are given what precedes the newest windows, a horizon apart, and
forecast each window once. MASE is that of the median, with the lag that GIFT-Eval uses; CRPS the
mean weighted quantile loss at 0.1 ... 0.9. Validation judges the windows before those of the test,
which then are not there at all. The last line has geometric means of the scores divided by the
seasonal naive's: as published for the test, computed here for validation.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from measuring import say

from foreseq import metrics
from foreseq.config import build_experiment
from foreseq.evaluation.baselines import seasonal_naive
from foreseq.experiment import recipe
from foreseq.experiment.zero_shot import zero_shot
from foreseq.forecasting.ensemble import Ensemble
from foreseq.ingest.table import to_panel
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

LEVELS = tuple(round(0.1 * n, 1) for n in range(1, 10))
PEERS = ("chronos-2", "TiRex", "TimesFM-2.5", "Toto-2.0-2.5B", "chronos_bolt_small", "auto_arima")
ETT = {1: "15min", 4: "h", 96: "D", 672: "7D"}


class Config(NamedTuple):
    """One set and how it is asked."""

    read: Callable[[Path], pd.DataFrame]
    horizon: int
    lag: int
    """Of MASE."""
    windows: int
    published: str
    """Its name among the published scores."""


def _ett(rows: int) -> Callable[[Path], pd.DataFrame]:
    def read(folder: Path) -> pd.DataFrame:
        table = pd.read_csv(folder / "ETTm1.csv.gz")
        values = table.iloc[:, 1:].to_numpy(float)
        count = len(values) // rows
        sums = values[: count * rows].reshape(count, rows, -1).sum(axis=1)
        times = pd.date_range(table.iloc[0, 0], periods=count, freq=ETT[rows])
        parts = zip(table.columns[1:], sums.T, strict=True)
        return pd.concat(pd.DataFrame({"unique_id": n, "ds": times, "y": y}) for n, y in parts)

    return read


def _m4(kind: str) -> Callable[[Path], pd.DataFrame]:
    return lambda folder: pd.concat(
        pd.read_parquet(folder / f"m4_{kind}-{part}.parquet") for part in ("train", "test")
    )


def _csv(name: str) -> Callable[[Path], pd.DataFrame]:
    return lambda folder: pd.read_csv(
        folder / f"{name}.csv.gz", dtype={"unique_id": str}, parse_dates=["ds"]
    )


CONFIGS = {
    "hospital": Config(_csv("hospital_m"), 12, 12, 1, "hospital/M/short"),
    "births D": Config(_csv("us_births_d"), 30, 1, 20, "us_births/D/short"),
    "births W": Config(_csv("us_births_w"), 8, 1, 14, "us_births/W/short"),
    "births M": Config(_csv("us_births_m"), 12, 12, 2, "us_births/M/short"),
    "ett 15min": Config(_ett(1), 48, 96, 20, "ett1/15T/short"),
    "ett H 48": Config(_ett(4), 48, 24, 20, "ett1/H/short"),
    "ett H 480": Config(_ett(4), 480, 24, 4, "ett1/H/medium"),
    "ett H 720": Config(_ett(4), 720, 24, 3, "ett1/H/long"),
    "ett D": Config(_ett(96), 30, 1, 3, "ett1/D/short"),
    "ett W": Config(_ett(672), 8, 1, 2, "ett1/W/short"),
    "m4 hourly": Config(_m4("hourly"), 48, 24, 1, "m4_hourly/H/short"),
    "m4 weekly": Config(_m4("weekly"), 13, 1, 1, "m4_weekly/W/short"),
}


class Result(NamedTuple):
    """Scores of one forecaster on one config."""

    mase: float
    crps: float


def main() -> None:
    """Print a line for each config and the geometric means."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path)
    options.add_argument("--time-budget", type=float, help="Seconds; none: without training.")
    options.add_argument("--part", choices=("test", "validation"), default="test")
    options.add_argument("--only", nargs="*", default=list(CONFIGS), choices=list(CONFIGS))
    args = options.parse_args()

    published = pd.read_csv(args.data / "gifteval.csv").set_index(["config", "metric"])
    ratios = []
    for name in args.only:
        config = CONFIGS[name]
        start = time.perf_counter()
        ours, naive = _judge(config, args.data, args.time_budget, args.part)
        seconds = time.perf_counter() - start
        others = ""
        if args.part == "test":
            rows = published.loc[config.published]
            naive = Result(*(rows.loc[metric, "seasonal_naive"] for metric in rows.index))
            others = "  ".join(f"{peer} {rows.loc['MASE', peer]:.3f}" for peer in PEERS[:3])
        ratios.append((ours.mase / naive.mase, ours.crps / naive.crps))
        say(
            f"{name:10} MASE {ours.mase:.4f}  CRPS {ours.crps:.5f}  of the naive"
            f" {ratios[-1][0]:.3f} {ratios[-1][1]:.3f}  {seconds:5.0f} s  {others}"
        )
    mean = np.exp(np.log(ratios).mean(axis=0))
    say(f"geometric mean of {len(ratios)}: MASE {mean[0]:.4f}  CRPS {mean[1]:.4f}")
    if args.part == "test":
        names = [CONFIGS[name].published for name in args.only]
        for metric in ("MASE", "CRPS_mwsql"):
            rows = published.loc[[(name, metric) for name in names]]
            means = np.exp(np.log(rows.div(rows["seasonal_naive"], axis=0)).mean())
            say(f"  {metric:10}  " + "  ".join(f"{peer} {means[peer]:.4f}" for peer in PEERS))


def _judge(config: Config, data: Path, budget: float | None, part: str) -> tuple[Result, Result]:
    """Return our scores and those of the seasonal naive."""
    table = config.read(data).sort_values(["unique_id", "ds"]).reset_index(drop=True)
    held = config.windows * config.horizon
    if part == "validation":
        table = _without_newest(table, held)
    experiment = build_experiment(
        {
            "dataset": {"source": "memory", "horizon": config.horizon},
            "intervals": {"levels": LEVELS},
            "auto": {"time_budget": budget or 0},
        }
    )
    given, _ = to_panel(_without_newest(table, held), experiment.dataset)
    if budget is None:
        fitted, _ = zero_shot(experiment, given)
    else:
        fitted = recipe.train(experiment, given).bundle
    dataset = fitted.experiment.dataset
    whole, _ = to_panel(table, dataset)
    series = np.repeat(np.arange(whole.n_series), config.windows)
    back = np.tile(np.arange(config.windows, 0, -1) * config.horizon, whole.n_series)
    chosen = Windows(series, whole.lengths[series] - back)
    chosen = chosen.take(chosen.cutoff > 1)
    quantiles = Ensemble(fitted.experiment, fitted.final)(whole, chosen)
    naive = seasonal_naive(whole, chosen, config.horizon)[..., None].repeat(len(LEVELS), axis=-1)
    actual = windows.futures(whole, chosen, config.horizon)
    scale = _scale(whole, chosen, config.lag)
    return _score(actual, quantiles, scale), _score(actual, naive, scale)


def _without_newest(table: pd.DataFrame, steps: int) -> pd.DataFrame:
    newest_first = table.groupby("unique_id", sort=False).cumcount(ascending=False)
    return table[newest_first >= steps]


def _scale(panel: Panel, chosen: Windows, lag: int) -> np.ndarray:
    """Return the mean change from a lag before, of what precedes each window."""
    scales = np.empty(chosen.count)
    for row, (series, cutoff) in enumerate(zip(chosen.series, chosen.cutoff, strict=True)):
        past = np.where(panel.seen(series), panel.series(series), np.nan)[:cutoff]
        back = lag if lag < len(past) else 1
        scales[row] = np.nanmean(np.abs(past[back:] - past[:-back]))
    return scales


def _score(actual: np.ndarray, quantiles: np.ndarray, scale: np.ndarray) -> Result:
    usable = scale > 0
    errors = np.abs(actual - quantiles[..., LEVELS.index(0.5)])[usable] / scale[usable, None]
    crps = metrics.weighted_quantile_loss(actual, quantiles, LEVELS)
    return Result(float(metrics.mean_known(errors.ravel())), crps)


if __name__ == "__main__":
    main()
