"""Statistical baselines are compared on the same windows as foreseq, within limits."""

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.evaluation import statistical_baselines
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import BASELINES
from foreseq.evaluation.comparison import compare
from foreseq.evaluation.statistical_baselines import ARIMA, ETS, THETA
from foreseq.series import windows
from foreseq.series.panel import from_series

HORIZON, SEASON = 6, 6
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)


def make_panel(*, base=50.0):
    rng = np.random.default_rng(1)
    steps = np.arange(72)
    series = {
        f"s{i}": base + 0.2 * steps + 5 * np.sin(2 * np.pi * steps / SEASON) + rng.normal(size=72)
        for i in range(4)
    }
    return from_series(series, freq="1", season=SEASON)


def compare_all(panel, *overrides, ours=0.0):
    """Compare a forecaster that forecasts the actuals plus `ours`."""
    config = {"dataset": {"source": "memory", "horizon": HORIZON}, "network": {"log": False}}
    experiment = build_experiment(config, overrides)
    chosen = windows.Windows(np.arange(4), np.full(4, 66))
    actual = windows.futures(panel, chosen, HORIZON)
    forecasts = {name: method(panel, chosen, HORIZON) for name, method in BASELINES.items()}
    tested = Backtest(
        windows=chosen,
        actual=actual,
        forecasts={FORESEQ: actual + ours, **forecasts},
        quantiles=np.repeat((actual + ours)[..., None], len(LEVELS), axis=-1),
        seasonal_error=np.ones(4),
        levels=LEVELS,
    )
    return compare(tested, panel, experiment)


@pytest.fixture(scope="module")
def compared():
    return compare_all(make_panel(), ours=0.3)


def test_each_method_forecasts_trend_and_season_better_than_the_seasonal_naive(compared):
    tested = compared.backtest
    for name in (ETS, THETA, ARIMA):
        assert tested.error(name) < tested.error("seasonal_naive"), name
    assert compared.failures == {ETS: 0, THETA: 0, ARIMA: 0}


def test_skill_and_wins_are_those_on_the_shared_windows(compared):
    assert sorted(compared.backtest.windows.series) == [0, 1, 2, 3]
    assert compared.backtest.error(FORESEQ) == pytest.approx(0.3)
    assert compared.backtest.win_rate(ETS) == 1
    best = compared.names[0]
    assert compared.backtest.skill(over=best) == pytest.approx(
        1 - 0.3 / compared.backtest.error(best)
    )


def test_their_quantiles_ascend_around_the_point_and_cover(compared):
    for name, quantiles in compared.quantiles.items():
        assert (np.diff(quantiles) > 0).all()
        np.testing.assert_array_equal(quantiles[..., 2], compared.backtest.forecasts[name])
    for name in (ETS, ARIMA):
        wide, narrow = compared.intervals()[name]
        assert (wide.level, narrow.level) == (0.95, 0.8)
        assert wide.coverage >= 0.8
        assert wide.width > narrow.width


def test_in_logarithms_nothing_falls_below_zero():
    comparison = compare_all(
        make_panel(base=6), "network.log=true", "statistical_baselines.windows=1"
    )
    assert all((quantiles > 0).all() for quantiles in comparison.quantiles.values())


def test_a_fit_that_fails_is_counted_and_replaced_by_the_seasonal_naive():
    panel = make_panel()
    panel.values[3] = -1.0  # no logarithm
    comparison = compare_all(panel, "network.log=true")
    assert comparison.failures == {ETS: 1, THETA: 1, ARIMA: 1}
    row = int(np.flatnonzero(comparison.backtest.windows.series == 0)[0])
    naive = comparison.backtest.forecasts["seasonal_naive"][row]
    np.testing.assert_array_equal(comparison.backtest.forecasts[ETS][row], naive)
    assert (np.diff(comparison.quantiles[ETS][row]) > 0).all()


def test_the_same_windows_are_drawn_each_time():
    drawn = [compare_all(make_panel(), "statistical_baselines.windows=2") for _ in range(2)]
    one, other = (list(comparison.backtest.windows.series) for comparison in drawn)
    assert one == other
    assert drawn[0].sample.startswith("2 of 4 test windows, drawn with seed 1")


def test_when_time_is_up_no_further_window_is_started():
    comparison = compare_all(make_panel(), "statistical_baselines.seconds=1.0e-9")
    assert comparison.backtest.windows.count == 1
    assert "longer than" in comparison.sample


def test_without_statsmodels_a_report_says_so(monkeypatch):
    monkeypatch.setattr(statistical_baselines, "find_spec", lambda _: None)
    comparison = compare_all(make_panel())
    assert comparison.backtest is None
    assert "statsmodels is not installed" in comparison.sample
    assert compare_all(make_panel(), "statistical_baselines.windows=0").intervals() == {}


def test_no_method_sees_beyond_its_cutoff_nor_more_than_its_history():
    whole = make_panel()
    other = make_panel()
    for start in other.offsets[:-1]:
        other.values[start + 66 : start + 72] = 1e6
        other.values[start : start + 6] = 1e6
    short = [
        compare_all(panel, "statistical_baselines.history=60", "statistical_baselines.windows=1")
        for panel in (whole, other)
    ]
    for name in (ETS, THETA, ARIMA):
        np.testing.assert_array_equal(short[0].quantiles[name], short[1].quantiles[name])


@pytest.mark.parametrize("name", [ETS, THETA, ARIMA])
@pytest.mark.parametrize("season", [1, 7, 30])
def test_a_longer_season_than_a_method_carries_is_put_back(name, season, rng):
    steps = np.arange(190)
    truth = 20 + 5 * np.cos(2 * np.pi * steps / season) + rng.normal(0, 0.3, size=190)
    truth[[3, 50]] = np.nan
    normal = statistical_baselines.forecast(
        statistical_baselines.METHODS[name], truth[:180], season, 10
    )
    assert np.abs(normal.mean - truth[180:]).mean() < 1.0


def test_a_constant_has_no_spread_and_too_short_a_past_no_forecast():
    for method in statistical_baselines.METHODS.values():
        normal = statistical_baselines.forecast(method, np.full(30, 5.0), 7, 3)
        assert (normal.mean.tolist(), normal.spread.tolist()) == ([5.0] * 3, [0.0] * 3)
        assert statistical_baselines.forecast(method, np.array([1.0, 2.0, np.nan]), 1, 3) is None
