"""Classical methods stand beside foreseq on the very same windows, at a price that is bounded."""

import numpy as np
import pytest

from foreseq import evaluation
from foreseq.config import build_experiment
from foreseq.evaluation import ARIMA, ETS, FORESEQ, THETA, Backtest, statistical_baselines
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


def compete(panel, *overrides, ours=0.0):
    """Return rivals of a forecaster that answers with what came, and `ours` added."""
    told = {"dataset": {"source": "memory", "horizon": HORIZON}, "network": {"log": False}}
    experiment = build_experiment(told, overrides)
    chosen = windows.Windows(np.arange(4), np.full(4, 66))
    actual = windows.futures(panel, chosen, HORIZON)
    forecasts = {name: each(panel, chosen, HORIZON) for name, each in evaluation.BASELINES.items()}
    tested = Backtest(
        windows=chosen,
        actual=actual,
        forecasts={FORESEQ: actual + ours, **forecasts},
        quantiles=np.repeat((actual + ours)[..., None], len(LEVELS), axis=-1),
        seasonal_error=np.ones(4),
        levels=LEVELS,
    )
    return evaluation.rivals(tested, panel, experiment)


@pytest.fixture(scope="module")
def competed():
    return compete(make_panel(), ours=0.3)


def test_each_method_forecasts_trend_and_season_better_than_the_seasonal_naive(competed):
    tested = competed.tested
    for name in (ETS, THETA, ARIMA):
        assert tested.error(name) < tested.error("seasonal_naive"), name
    assert competed.failures == {ETS: 0, THETA: 0, ARIMA: 0}


def test_skill_and_wins_are_those_on_the_shared_windows(competed):
    assert sorted(competed.tested.windows.series) == [0, 1, 2, 3]
    assert competed.tested.error(FORESEQ) == pytest.approx(0.3)
    assert competed.tested.win_rate(ETS) == 1
    best = competed.names[0]
    assert competed.tested.skill(over=best) == pytest.approx(1 - 0.3 / competed.tested.error(best))


def test_their_quantiles_ascend_around_the_point_and_cover(competed):
    for name, quantiles in competed.quantiles.items():
        assert (np.diff(quantiles) > 0).all()
        np.testing.assert_array_equal(quantiles[..., 2], competed.tested.forecasts[name])
    for name in (ETS, ARIMA):
        wide, narrow = competed.intervals()[name]
        assert (wide.level, narrow.level) == (0.95, 0.8)
        assert wide.coverage >= 0.8
        assert wide.width > narrow.width


def test_in_logarithms_nothing_falls_below_zero():
    rivals = compete(make_panel(base=6.0), "network.log=true", "statistical_baselines.windows=1")
    assert all((quantiles > 0).all() for quantiles in rivals.quantiles.values())


def test_a_fit_that_fails_is_counted_and_the_seasonal_naive_answers():
    panel = make_panel()
    panel.values[3] = -1.0  # no logarithm
    rivals = compete(panel, "network.log=true")
    assert rivals.failures == {ETS: 1, THETA: 1, ARIMA: 1}
    row = int(np.flatnonzero(rivals.tested.windows.series == 0)[0])
    naive = rivals.tested.forecasts["seasonal_naive"][row]
    np.testing.assert_array_equal(rivals.tested.forecasts[ETS][row], naive)
    assert (np.diff(rivals.quantiles[ETS][row]) > 0).all()


def test_windows_are_drawn_alike_each_time_and_the_sample_is_told():
    drawn = [compete(make_panel(), "statistical_baselines.windows=2") for _ in range(2)]
    one, other = (list(rivals.tested.windows.series) for rivals in drawn)
    assert one == other
    assert drawn[0].told.startswith("2 of 4 test windows, drawn with seed 1")


def test_when_time_is_up_no_further_window_is_begun():
    rivals = compete(make_panel(), "statistical_baselines.seconds=1.0e-9")
    assert rivals.tested.windows.count == 1
    assert "longer than" in rivals.told


def test_without_statsmodels_a_report_says_so(monkeypatch):
    monkeypatch.setattr(statistical_baselines, "find_spec", lambda _: None)
    rivals = compete(make_panel())
    assert rivals.tested is None
    assert "statsmodels is not installed" in rivals.told
    assert compete(make_panel(), "statistical_baselines.windows=0").intervals() == {}


def test_no_method_sees_beyond_its_cutoff_nor_more_than_its_history():
    whole = make_panel()
    other = make_panel()
    for start in other.offsets[:-1]:
        other.values[start + 66 : start + 72] = 1e6
        other.values[start : start + 6] = 1e6
    short = [
        compete(panel, "statistical_baselines.history=60", "statistical_baselines.windows=1")
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
    told = statistical_baselines.forecast(
        statistical_baselines.CLASSICS[name], truth[:180], season, 10
    )
    assert np.abs(told.mean - truth[180:]).mean() < 1.0


def test_of_a_constant_every_method_is_sure_and_of_almost_nothing_none_speaks():
    for method in statistical_baselines.CLASSICS.values():
        told = statistical_baselines.forecast(method, np.full(30, 5.0), 7, 3)
        assert (told.mean.tolist(), told.spread.tolist()) == ([5.0] * 3, [0.0] * 3)
        assert statistical_baselines.forecast(method, np.array([1.0, 2.0, np.nan]), 1, 3) is None
