import shutil

import numpy as np
import pandas as pd
import pytest

from foreseq import monitoring
from foreseq.config import build_experiment
from foreseq.forecasting import bundle, writer
from foreseq.forecasting.bundle import Seen
from foreseq.forecasting.ensemble import Forecaster
from foreseq.forecasting.writer import Source
from foreseq.monitoring.actuals import COLUMNS, judge
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
    told = {
        "dataset": {"source": "memory", "horizon": HORIZON, "freq": "D", "season": 4},
        "network": {"cells": {"units": [4]}, "context": 8, "patch": 4, "log": False,
                    "naive_lags": [4], "recent_inputs": 8, "decoder": "direct", "calendar": False,
                    "quantiles": [0.1, 0.5, 0.9]},
    }  # fmt: skip
    experiment = build_experiment(told)
    weights = network_weights.get_weights(model_cache.build(experiment))
    state = bundle.state(make_panel(), make_panel().lengths, [Fitted(weights, 1, ())])
    return Source(Forecaster(experiment, state), "demo/1", "d" * 64)


def collect(root, panel, *, trained=20):
    return monitoring.collect(root, "demo", panel, lambda _: seen_until(trained))


def write(source, root, length, name=""):
    writer.write(source, make_panel(length), root / (name or str(length)))


def test_sums_are_the_errors_worked_by_hand():
    panel = from_series({"a": [1.0, 2.0, 4.0, 7.0]}, freq="1", season=1)
    table = pd.DataFrame(
        {"unique_id": "a", "ds": [2, 3, 4], "y_hat": [4.0, 5.0, 9.0], "cutoff": 1,
         "q10": [3.0, 3.0, 3.0], "q50": [4.0, 5.0, 9.0], "q90": [5.0, 6.0, 9.0]}
    )  # fmt: skip
    tested, strange = judge(table, panel, horizon=3)
    assert strange == 0
    sums = monitoring.sum_up(tested, "demo/1", 1)
    assert sums[COLUMNS[2:]].values.tolist() == [[1, 1, 0.0, 2.0, 1], [2, 1, 2.0, 5.0, 0]]


def test_the_ledger_says_what_a_backtest_of_the_same_windows_says(source, tmp_path):
    write(source, tmp_path, 25)
    sums = collect(tmp_path, make_panel()).sums
    panel = make_panel()
    chosen = windows.Windows(np.arange(3), np.full(3, 25))
    actual = windows.futures(panel, chosen, HORIZON)
    missed = np.abs(actual - source.forecaster.point(panel, chosen))
    seasonal = [np.abs(s[4:25] - s[:21]).mean() for s in (panel.series(i) for i in range(3))]
    np.testing.assert_allclose(sums["error"], (missed / np.array(seasonal)[:, None]).sum(axis=0))
    assert sums["count"].tolist() == [3, 3, 3]


def test_what_has_not_arrived_is_not_judged(source, tmp_path):
    write(source, tmp_path, 25)
    assert collect(tmp_path, make_panel(25)).sums.empty
    assert collect(tmp_path, make_panel(27)).sums["step"].tolist() == [1, 2]


def test_no_forecast_is_counted_twice(source, tmp_path):
    write(source, tmp_path, 25)
    once = collect(tmp_path, make_panel())
    shutil.copytree(tmp_path / "25", tmp_path / "again")
    twice = collect(tmp_path, make_panel())
    assert twice.repeated == 3
    pd.testing.assert_frame_equal(once.sums, twice.sums)


def test_looking_again_finds_the_same(source, tmp_path):
    for length in (22, 25, 28):
        write(source, tmp_path, length)
    one, other = (collect(tmp_path, make_panel()).sums for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    assert one["moment"].nunique() == 3


def test_parts_and_partitions_are_the_whole(source, tmp_path, monkeypatch):
    write(source, tmp_path / "whole", 25)
    whole = collect(tmp_path / "whole", make_panel()).sums
    writer.write(source, make_panel(25, names="ab"), tmp_path / "parts" / "ab")
    writer.write(source, make_panel(25, names="c"), tmp_path / "parts" / "c")
    pd.testing.assert_frame_equal(collect(tmp_path / "parts", make_panel()).sums, whole)
    monkeypatch.setattr(writer, "PART", 1)
    write(source, tmp_path / "small", 25)
    pd.testing.assert_frame_equal(collect(tmp_path / "small", make_panel()).sums, whole)


def test_forecasts_of_what_was_trained_on_are_not_judged(source, tmp_path):
    write(source, tmp_path, 25)
    found = collect(tmp_path, make_panel(), trained=26)
    assert found.unfair == 3
    assert found.sums.empty


def test_series_that_the_data_do_not_have_are_counted_as_strange(source, tmp_path):
    write(source, tmp_path, 25)
    found = collect(tmp_path, select(make_panel(), [0, 2]))
    assert found.strange == HORIZON
    assert found.sums["count"].tolist() == [2, 2, 2]


def test_corrected_actuals_correct_what_was_thought(source, tmp_path):
    write(source, tmp_path, 25)
    panel = make_panel()
    values = panel.values.copy()
    values[25] += 100
    corrected = type(panel)(**{**vars(panel), "values": values})
    before, after = (collect(tmp_path, each).sums for each in (panel, corrected))
    assert after["error"][0] > before["error"][0]
    assert after["error"][1:].tolist() == before["error"][1:].tolist()


def test_folders_that_are_not_whole_or_not_ours_are_left_out(source, tmp_path):
    write(source, tmp_path, 25)
    write(source, tmp_path, 26, ".26.arriving")
    writer.write(source._replace(version="other/1"), make_panel(27), tmp_path / "other")
    write(source, tmp_path, 28)
    with (tmp_path / "28" / "part-00000.parquet").open("ab") as file:
        file.write(b"!")
    write(source, tmp_path, 29)
    (tmp_path / "29" / "_SUCCESS").unlink()
    found = collect(tmp_path, make_panel())
    assert found.folders == 1
    assert [folder[-2:] for folder in found.damaged] == ["28", "29"]


def test_the_promise_stops_where_the_forecasts_begin(source):
    panel = make_panel()
    until = calendar.at(START, 24, "D")  # 25 steps are known
    promised = monitoring.promise(source.forecaster, panel, seen_until(12), until, 2)
    assert len(promised["moment"].unique()) == 6  # cutoffs 13, 15, ... 23
    values = panel.values.copy()
    values[np.arange(len(values)) % 30 >= 25] = 99.0
    altered = type(panel)(**{**vars(panel), "values": values})
    again = monitoring.promise(source.forecaster, altered, seen_until(12), until, 2)
    pd.testing.assert_frame_equal(promised, again)
    newest = promised[promised["moment"] == promised["moment"].max()]
    assert newest["step"].tolist() == [1, 2]


def test_a_promise_needs_windows_that_were_not_learned_from(source):
    until = calendar.at(START, 24, "D")
    assert monitoring.promise(source.forecaster, make_panel(), seen_until(25), until, 2).empty
