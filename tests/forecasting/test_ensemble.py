from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foreseq.config import build_experiment
from foreseq.errors import BundleRefused, DataRefused
from foreseq.forecasting import bundle, ensemble
from foreseq.forecasting.ensemble import Ensemble
from foreseq.network import predict
from foreseq.series import windows
from foreseq.series.panel import from_series, select, to_frame
from foreseq.series.windows import Windows
from foreseq.training import model_cache
from foreseq.training.loop import Fitted

HORIZON = 3


def make_forecaster(*overrides, members=2):
    """Return a forecaster of random weights."""
    fields = {
        "dataset": {"source": "memory", "horizon": HORIZON, "freq": "D", "season": 7},
        "network": {
            "cells": {"units": [8]},
            "context": 14,
            "patch": 7,
            "log": False,
            "naive_lags": [7],
            "recent_inputs": 14,
            "decoder": "direct",
            "calendar": True,
            "covariates": [],
        },
    }
    experiment = build_experiment(fields, overrides)
    rng = np.random.default_rng(1)
    shapes = [v.shape for v in model_cache.build(experiment).trainable_variables]
    weights = [
        Fitted([rng.normal(0, 0.2, shape).astype("f4") for shape in shapes], 1, ())
        for _ in range(members)
    ]
    panel = make_panel()
    return Ensemble(experiment, bundle.state(panel, panel.lengths, weights))


def make_panel():
    rng = np.random.default_rng(1)
    series = {name: rng.gamma(9, 1, size=30) for name in "abcd"}
    series["b"][[3, 25]] = np.nan
    return from_series(series, freq="D", season=7, start="2024-01-01")


def sold():
    """Return counts with zeros, of one series that something is returned of."""
    rng = np.random.default_rng(1)
    series = {name: rng.poisson(1, size=30).astype(float) for name in "abcd"}
    series["b"][25] = -1
    return from_series(series, freq="D", season=7, start="2024-01-01")


@pytest.fixture(scope="module")
def forecaster():
    return make_forecaster()


def altered_from(panel, step):
    values, observed = panel.values.copy(), panel.observed.copy()
    for start, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
        values[start + step : end] = -1e6
        observed[start + step : end] ^= True
    return replace(panel, values=values, observed=observed)


@pytest.mark.parametrize("log", [False, True], ids=["plain", "log"])
@pytest.mark.parametrize("cutoff", [1, 10, 26, 29])
def test_nothing_after_a_cutoff_changes_its_forecast(log, cutoff):
    forecaster, panel = make_forecaster(f"network.log={log}"), make_panel()
    chosen = Windows(np.arange(4), np.full(4, cutoff))
    one = forecaster(panel, chosen)
    other = forecaster(altered_from(panel, cutoff), chosen)
    assert one.tobytes() == other.tobytes()
    assert np.isfinite(one).all()


def test_forecasts_and_sample_paths_of_counts_are_counts():
    levels = "intervals.levels=[0.1,0.5,0.9]"
    forecaster = make_forecaster("network.output_domain=integer", levels)
    panel = sold()
    held_back = Windows(np.repeat(np.arange(4), 5), np.tile(np.arange(20, 25), 4))
    forecaster.calibration = ensemble.calibrate(forecaster, panel, held_back)
    chosen = windows.newest(panel)
    quantiles = forecaster(panel, chosen)
    drawn = forecaster.sample_paths(panel, chosen, quantiles, 20)
    counts = [0, 2, 3]
    for forecasts in (quantiles, drawn):
        assert (forecasts[counts] == np.rint(forecasts[counts])).all()
        assert (forecasts[counts] >= 0).all()
        assert (forecasts[1] != np.rint(forecasts[1])).any()


def test_a_backtest_and_production_give_the_same_forecast(forecaster):
    panel = make_panel()
    cut = from_series(
        {name: panel.series(i)[:20] for i, name in enumerate("abcd") if name != "b"},
        freq="D",
        season=7,
        start="2024-01-01",
    )
    backtested = forecaster(panel, Windows(np.array([0, 2, 3]), np.full(3, 20)))
    assert backtested.tobytes() == forecaster(cut, windows.newest(cut)).tobytes()


def test_an_ensemble_of_two_is_the_mean_of_its_members(forecaster):
    panel = make_panel()
    chosen = windows.newest(panel)
    members = [
        model_cache.forecast(forecaster.experiment, weights, panel, chosen)
        for weights in forecaster.members
    ]
    assert not np.array_equal(*members)
    np.testing.assert_array_equal(forecaster(panel, chosen), np.mean(members, axis=0, dtype="f8"))


def test_members_that_alternate_forecast_by_either_scale():
    sets, panel = ("network.fixed_scale=[6,9,12]",), make_panel()
    chosen = windows.newest(panel)
    alternating, fixed, mean = (
        make_forecaster(*sets, f"network.scale={scale}")
        for scale in ("alternating", "fixed", "mean")
    )
    either = [
        model_cache.forecast(one.experiment, weights, panel, chosen)
        for one, weights in zip((fixed, mean), alternating.members, strict=True)
    ]
    np.testing.assert_array_equal(alternating(panel, chosen), np.mean(either, axis=0, dtype="f8"))


def test_quantiles_ascend_and_the_point_is_the_median():
    forecaster = make_forecaster("network.quantiles=[0.1,0.5,0.8,0.9]", members=3)
    panel = make_panel()
    forecasts = forecaster(panel, windows.newest(panel))
    assert (np.diff(forecasts) >= 0).all()
    np.testing.assert_array_equal(forecaster.point(panel, windows.newest(panel)), forecasts[..., 1])


def test_a_series_without_recent_observations_has_no_forecast_and_a_reason(forecaster):
    series = {"old": [1.0] * 10 + [np.nan] * 14, "new": [1.0, 2.0] * 12}
    panel = from_series(series, freq="D", season=7, start="2024-01-01")
    forecasts = forecaster(panel, windows.newest(panel))
    assert np.isnan(forecasts).all(axis=(1, 2)).tolist() == [False, True]
    assert forecaster.skipped(panel, windows.newest(panel)) == {
        1: "needs an observation within the last 14 steps; bring newer history"
    }


def test_a_logarithm_needs_a_value_above_zero():
    forecaster = make_forecaster("network.log=true")
    series = {"a": [1.0, *[0.0] * 19], "b": [*range(1, 20), 0.0], "c": [*range(20, 0, -1)]}
    panel = from_series(series, freq="D", season=7, start="2024-01-01")
    reasons = forecaster.skipped(panel, windows.newest(panel))
    assert list(reasons) == [0]  # a single zero counts as missing
    assert "network.log=false" in reasons[0]
    assert np.isnan(forecaster(panel, windows.newest(panel))[0]).all()


def test_windows_are_skipped_beyond_the_first_block_of_rows(forecaster):
    series = {f"s{i:04}": [1.0, 2.0] for i in range(predict.ROWS + 5)}
    series["s0514"] = [np.nan, np.nan]
    panel = from_series(series, freq="D", season=7, start="2024-01-01")
    assert list(forecaster.skipped(panel, windows.newest(panel))) == [514]


def test_the_table_says_what_when_from_when_and_by_whom():
    panel = make_panel()
    chosen = Windows(np.array([0, 2]), np.array([30, 20]))
    forecasts = np.arange(18.0).reshape(2, 3, 3)
    table = ensemble.table(panel, chosen, forecasts, (0.05, 0.5, 0.975), version="m/3")
    assert table.columns.tolist() == [
        "unique_id", "ds", "y_hat", "q5", "q50", "q97.5", "cutoff", "model_version",
    ]  # fmt: skip
    assert table["unique_id"].tolist() == ["a"] * 3 + ["c"] * 3
    assert table["y_hat"].tolist() == table["q50"].tolist() == [1, 4, 7, 10, 13, 16]
    assert table["ds"].dt.strftime("%m-%d").tolist() == [
        "01-31", "02-01", "02-02", "01-21", "01-22", "01-23",
    ]  # fmt: skip
    assert table["cutoff"].dt.strftime("%m-%d").unique().tolist() == ["01-30", "01-20"]
    assert set(table["model_version"]) == {"m/3"}


def test_a_long_table_is_forecast_like_its_panel(forecaster):
    panel = make_panel()
    table = ensemble.from_table(forecaster, to_frame(panel), version="m/1")
    chosen = windows.newest(panel)
    expected = ensemble.table(panel, chosen, forecaster(panel, chosen), version="m/1")
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_a_long_table_with_a_series_that_cannot_be_forecast_is_refused(forecaster):
    frame = to_frame(make_panel())
    frame.loc[frame["unique_id"] == "c", "y"] = np.nan
    with pytest.raises(DataRefused, match=r"series c: needs an observation .* newer history"):
        ensemble.from_table(forecaster, frame, version="m/1")


def test_weights_of_another_network_are_refused(forecaster):
    other = make_forecaster("network.cells.units=[9]")
    state = bundle.State(other.members, bundle.Seen(np.array(["a"]), np.array([1])))
    with pytest.raises(BundleRefused):
        Ensemble(forecaster.experiment, state)


def test_without_one_of_the_series_it_reads_together_a_forecaster_has_no_forecast():
    panel = make_panel()
    forecaster = make_forecaster("network.multivariate=[a,b,c,d]")
    chosen = windows.newest(panel)
    whole = forecaster(panel, chosen)
    assert np.isfinite(whole).all()
    less = select(panel, [0, 1, 3])
    assert forecaster.skipped(less, windows.newest(less)) == dict.fromkeys(
        range(3), "is forecast together with series c; bring its history, too"
    )
    assert np.isnan(forecaster(less, windows.newest(less))).all()


def test_series_apart_from_those_that_are_read_together_change_nothing_and_have_no_forecast():
    panel = make_panel()
    forecaster = make_forecaster("network.multivariate=[b,d]")
    chosen = windows.newest(panel)
    forecasts = forecaster(panel, chosen)
    assert np.isnan(forecasts).all(axis=(1, 2)).tolist() == [True, False, True, False]
    assert "reads together" in forecaster.skipped(panel, chosen)[0]
    alone = select(panel, [1, 3])
    assert forecaster(alone, windows.newest(alone)).tobytes() == forecasts[[1, 3]].tobytes()
