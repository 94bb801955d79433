"""A year of nights: forecasts every week, a check every month, a shift of level in month 8."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from foreseq.config import DatasetConfig, MonitorConfig, build_experiment
from foreseq.experiment.recipe import train
from foreseq.forecasting import writer
from foreseq.forecasting.bundle import Seen
from foreseq.forecasting.ensemble import Ensemble
from foreseq.forecasting.writer import ForecastSource
from foreseq.ingest.store import ingest
from foreseq.monitoring import actuals
from foreseq.monitoring.assessment import Evidence, Verdict, assess
from foreseq.monitoring.origins import origins_of, reference_backtest
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel, from_series, load, to_frame

TRAINED, MONTH, WEEK, HORIZON, SEASON = 730, 28, 7, 14, 7
SHIFTED = 8
EXPERIMENT = {
    "dataset": {"name": "m", "source": "memory", "horizon": HORIZON, "freq": "D", "season": SEASON},
    "network": {"cells": {"units": [16]}, "context": 28, "patch": 7, "log": False,
                "naive_lags": [7], "recent_inputs": 14, "decoder": "direct", "calendar": False,
                "covariates": []},
    "training": {
        "max_steps": 300, "loss": "mase", "members": 1, "learning_rate": 1e-3, "synthetic": 0.0,
    },
    "auto": {"time_budget": 0},
}  # fmt: skip


class Service(NamedTuple):
    """What forecasts through the year, and what its backtest uses."""

    source: ForecastSource
    tested: Ensemble
    fitted: Seen
    seen: Seen


class MeanOfFourWeeks:
    """A forecaster without training."""

    levels = (0.1, 0.5, 0.9)
    experiment = build_experiment(EXPERIMENT)

    def __call__(self, panel: Panel, chosen: windows.Windows) -> np.ndarray:
        weeks = windows.before(panel, chosen, 28).reshape(chosen.count, 4, 7)
        mean = weeks.mean(axis=1)[:, np.arange(HORIZON) % 7, None]
        spread = (weeks - weeks.mean(axis=1, keepdims=True)).std(axis=(1, 2))[:, None, None]
        return mean + spread * np.array([-1.6, 0, 1.6])

    def skipped(self, *_) -> dict[int, str]:
        return {}


def days(panel: Panel, count: int) -> Panel:
    """Return what was known after some days."""
    known = {str(name): panel.series(i)[:count] for i, name in enumerate(panel.ids)}
    return from_series(known, freq="D", season=SEASON, start=panel.starts[0])


def history(seed: int, *, shift: float, series: int = 5) -> Panel:
    """Return three years of series that share a part of their noise, which lingers."""
    rng = np.random.default_rng(seed)
    count = TRAINED + 12 * MONTH
    noise = rng.normal(size=(series, count)) + 0.5 * rng.normal(size=count)
    for day in range(1, count):
        noise[:, day] += 0.4 * noise[:, day - 1]
    waves = 5 * np.sin(2 * np.pi * np.arange(count) / SEASON + np.arange(series)[:, None])
    y = 40 + waves + noise
    y[:, TRAINED + (SHIFTED - 1) * MONTH :] += shift * rng.choice([-1, 1], size=(series, 1))
    table = {f"s{i}": row for i, row in enumerate(y)}
    return from_series(table, freq="D", season=SEASON, start="2021-01-01")


def cheap(panel: Panel) -> Service:
    known = days(panel, TRAINED)
    ends = known.lengths - HORIZON - 5 * HORIZON // 2  # as if validated and tested on the rest
    forecaster = MeanOfFourWeeks()
    fitted, seen = (
        Seen(known.ids, calendar.at(known.starts, end - 1, "D")) for end in (ends, known.lengths)
    )
    return Service(ForecastSource(forecaster, "m/1", "d" * 64), forecaster, fitted, seen)


def trained(panel: Panel) -> Service:
    fitted = train(build_experiment(EXPERIMENT), days(panel, TRAINED)).bundle
    source = ForecastSource(Ensemble(fitted.experiment, fitted.final), "m/1", "d" * 64)
    tested = Ensemble(fitted.experiment, fitted.evaluated)
    return Service(source, tested, fitted.evaluated.seen, fitted.final.seen)


def live(panel: Panel, service: Service, root: Path, checks: range = range(1, 13)) -> list[Verdict]:
    """Return what is decided at the end of each checked month, until one decides to retrain."""
    verdicts = []
    for month in range(12):
        first_day = TRAINED + month * MONTH
        for day in range(first_day, first_day + MONTH, WEEK):
            writer.write(service.source, days(panel, day), root / str(day))
        if month + 1 not in checks:
            continue
        now = days(panel, first_day + MONTH)
        arrived = actuals.collect(root, "m", now, lambda _: service.seen)
        first = origins_of(arrived.sums)[0]
        expected = reference_backtest(service.tested, now, service.fitted, first, WEEK)
        evidence = Evidence("m/1", arrived.sums, expected, 0.8)
        verdicts.append(assess(evidence, now, MonitorConfig()).verdict)
        if verdicts[-1].action == "retrain":
            break
    return verdicts


def retrained_in(verdicts: list[Verdict]) -> int | None:
    return len(verdicts) if verdicts[-1].action == "retrain" else None


@pytest.mark.parametrize("seed", [1, 2])
def test_a_shift_in_month_8_retrains_then_and_not_before(seed, tmp_path):
    panel = history(seed, shift=6)
    verdicts = live(panel, cheap(panel), tmp_path)
    assert retrained_in(verdicts) == SHIFTED
    assert "data drift in 5 of 5 series" in verdicts[-1].reason


def test_a_year_without_a_shift_retrains_in_no_month(tmp_path):
    panel = history(3, shift=0)
    verdicts = live(panel, cheap(panel), tmp_path, checks=range(4, 13, 4))
    assert retrained_in(verdicts) is None
    assert "within limits at 48 origins" in verdicts[-1].reason


def count(make: Callable[[Panel], Service], shift: float, root: Path) -> dict[int | None, int]:
    """Return how many of 20 seeds retrain in each month; None: in none."""
    months: dict[int | None, int] = {}
    for seed in range(1, 21):
        panel = history(seed, shift=shift)
        month = retrained_in(live(panel, make(panel), root / str(seed)))
        months[month] = months.get(month, 0) + 1
    return months


@pytest.mark.slow
def test_networks_are_retrained_in_month_8_in_20_of_20_seeds(tmp_path):
    assert count(trained, 6, tmp_path) == {SHIFTED: 20}


@pytest.mark.slow
@pytest.mark.parametrize("make", [cheap, trained])
def test_without_a_shift_nearly_no_year_retrains(make, tmp_path):
    found = count(make, 0, tmp_path)  # 20 x 48 origins, one false alarm in 10,000 of them
    assert found.get(None, 0) >= 18, found


def nights(panel: Panel, service: Service, root: Path, last: int) -> tuple[int | None, int]:
    """Ingest and forecast every night, check every week and, from month 8 on, every night.

    Returns:
        Nights from the shift to the check that decides to retrain, None if none does, and how
        many origins were complete by then.
    """
    dataset = DatasetConfig(
        name="m", source=str(root / "new.csv"), horizon=1, freq="D", season=SEASON, update="append"
    )
    changed = TRAINED + (SHIFTED - 1) * MONTH
    table = to_frame(panel).sort_values("ds", kind="stable")
    arrived = np.searchsorted(np.unique(table["ds"]), table["ds"])
    root.mkdir()
    for day in range(TRAINED, last + 1):
        fresh = arrived == day - 1 if day > TRAINED else arrived < day
        table[fresh].to_csv(root / "new.csv", index=False)
        now = load(ingest(dataset, root / "series").folder)
        if day > TRAINED and (day > changed or (day - TRAINED) % WEEK == 0):
            arrived = actuals.collect(root, "m", now, lambda _: service.seen)
            expected = reference_backtest(
                service.tested, now, service.fitted, origins_of(arrived.sums)[0], 1
            )
            evidence = Evidence("m/1", arrived.sums, expected, 0.8)
            assessment = assess(evidence, now, MonitorConfig())
            if assessment.verdict.action == "retrain":
                return day - changed, len(assessment.points)
        writer.write(service.source, now, root / str(day))
    return None, len(assessment.points)


@pytest.mark.slow
def test_night_by_night_a_shift_is_seen_within_a_week_and_nothing_before(tmp_path):
    shifted = TRAINED + (SHIFTED - 1) * MONTH
    found = {}
    for seed in range(1, 6):
        panel = history(seed, shift=6)
        found[seed] = nights(panel, cheap(panel), tmp_path / str(seed), shifted + MONTH)
    delays = [delay for delay, _ in found.values()]
    assert all(delay is not None and 1 <= delay <= WEEK for delay in delays), found


@pytest.mark.slow
def test_a_quiet_year_of_nights_does_not_retrain(tmp_path):
    panel = history(6, shift=0)
    delay, judged = nights(panel, cheap(panel), tmp_path / "m", TRAINED + 12 * MONTH)
    assert delay is None
    assert judged == 12 * MONTH  # every night but the last is followed by an actual
