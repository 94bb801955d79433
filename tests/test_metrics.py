import json
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from foreseq import metrics

with warnings.catch_warnings():  # its docstrings warn when Python compiles them the first time
    warnings.filterwarnings("ignore", "invalid escape sequence")
    from utilsforecast import losses

ROOT = Path(__file__).parents[1]
SCORER = next(ROOT.parent.glob("*/tools/score.py"), None)  # an independent one, where there is one
EXACT = {"rtol": 1e-12, "atol": 0}

windows = arrays(np.float64, (4, 3), elements=st.floats(-1e6, 1e6, allow_subnormal=False))


@pytest.fixture
def frame():
    """Three series of five steps, with a point forecast and an 80 percent interval."""
    rng = np.random.default_rng(7)
    actual = rng.gamma(3.0, 10.0, size=15)
    model = actual + rng.normal(0, 8, size=15)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(["a", "b", "c"], 5),
            "ds": np.tile(np.arange(40, 45), 3),
            "y": actual,
            "model": model,
            "model-lo-80": model - 9,
            "model-hi-80": model + 5,
        }
    )


def grid(frame, column):
    return frame[column].to_numpy().reshape(3, 5)


def theirs(table):
    return table["model"].to_numpy()


def history(*, gaps):
    """Four integer-step series of 30 to 45 steps: lively, constant, too short for the season."""
    rng = np.random.default_rng(3)
    lively, other = rng.normal(100, 20, size=45), rng.normal(-3, 9, size=30)
    if gaps:
        lively[[4, 17, 18]], other[5] = np.nan, np.nan
    return {"a": lively, "b": np.full(30, 5.0), "c": rng.normal(0, 1, size=8), "d": other}


def ragged(series):
    """Return values, observed and offsets as a panel holds them."""
    values = np.concatenate(list(series.values()))
    offsets = np.cumsum([0, *map(len, series.values())])
    return np.nan_to_num(values), np.isfinite(values), offsets


def long_table(rows, first_steps, column):
    """Return the long table of one row of numbers per series."""
    return pd.concat(
        pd.DataFrame({"unique_id": name, "ds": np.arange(len(row)) + first, column: row})
        for (name, row), first in zip(rows.items(), first_steps, strict=True)
    )


def judged(folder, train, test, forecast, season):
    """Return what the independent scorer says: overall, and a row per series."""
    files = {"train": train, "test": test, "forecast": forecast}
    arguments = []
    for name, table in files.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
        arguments += [f"--{name}", str(folder / f"{name}.parquet")]
    arguments += ["--season", str(season), "--json", str(folder / "out.json")]
    arguments += ["--per-series", str(folder / "each.csv")]
    subprocess.run([sys.executable, str(SCORER), *arguments], check=True, capture_output=True)  # noqa: S603 - our own arguments
    return json.loads((folder / "out.json").read_text()), pd.read_csv(folder / "each.csv")


# Laws


@settings(deadline=None)
@given(windows)
def test_scoring_the_truth_gives_zero(truth):
    scores = metrics.score(truth, truth, [0, 0, 1, 2], [1.0, 2.0, 3.0])
    assert scores == (0.0, 0.0, 0.0, 0.0, 3, 0)


@settings(deadline=None)
@given(windows, windows)
def test_smape_lies_between_0_and_200_and_rmse_is_never_below_mae(truth, forecast):
    smape = metrics.smape(truth, forecast)
    assert (smape >= 0).all()
    assert (smape <= 200 * (1 + 1e-12)).all()
    mae, rmse = metrics.mae(truth, forecast), metrics.rmse(truth, forecast)
    assert (rmse >= mae * (1 - 1e-9) - 1e-150).all()  # squares of tiny errors underflow


@pytest.mark.parametrize("factor", [1e-6, 8.0, 1e9])
def test_the_unit_of_the_data_changes_neither_mase_nor_smape(rng, factor):
    values, observed, offsets = ragged(history(gaps=True))
    truth, forecast, series = rng.normal(9, 5, (6, 7)), rng.normal(9, 5, (6, 7)), [0, 0, 1, 2, 3, 3]
    ends = np.diff(offsets)
    scale = metrics.seasonal_errors(values, observed, offsets, ends, 12)
    scaled = metrics.seasonal_errors(values * factor, observed, offsets, ends, 12)
    once = metrics.score(truth, forecast, series, scale)
    again = metrics.score(truth * factor, forecast * factor, series, scaled)
    np.testing.assert_allclose(again.mase, once.mase, **EXACT)
    np.testing.assert_allclose(again.smape, once.smape, **EXACT)
    np.testing.assert_allclose(again.mae, once.mae * factor, **EXACT)
    np.testing.assert_allclose(again.rmse, once.rmse * factor, **EXACT)


def test_the_order_of_windows_and_of_series_changes_no_mean(rng):
    truth, forecast = rng.normal(size=(9, 4)), rng.normal(size=(9, 4))
    series, scale = rng.integers(0, 5, size=9), rng.uniform(1, 2, size=5)
    windows_order, new_place = rng.permutation(9), rng.permutation(5)
    moved_scale = np.empty(5)
    moved_scale[new_place] = scale
    shuffled = (
        truth[windows_order],
        forecast[windows_order],
        new_place[series][windows_order],
        moved_scale,
    )
    np.testing.assert_allclose(
        metrics.score(*shuffled), metrics.score(truth, forecast, series, scale), **EXACT
    )
    np.testing.assert_allclose(
        metrics.by_horizon(*shuffled), metrics.by_horizon(truth, forecast, series, scale), **EXACT
    )


def test_steps_not_observed_are_as_if_they_were_not_there(rng):
    truth, forecast = rng.normal(size=(2, 6)), rng.normal(size=(2, 6))
    low, high = forecast - 1, forecast + 1
    truth[:, [1, 4]] = np.nan
    forecast[0, 1] = np.nan  # nobody asked
    left = [0, 2, 3, 5]
    for measure in (metrics.mae, metrics.rmse, metrics.smape):
        np.testing.assert_allclose(
            measure(truth, forecast), measure(truth[:, left], forecast[:, left]), **EXACT
        )
    np.testing.assert_allclose(
        metrics.coverage(truth, low, high),
        metrics.coverage(truth[:, left], low[:, left], high[:, left]),
        **EXACT,
    )
    np.testing.assert_allclose(
        metrics.interval_score(truth, low, high, 0.8, 1.0),
        metrics.interval_score(truth[:, left], low[:, left], high[:, left], 0.8, 1.0),
        **EXACT,
    )


def test_a_series_nobody_observed_is_left_out_of_every_mean():
    unseen = [[np.nan, np.nan]]
    scores = metrics.score([[1.0, 3.0], *unseen], [[2.0, 2.0], [0.0, 0.0]], [0, 1], [0.5, 0.5])
    assert scores == (1.0, 1.0, pytest.approx(160 / 3), 2.0, 1, 0)
    nothing = metrics.score(unseen, unseen, [0], [1.0])
    assert np.isnan(nothing[:4]).all()
    assert nothing[4:] == (0, 0)


def test_no_window_at_all_is_no_score():
    empty = np.empty((0, 3))
    assert metrics.score(empty, empty, [], [1.0, 1.0]).n_series == 0
    assert np.isnan(metrics.by_horizon(empty, empty, [], [1.0, 1.0]).mae).tolist() == [True] * 3


def test_silence_never_pays():
    truth, silent = [[1.0, 2.0]], [[1.0, np.nan]]
    assert metrics.mae(truth, silent) == np.inf
    assert metrics.rmse(truth, silent) == np.inf
    assert metrics.mase(truth, silent, 1.0) == np.inf
    assert metrics.smape(truth, silent) == 100.0  # 0 for the first step, 200 for the second
    assert metrics.coverage(truth, silent, [[3.0, 3.0]]) == 0.5
    assert metrics.interval_width(silent, [[3.0, 3.0]]) == np.inf
    assert metrics.interval_score(truth, silent, [[3.0, 3.0]], 0.9, 1.0) == np.inf
    assert metrics.pinball(truth, [[[1.0], [np.nan]]], [0.5]) == np.inf
    assert metrics.weighted_quantile_loss(truth, [[[1.0], [np.nan]]], [0.5]) == np.inf
    assert metrics.skill(float(metrics.mae(truth, silent)[0]), 1.0) == -np.inf


def test_an_infinite_forecast_is_as_wrong_as_none():
    assert metrics.smape([1.0], [np.inf]) == 200.0
    assert metrics.mae([1.0], [-np.inf]) == np.inf


def test_forecasts_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape of actual \(2, 3\), not \(2, 1\)"):
        metrics.mae(np.zeros((2, 3)), np.zeros((2, 1)))


def test_the_median_has_half_the_absolute_error_as_pinball_loss(rng):
    truth, forecast = rng.normal(size=(5, 8)), rng.normal(size=(5, 8))
    halves = metrics.pinball(truth, forecast[..., None], [0.5])[:, 0]
    np.testing.assert_allclose(halves, metrics.mae(truth, forecast) / 2, **EXACT)


def test_the_weighted_quantile_loss_is_that_of_gluonts(rng):
    truth, levels = rng.normal(size=(5, 8)), [0.1, 0.5, 0.8]
    quantiles = np.sort(rng.normal(size=(5, 8, 3)), axis=-1)
    expected = [
        np.abs(2 * (quantiles[..., i] - truth) * ((truth <= quantiles[..., i]) - level)).sum()
        / np.abs(truth).sum()
        for i, level in enumerate(levels)
    ]
    loss = metrics.weighted_quantile_loss(truth, quantiles, levels)
    assert loss == pytest.approx(np.mean(expected))
    truth[0, 0] = np.nan
    kept = metrics.weighted_quantile_loss(truth.ravel()[1:], quantiles.reshape(-1, 3)[1:], levels)
    assert metrics.weighted_quantile_loss(truth, quantiles, levels) == pytest.approx(kept)


def test_an_interval_score_is_the_pinball_loss_of_its_two_bounds(rng):
    truth, low = rng.normal(size=(5, 8)), rng.normal(-1, 1, size=(5, 8))
    high = low + rng.uniform(0, 3, size=(5, 8))
    bounds = metrics.pinball(truth, np.stack([low, high], axis=-1), [0.1, 0.9])
    np.testing.assert_allclose(
        metrics.interval_score(truth, low, high, 0.8, 1.0), bounds.sum(axis=-1) * 2 / 0.2, **EXACT
    )


def test_owa_of_the_reference_itself_is_one():
    naive2 = metrics.Scores(mae=2.0, rmse=3.0, smape=11.0, mase=1.3, n_series=4, n_without_mase=0)
    assert metrics.owa(naive2, naive2) == 1.0


# Numbers worked by hand


def test_windows_of_a_series_are_averaged_before_series_are():
    errors = metrics.per_series([[0.0]] * 4, [[1.0], [2.0], [6.0], [8.0]], [0, 0, 0, 1], [1.5, 4.0])
    assert errors.mae.tolist() == [3.0, 8.0]
    assert errors.mase.tolist() == [2.0, 2.0]
    assert metrics.overall(errors).mae == 5.5  # 17 / 4 = 4.25 if windows were alike


def test_errors_by_horizon_are_those_of_each_step_ahead():
    truth = [[10.0, 10.0], [10.0, np.nan], [10.0, 10.0]]
    forecast = [[11.0, 15.0], [14.0, 0.0], [10.0, 30.0]]
    ahead = metrics.by_horizon(truth, forecast, [0, 0, 1], [2.0, 0.0])
    assert ahead.mae.tolist() == [(2.5 + 0.0) / 2, (5.0 + 20.0) / 2]
    assert ahead.rmse.tolist() == [np.sqrt(17 / 2) / 2, 12.5]
    assert ahead.smape.tolist() == [
        pytest.approx((200 / 21 + 800 / 24) / 4),
        pytest.approx((1000 / 25 + 4000 / 40) / 2),
    ]
    assert ahead.mase.tolist() == [1.25, 2.5]  # series 1 has no scale


def test_series_without_a_scale_are_left_out_of_mase_and_counted():
    scores = metrics.score([[0.0]] * 3, [[1.0], [2.0], [3.0]], [0, 1, 2], [np.nan, 0.0, 6.0])
    assert (scores.mae, scores.mase) == (2.0, 0.5)
    assert (scores.n_series, scores.n_without_mase) == (3, 2)


def test_a_bound_belongs_to_its_interval():
    assert metrics.coverage([[1.0, 2.0, 2.1]], [[1.0] * 3], [[2.0] * 3]) == pytest.approx(2 / 3)


def test_pinball_charges_a_level_for_the_side_it_misses():
    loss = metrics.pinball([[0.0, 10.0]], [[[10.0], [0.0]]], [0.9])
    assert loss.tolist() == [[pytest.approx((0.1 * 10 + 0.9 * 10) / 2)]]


# Seasonal error


@pytest.mark.parametrize("season", [1, 7, 12])
@pytest.mark.parametrize("cut", [0, 3])
def test_seasonal_errors_of_a_panel_are_those_of_its_series(season, cut):
    series = history(gaps=True)
    values, observed, offsets = ragged(series)
    together = metrics.seasonal_errors(values, observed, offsets, np.diff(offsets) - cut, season)
    alone = []
    for row in series.values():
        trained = row[: len(row) - cut]
        jumps = np.abs(trained[season:] - trained[:-season])
        jumps = jumps if np.isfinite(jumps).any() else np.abs(np.diff(trained))
        alone.append(np.nanmean(jumps))
        assert metrics.seasonal_error(trained, np.isfinite(trained), season) == pytest.approx(
            alone[-1], rel=1e-12
        )
    np.testing.assert_allclose(together, alone, **EXACT)


def test_what_follows_the_training_span_changes_no_seasonal_error(rng):
    values, observed, offsets = ragged(history(gaps=False))
    ends = np.diff(offsets) - 4
    before = metrics.seasonal_errors(values, observed, offsets, ends, 7)
    for first, end, last in zip(offsets[:-1], ends, offsets[1:], strict=True):
        values[first + end : last] = rng.normal(1e6, 1e6, size=last - first - end)
    after = metrics.seasonal_errors(values, observed, offsets, ends, 7)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("steps", [0, 1])
def test_a_series_without_two_neighbours_has_no_seasonal_error(steps):
    assert np.isnan(metrics.seasonal_error([4.0] * steps, [True] * steps, season=3))


def test_a_value_marked_unobserved_is_never_read():
    seen = [True, False, True, True]
    assert metrics.seasonal_error([1.0, np.nan, 5.0, 6.0], seen, season=1) == 1.0
    assert metrics.seasonal_error([1.0, 999.0, 5.0, 6.0], seen, season=2) == 4.0


# Other people's code


def test_point_measures_agree_with_utilsforecast(frame):
    truth, forecast = grid(frame, "y"), grid(frame, "model")
    np.testing.assert_allclose(
        metrics.mae(truth, forecast), theirs(losses.mae(frame, ["model"])), **EXACT
    )
    np.testing.assert_allclose(
        metrics.rmse(truth, forecast), theirs(losses.rmse(frame, ["model"])), **EXACT
    )
    np.testing.assert_allclose(  # theirs is a fraction, and half of M4's
        metrics.smape(truth, forecast), 200 * theirs(losses.smape(frame, ["model"])), **EXACT
    )


def test_mase_agrees_with_utilsforecast(frame):
    rng = np.random.default_rng(11)
    rows = {"a": rng.normal(size=40), "b": rng.normal(size=30), "c": rng.normal(size=20)}
    train = long_table(rows, [0, 10, 20], "y")
    values, observed, offsets = ragged(rows)
    scale = metrics.seasonal_errors(values, observed, offsets, np.diff(offsets), 7)
    np.testing.assert_allclose(
        metrics.mase(grid(frame, "y"), grid(frame, "model"), scale),
        theirs(losses.mase(frame, ["model"], 7, train)),
        **EXACT,
    )


def test_interval_measures_agree_with_utilsforecast(frame):
    truth, low, high = (grid(frame, name) for name in ("y", "model-lo-80", "model-hi-80"))
    np.testing.assert_allclose(
        metrics.coverage(truth, low, high), theirs(losses.coverage(frame, ["model"], 80)), **EXACT
    )
    np.testing.assert_allclose(
        metrics.interval_score(truth, low, high, 0.8, 1.0),
        theirs(losses.winkler_score(frame, ["model"], 80)),
        **EXACT,
    )
    bounds = np.stack([low, high], axis=-1)
    columns = {"model": ["model-lo-80", "model-hi-80"]}
    np.testing.assert_allclose(
        metrics.pinball(truth, bounds, [0.1, 0.9]).mean(axis=-1),
        theirs(losses.mqloss(frame, columns, np.array([0.1, 0.9]))),
        **EXACT,
    )


def test_errors_agree_with_scikit_learn(frame):
    truth, forecast = frame["y"].to_numpy(), frame["model"].to_numpy()
    expected = {
        metrics.mae: sklearn_metrics.mean_absolute_error,
        metrics.rmse: sklearn_metrics.root_mean_squared_error,
    }
    for ours, reference in expected.items():
        np.testing.assert_allclose(ours(truth, forecast), reference(truth, forecast), **EXACT)
    for level in (0.05, 0.5, 0.9):
        np.testing.assert_allclose(
            metrics.pinball(truth, forecast[:, None], [level])[0],
            sklearn_metrics.mean_pinball_loss(truth, forecast, alpha=level),
            **EXACT,
        )


@pytest.mark.skipif(SCORER is None, reason="no independent scorer beside the checkout")
@pytest.mark.parametrize("season", [1, 12])
def test_scores_agree_with_an_independent_scorer(tmp_path, season):
    series = history(gaps=True)
    rng = np.random.default_rng(5)
    truth, forecast = rng.normal(10, 9, (4, 6)), rng.normal(10, 9, (4, 6))
    truth[1, 2], truth[2, 0], forecast[2, 0] = np.nan, 0.0, 0.0
    lengths = [len(row) for row in series.values()]
    reported, each = judged(
        tmp_path,
        long_table(series, [0] * 4, "y"),
        long_table(dict(zip(series, truth, strict=True)), lengths, "y"),
        long_table(dict(zip(series, forecast, strict=True)), lengths, "y_hat"),
        season,
    )
    scale = metrics.seasonal_errors(*ragged(series), lengths, season)
    errors = metrics.per_series(truth, forecast, np.arange(4), scale)
    for name, error in errors._asdict().items():
        np.testing.assert_allclose(error, each[name], **EXACT)
    scores = metrics.overall(errors)
    for name, theirs_name in {
        "mae": "MAE",
        "rmse": "RMSE",
        "smape": "sMAPE",
        "mase": "MASE",
    }.items():
        np.testing.assert_allclose(getattr(scores, name), reported[theirs_name], **EXACT)
    assert scores.n_without_mase == reported["series_without_MASE"] == 1


def test_seasonal_naive_on_m4_hourly_scores_what_was_published(shared, tmp_path):
    train = pd.read_parquet(shared / "m4_hourly-train.parquet").sort_values(["unique_id", "ds"])
    test = pd.read_parquet(shared / "m4_hourly-test.parquet").sort_values(["unique_id", "ds"])
    values = train["y"].to_numpy()
    _, lengths = np.unique(train["unique_id"].to_numpy(dtype=str), return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    truth = test["y"].to_numpy().reshape(len(lengths), 48)
    last_day = values[offsets[1:, None] - 24 + np.arange(24)]  # (series, season)
    naive = np.tile(last_day, 2)
    scale = metrics.seasonal_errors(values, np.isfinite(values), offsets, lengths, 24)
    scores = metrics.score(truth, naive, np.arange(len(lengths)), scale)
    assert (round(scores.smape, 3), round(scores.mase, 3)) == (13.912, 1.193)
    if SCORER is not None:
        forecast = test[["unique_id", "ds"]].assign(y_hat=naive.ravel())
        reported, _ = judged(tmp_path, train, test, forecast, 24)
        np.testing.assert_allclose(scores.smape, reported["sMAPE"], **EXACT)
        np.testing.assert_allclose(scores.mase, reported["MASE"], **EXACT)
        np.testing.assert_allclose(scores.rmse, reported["RMSE"], **EXACT)


@pytest.mark.parametrize("block", [1, 7, 30])
def test_seasonal_errors_do_not_depend_on_the_blocks_they_are_worked_out_in(
    rng, monkeypatch, block
):
    values, observed = rng.normal(size=60), rng.random(60) < 0.9
    panel = (values, observed, [0, 20, 21, 21, 60], [18, 1, 0, 30], 3)
    whole = metrics.seasonal_errors(*panel)
    monkeypatch.setattr(metrics, "BLOCK", block)
    np.testing.assert_array_equal(metrics.seasonal_errors(*panel), whole)


def test_seasonal_errors_take_less_memory_than_the_data():
    values, length = np.ones(8 * metrics.BLOCK), metrics.BLOCK // 4
    observed, offsets = np.ones(len(values), bool), np.arange(0, len(values) + 1, length)
    tracemalloc.start()
    metrics.seasonal_errors(values, observed, offsets, np.diff(offsets), 24)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < values.nbytes


def test_a_series_that_is_constant_but_for_rounding_has_no_mase_and_the_others_are_judged():
    rounded = np.tile([0.1 + 0.2, 0.3, 0.3], 10)
    scale = [metrics.seasonal_error(values, [True] * 30, 7) for values in (rounded, rounded * 1e9)]
    assert scale == [0, 0]
    scores = metrics.score([[0.3], [5.0]], [[0.4], [6.0]], [0, 1], [scale[0], 2.0])
    assert (scores.mase, scores.n_series, scores.n_without_mase) == (0.5, 2, 1)
