import shutil

import numpy as np
import pandas as pd
import pytest

from foreseq.config import build_experiment
from foreseq.forecasting import bundle, writer
from foreseq.forecasting.bundle import Seen
from foreseq.forecasting.ensemble import Ensemble
from foreseq.forecasting.writer import ForecastSource
from foreseq.monitoring import actuals
from foreseq.monitoring.actuals import COLUMNS
from foreseq.monitoring.origins import reference_backtest
from foreseq.series import calendar, windows
from foreseq.series.panel import from_series, select
from foreseq.training import model_cache, network_weights
from foreseq.training.loop import Fitted

HORIZON = 3
START = np.datetime64("2024-01-01", "ns")


def make_panel(length=30, *, names="abc"):
    rng = np.random.default_rng(1)
    series = {name: rng.gamma(9, 1, size=40)[:length] for name in "abc"}
    return from_series({n: series[n] for n in names}, freq="D", season=4, start=START)


def seen_until(step):
    ids = np.array(list("abc"), dtype=np.str_)
    return Seen(ids, np.repeat(calendar.at(START, step - 1, "D"), 3))


@pytest.fixture(scope="module")
def source():
    config = {
        "dataset": {"source": "memory", "horizon": HORIZON, "freq": "D", "season": 4},
        "network": {"cells": {"units": [4]}, "context": 8, "patch": 4, "log": False,
                    "naive_lags": [4], "recent_inputs": 8, "decoder": "direct", "calendar": False,
                    "covariates": [],
                    "quantiles": [0.1, 0.5, 0.9]},
    }  # fmt: skip
    experiment = build_experiment(config)
    weights = network_weights.get_weights(model_cache.build(experiment))
    state = bundle.state(make_panel(), make_panel().lengths, [Fitted(weights, 1, ())])
    return ForecastSource(Ensemble(experiment, state), "demo/1", "d" * 64)


def collect(root, panel, *, trained=20):
    return actuals.collect(root, "demo", panel, lambda _: seen_until(trained))


def write(source, root, length, name=""):
    writer.write(source, make_panel(length), root / (name or str(length)))


def test_sums_are_the_errors_worked_by_hand():
    panel = from_series({"a": [1.0, 2.0, 4.0, 7.0]}, freq="1", season=1)
    table = pd.DataFrame(
        {"unique_id": "a", "ds": [2, 3, 4], "y_hat": [4.0, 5.0, 9.0], "cutoff": 1,
         "q10": [3.0, 3.0, 3.0], "q50": [4.0, 5.0, 9.0], "q90": [5.0, 6.0, 9.0]}
    )  # fmt: skip
    joined, unmatched = actuals.to_backtest(table, panel, horizon=3)
    assert unmatched == 0
    sums = actuals.summarize(joined, "demo/1", 1)
    assert sums[COLUMNS[2:]].values.tolist() == [[1, 1, 0.0, 2.0, 1], [2, 1, 2.0, 5.0, 0]]


def test_forecasts_in_a_zone_find_their_actuals():
    start = "2024-03-29T23:00"  # 30 March, midnight in Berlin, the day before clocks change
    panel = from_series({"a": [1.0, 2.0, 4.0]}, freq="D@Europe/Berlin", season=1, start=start)
    days = pd.date_range("2024-03-30", periods=3, freq="D", tz="Europe/Berlin")
    table = pd.DataFrame({"unique_id": "a", "ds": days[1:], "y_hat": [2.0, 5.0], "cutoff": days[0]})
    joined, unmatched = actuals.to_backtest(table, panel, horizon=2)
    assert (unmatched, joined.actual.tolist()) == (0, [[2.0, 4.0]])


def test_live_errors_equal_those_of_a_backtest_of_the_same_windows(source, tmp_path):
    write(source, tmp_path, 25)
    sums = collect(tmp_path, make_panel()).sums
    panel = make_panel()
    chosen = windows.Windows(np.arange(3), np.full(3, 25))
    actual = windows.futures(panel, chosen, HORIZON)
    missed = np.abs(actual - source.forecaster.point(panel, chosen))
    seasonal = [np.abs(s[4:25] - s[:21]).mean() for s in (panel.series(i) for i in range(3))]
    np.testing.assert_allclose(sums["error"], (missed / np.array(seasonal)[:, None]).sum(axis=0))
    assert sums["count"].tolist() == [3, 3, 3]


def test_steps_without_actuals_are_not_counted(source, tmp_path):
    write(source, tmp_path, 25)
    assert collect(tmp_path, make_panel(25)).sums.empty
    assert collect(tmp_path, make_panel(27)).sums["step"].tolist() == [1, 2]


def test_no_forecast_is_counted_twice(source, tmp_path):
    write(source, tmp_path, 25)
    once = collect(tmp_path, make_panel())
    shutil.copytree(tmp_path / "25", tmp_path / "again")
    twice = collect(tmp_path, make_panel())
    assert twice.duplicates == 3
    pd.testing.assert_frame_equal(once.sums, twice.sums)


def test_a_repeated_check_gives_the_same_sums(source, tmp_path):
    for length in (22, 25, 28):
        write(source, tmp_path, length)
    one, other = (collect(tmp_path, make_panel()).sums for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    assert one["origin"].nunique() == 3


def test_parts_and_partitions_are_the_whole(source, tmp_path, monkeypatch):
    write(source, tmp_path / "whole", 25)
    whole = collect(tmp_path / "whole", make_panel()).sums
    writer.write(source, make_panel(25, names="ab"), tmp_path / "parts" / "ab")
    writer.write(source, make_panel(25, names="c"), tmp_path / "parts" / "c")
    pd.testing.assert_frame_equal(collect(tmp_path / "parts", make_panel()).sums, whole)
    monkeypatch.setattr(writer, "PART", 1)
    write(source, tmp_path / "small", 25)
    pd.testing.assert_frame_equal(collect(tmp_path / "small", make_panel()).sums, whole)


def test_forecasts_of_steps_trained_on_are_not_counted(source, tmp_path):
    write(source, tmp_path, 25)
    arrived = collect(tmp_path, make_panel(), trained=26)
    assert arrived.trained_on == 3
    assert arrived.sums.empty


def test_series_that_the_data_do_not_have_are_counted_as_unmatched(source, tmp_path):
    write(source, tmp_path, 25)
    arrived = collect(tmp_path, select(make_panel(), [0, 2]))
    assert arrived.unmatched == HORIZON
    assert arrived.sums["count"].tolist() == [2, 2, 2]


def test_corrected_actuals_correct_the_errors(source, tmp_path):
    write(source, tmp_path, 25)
    panel = make_panel()
    values = panel.values.copy()
    values[25] += 100
    corrected = type(panel)(**{**vars(panel), "values": values})
    before, after = (collect(tmp_path, newest).sums for newest in (panel, corrected))
    assert after["error"][0] > before["error"][0]
    assert after["error"][1:].tolist() == before["error"][1:].tolist()


def test_folders_that_are_not_whole_or_not_ours_are_skipped(source, tmp_path):
    write(source, tmp_path, 25)
    write(source, tmp_path, 26, ".26.arriving")
    writer.write(source._replace(version="other/1"), make_panel(27), tmp_path / "other")
    write(source, tmp_path, 28)
    with (tmp_path / "28" / "part-00000.parquet").open("ab") as file:
        file.write(b"!")
    write(source, tmp_path, 29)
    (tmp_path / "29" / "_SUCCESS").unlink()
    arrived = collect(tmp_path, make_panel())
    assert arrived.folders == 1
    assert [folder[-2:] for folder in arrived.damaged] == ["28", "29"]


def test_the_reference_backtest_ends_at_the_first_live_origin(source):
    panel = make_panel()
    until = calendar.at(START, 24, "D")  # 25 steps are known
    expected = reference_backtest(source.forecaster, panel, seen_until(12), until, 2)
    assert len(expected["origin"].unique()) == 6  # cutoffs 13, 15, ... 23
    values = panel.values.copy()
    values[np.arange(len(values)) % 30 >= 25] = 99.0
    altered = type(panel)(**{**vars(panel), "values": values})
    again = reference_backtest(source.forecaster, altered, seen_until(12), until, 2)
    pd.testing.assert_frame_equal(expected, again)
    newest = expected[expected["origin"] == expected["origin"].max()]
    assert newest["step"].tolist() == [1, 2]


def test_the_reference_backtest_needs_windows_that_were_not_trained_on(source):
    until = calendar.at(START, 24, "D")
    assert reference_backtest(source.forecaster, make_panel(), seen_until(25), until, 2).empty
