"""What covariates are worth: ours with and without them, and the seasonal naive, beside published.

    python tests/benchmarks/covariates.py DATA --time-budget 600            # all, with and without
    python tests/benchmarks/covariates.py DATA --only epf-np --part validation

DATA holds `epf-{np,de,be}.csv.gz` (hourly prices, two columns known a day ahead),
`uci_air_quality.csv.gz` and `pollution.csv`. A protocol names the rows that are kept away from
training and choices; each forecaster is trained once on what comes before and reads them once.

- `epf-X`: the newest fifth, every hour a cutoff, 24 ahead; MSE and MAE of z-scores by the mean and
  standard deviation of the first 70% (TimeXer, Wang et al. 2024, arXiv 2402.19072).
- `fev-X`: the last 480 hours, 20 cutoffs 24 apart; MASE with lag 24 of the past of each window
  (fev-bench, Shchur et al. 2025, arXiv 2509.26468).
- `air`: 4 targets, 168 ahead, 20 cutoffs 168 apart; temperature and humidity known ahead; MASE.
- `pollution`: one hour ahead after the first year; the weather up to now; RMSE.
- `cold`: a fifth of the series of Australian tourism are held out altogether, and their newest 8
  quarters forecast from region, state and purpose, with none or little of their past; MASE.
- `noise-X`: univariate sets beside ten random walks, which must do no harm; compare `--without`.

`--part validation` moves the cutoffs to the stretch of the same length before.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from measuring import say

from foreseq import metrics
from foreseq.config import DatasetConfig, build_experiment
from foreseq.evaluation import baselines
from foreseq.experiment import recipe
from foreseq.forecasting.ensemble import Ensemble
from foreseq.ingest.table import to_panel
from foreseq.selection.choose import choose
from foreseq.series import windows
from foreseq.series.covariates import Column, Covariates
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

DAY, WEEK, YEAR = 24, 168, 8760
QUARTERS = 8
WALKS = 10
AT_ONCE = 4096


class Protocol(NamedTuple):
    """What is forecast, and which of it is kept away."""

    panel: Panel
    horizon: int
    kept: int
    """Newest steps that are kept away."""
    stride: int
    """Steps from one cutoff to the next."""
    settings: tuple[str, ...] = ()


def main() -> None:
    """Judge each protocol, with covariates and without."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path)
    options.add_argument("--time-budget", default="600")
    options.add_argument("--only", nargs="*", default=[*sorted(PROTOCOLS), "cold"])
    options.add_argument("--part", choices=["test", "validation"], default="test")
    options.add_argument("--without", action="store_true", help="Only y.")
    options.add_argument("--set", action="append", default=[], dest="overrides")
    args = options.parse_args()
    for name in args.only:
        if name == "cold":
            judge_cold(args)
            continue
        protocol = PROTOCOLS[name](args.data)
        if args.part == "validation":
            ends = protocol.panel.lengths - protocol.kept
            protocol = protocol._replace(panel=until(protocol.panel, ends, protocol.horizon))
        if args.without:
            protocol = protocol._replace(panel=replace(protocol.panel, covariates=None))
        judge(name, protocol, args)


def judge(name: str, protocol: Protocol, args: argparse.Namespace) -> None:
    """Train on what comes before, forecast what was kept away, print the errors of both."""
    panel, horizon = protocol.panel, protocol.horizon
    ends = panel.lengths - protocol.kept
    sets = [f"auto.time_budget={args.time_budget}", *protocol.settings, *args.overrides]
    experiment = build_experiment({"dataset": {"horizon": horizon}}, sets)
    begun = time.perf_counter()
    history = until(panel, ends, horizon)
    chosen = choose(experiment, history)
    fitted = recipe.fit(chosen.experiment, history, chosen.split).bundle
    seconds = time.perf_counter() - begun
    panel = replace(panel, season=fitted.experiment.dataset.season)
    cutoffs = [
        np.arange(end, n - horizon + 1, protocol.stride)
        for end, n in zip(ends, panel.lengths, strict=True)
    ]
    asked = Windows(
        np.repeat(np.arange(panel.n_series), [len(c) for c in cutoffs]), np.concatenate(cutoffs)
    )
    forecaster = Ensemble(fitted.experiment, fitted.final)
    parts = [asked.take(slice(first, first + AT_ONCE)) for first in range(0, asked.count, AT_ONCE)]
    point = np.concatenate([forecaster.point(panel, part) for part in parts])
    reads = ", ".join(column.name for column in fitted.experiment.network.covariates) or "y alone"
    members = len(fitted.final.members)
    start = fitted.experiment.training.start
    say(f"{name}, {args.part}: reads {reads}; {start}, {members} members, {seconds:.0f} s")
    naive = baselines.seasonal_naive(replace(panel, season=DAY), asked, horizon)
    for label, forecast in (("ours", point), ("seasonal naive", naive)):
        say(f"  {label:15} {scored(panel, asked, forecast, horizon)}")


def judge_cold(args: argparse.Namespace) -> None:
    """Train without some series, and forecast these with none or little of their past."""
    table = pd.read_csv(args.data / "tourism_au.csv.gz")
    table["ds"] = pd.to_datetime(table["Quarter"], unit="D")
    table["unique_id"] = table["Region"] + "/" + table["Purpose"]
    table = table.rename(columns={"Trips": "y"}).drop(columns="Quarter")
    ids = np.sort(table["unique_id"].unique())
    is_held = table["unique_id"].isin(np.random.default_rng(1).choice(ids, len(ids) // 5, False))
    static = ["Region", "State", "Purpose"]
    history = panel_of(
        table[~is_held & (table["ds"] < "2016-01-01")], QUARTERS, "QS", static=static
    )
    sets = [f"auto.time_budget={args.time_budget}", *args.overrides]
    chosen = choose(build_experiment({"dataset": {"horizon": QUARTERS}}, sets), history)
    fitted = recipe.fit(chosen.experiment, history, chosen.split).bundle
    forecaster = Ensemble(fitted.experiment, fitted.final)
    panel = panel_of(table[is_held], QUARTERS, "QS", static=static)
    panel = replace(panel, season=fitted.experiment.dataset.season)
    asked = Windows(np.arange(panel.n_series), panel.lengths - QUARTERS)
    actual = windows.futures(panel, asked, QUARTERS)
    scales = metrics.seasonal_errors(panel.values, panel.observed, panel.offsets, asked.cutoff, 4)

    def say_error(label: str, forecast: np.ndarray) -> None:
        error = np.nanmean(np.abs(forecast - actual), axis=1) / scales
        say(f"  {label:28} MASE {error.mean():.3f}")

    say(f"cold: {panel.n_series} series held out, {history.n_series} to learn from")
    age = np.concatenate(
        [np.arange(end, end - n, -1) for end, n in zip(asked.cutoff, panel.lengths, strict=True)]
    )
    for kept in (0, 1, 4, 72):
        known = replace(panel, observed=panel.observed & (age <= kept))
        say_error(f"ours, {kept} quarters known", forecaster.point(known, asked))
    newest = table[~is_held & table["ds"].dt.year.eq(2015)]
    alike = newest.groupby(["State", "Purpose", newest["ds"].dt.quarter])["y"].median()
    anywhere = newest.groupby(["Purpose", newest["ds"].dt.quarter])["y"].median()
    first = table[is_held].drop_duplicates("unique_id").sort_values("unique_id")
    year = [
        [alike.get((state, purpose, q), anywhere[purpose, q]) for q in (1, 2, 3, 4) * 2]
        for state, purpose in zip(first["State"], first["Purpose"], strict=True)
    ]
    say_error("median of state and purpose", np.array(year))
    say_error(
        "seasonal naive, all known",
        baselines.seasonal_naive(replace(panel, season=4), asked, QUARTERS),
    )


def scored(panel: Panel, asked: Windows, forecast: np.ndarray, horizon: int) -> str:
    """Return all errors in words."""
    actual = windows.futures(panel, asked, horizon)
    error = forecast - actual
    first = [panel.series(n)[: int(0.7 * panel.lengths[n])].std() for n in range(panel.n_series)]
    z = error / np.array(first)[asked.series, None]
    seasonal = [
        scale(panel, n, cutoff) for n, cutoff in zip(asked.series, asked.cutoff, strict=True)
    ]
    mase = np.nanmean(np.abs(error), axis=1) / np.array(seasonal)
    return (
        f"MSE {np.nanmean(z**2):.3f}  MAE {np.nanmean(np.abs(z)):.3f}  MASE {np.nanmean(mase):.3f}"
        f"  RMSE {np.sqrt(np.nanmean(error**2)):.2f}"
    )


def scale(panel: Panel, series: int, cutoff: int) -> float:
    """Return the mean absolute difference of a day, up to a cutoff."""
    y = np.where(panel.seen(series), panel.series(series), np.nan)[:cutoff]
    return float(np.nanmean(np.abs(y[DAY:] - y[:-DAY])))


def until(panel: Panel, ends: np.ndarray, horizon: int) -> Panel:
    """Return the panel up to some steps, and what is known a horizon ahead of these."""
    keep = within(panel.offsets, ends)
    beside = panel.covariates
    if beside is not None:
        ahead = np.minimum(ends + horizon, np.diff(beside.offsets))
        rows = beside.values[within(beside.offsets, ahead)]
        beside = Covariates(beside.columns, rows, np.cumsum([0, *ahead]), beside.static)
    return replace(
        panel,
        values=panel.values[keep],
        observed=panel.observed[keep],
        offsets=np.cumsum([0, *ends]),
        covariates=beside,
    )


def within(offsets: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return which rows are among the first of their series."""
    lengths = np.diff(offsets)
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths) < np.repeat(ends, lengths)


def panel_of(table: pd.DataFrame, horizon: int, freq: str = "h", **covariates: list[str]) -> Panel:
    """Return the panel of a table."""
    dataset = DatasetConfig(horizon=horizon, freq=freq, covariates=covariates)
    return to_panel(table, dataset)[0]


def prices(market: str, kept: float | int, stride: int):
    """Return the protocol of a market."""

    def protocol(data: Path) -> Protocol:
        table = pd.read_csv(data / f"epf-{market}.csv.gz", parse_dates=["ds"])
        ahead = [name for name in table if name not in ("unique_id", "ds", "y")]
        away = kept if isinstance(kept, int) else len(table) - int((1 - kept) * len(table))
        return Protocol(panel_of(table, DAY, future=ahead), DAY, away, stride)

    return protocol


def air(data: Path) -> Protocol:
    """Return the protocol of the sensors."""
    table = pd.read_csv(data / "uci_air_quality.csv.gz")
    table["ds"] = pd.to_datetime(table["Date"] + " " + table["Time"], dayfirst=True)
    known, targets = ["T", "RH", "AH"], ["CO_GT", "C6H6_GT", "NOx_GT", "NO2_GT"]
    table = table.replace(-200, np.nan)
    long = table.melt(["ds", *known], targets, var_name="unique_id", value_name="y")
    last = 20 * WEEK
    return Protocol(panel_of(long, WEEK, future=known), WEEK, last, WEEK)


def pollution(data: Path) -> Protocol:
    """Return the protocol of one hour ahead."""
    table = pd.read_csv(data / "pollution.csv").fillna({"pm2.5": 0})
    table["ds"] = pd.to_datetime(table[["year", "month", "day", "hour"]])
    table = table.rename(columns={"pm2.5": "y"}).assign(unique_id="Beijing")
    weather = ["DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir"]
    table = table[["unique_id", "ds", "y", *weather]]
    return Protocol(panel_of(table, 1, past=weather), 1, len(table) - YEAR, 1)


def noisy(file: str, horizon: int, kept: int):
    """Return the protocol of a univariate set, beside which ten random walks stand."""

    def protocol(data: Path) -> Protocol:
        parts = sorted(data.glob(f"{file}*"), reverse=True)  # train before test
        read = [pd.read_csv(p) if ".csv" in p.name else pd.read_parquet(p) for p in parts]
        table = pd.concat(read)[["unique_id", "ds", "y"]]
        panel, _ = to_panel(table, DatasetConfig(horizon=horizon))
        walks = np.random.default_rng(1).standard_normal((len(panel.values), WALKS)).cumsum(axis=0)
        columns = tuple(Column(f"walk{number}", "past") for number in range(WALKS))
        nothing = np.empty((panel.n_series, 0))
        beside = Covariates(columns, walks, panel.offsets, nothing)
        return Protocol(replace(panel, covariates=beside), horizon, kept, horizon)

    return protocol


PROTOCOLS = {
    "noise-airline": noisy("airline_passengers", 12, 24),
    "noise-temperatures": noisy("daily_min_temperatures", 30, 360),
    "noise-sunspots": noisy("monthly_sunspots", 12, 132),
    "noise-births": noisy("us_births_d", 30, 600),
    "noise-hospital": noisy("hospital_m", 12, 12),
    **{f"epf-{market}": prices(market, 0.2, 1) for market in ("np", "de", "be")},
    **{f"fev-{market}": prices(market, 20 * DAY, DAY) for market in ("np", "de", "be")},
    "air": air,
    "pollution": pollution,
}


if __name__ == "__main__":
    main()
