import numpy as np
import pytest

from foreseq import metrics
from foreseq.errors import DataRefused
from foreseq.evaluation.backtest import FORESEQ, Backtest, backtest, per_series, unseen_backtest
from foreseq.evaluation.baselines import (
    DRIFT,
    HISTORIC_MEDIAN,
    NAIVE,
    SEASONAL_NAIVE,
    seasonal_naive,
)
from foreseq.forecasting.ensemble import Ensemble
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows

NAN = float("nan")


def make_backtest(actual, ours, theirs, **more):
    """Return a backtest of series of one window each."""
    actual, ours, theirs = (np.array(values, dtype=np.float64) for values in (actual, ours, theirs))
    count = len(actual)
    return Backtest(
        windows=Windows(np.arange(count), np.full(count, 9)),
        actual=actual,
        forecasts={FORESEQ: ours, SEASONAL_NAIVE: theirs, NAIVE: theirs + 1e6},
        quantiles=more.pop("quantiles", ours[..., None]),
        seasonal_error=np.ones(count),
        **more,
    )


def test_the_win_rate_counts_series_and_halves_ties():
    tested = make_backtest(
        actual=[[0.0], [0.0], [0.0], [0.0], [NAN]],
        ours=[[1.0], [2.0], [3.0], [-1.0], [0.0]],
        theirs=[[2.0], [2.0], [2.0], [2.0], [2.0]],
    )
    assert tested.win_rate(SEASONAL_NAIVE) == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert tested.win_rate(NAIVE) == 1


def test_without_a_forecast_a_series_is_lost():
    assert make_backtest([[0.0]], [[NAN]], [[5.0]]).win_rate(SEASONAL_NAIVE) == 0


def test_intervals_are_measured_against_the_actuals():
    quantiles = np.tile([-2.0, -1.0, 0.0, 1.0, 2.0], (4, 1, 1))
    tested = make_backtest(
        actual=[[0.5], [1.5], [-3.0], [NAN]],
        ours=[[0.0]] * 4,
        theirs=[[0.0]] * 4,
        quantiles=quantiles,
        levels=(0.05, 0.25, 0.5, 0.75, 0.95),
    )
    wide, narrow = tested.intervals()
    assert (wide.level, wide.width, narrow.level, narrow.width) == (0.9, 4, 0.5, 2)
    assert wide.coverage == pytest.approx(2 / 3)
    assert narrow.coverage == pytest.approx(1 / 3)
    assert wide.score == pytest.approx((4 + 4 + (4 + 2 / 0.1 * 1)) / 3)


def test_the_crps_of_a_point_forecast_is_its_normalized_deviation():
    tested = make_backtest([[4.0], [6.0]], [[3.0], [8.0]], [[4.0], [6.0]], levels=(0.1, 0.5, 0.9))
    tested = tested._replace(quantiles=np.repeat(tested.forecasts[FORESEQ][..., None], 3, -1))
    assert tested.crps() == pytest.approx((1 + 2) / (4 + 6))
    assert tested.crps(SEASONAL_NAIVE) == 0


def test_a_level_without_its_counterpart_bounds_no_interval():
    one_sided = make_backtest([[0.0]], [[0.0]], [[1.0]], levels=(0.1, 0.5))
    assert one_sided.intervals() == []


def test_a_network_that_is_the_seasonal_naive_has_no_skill(make_panel, make_bundle):
    panel = make_panel()
    fitted = make_bundle(panel, 36)
    test = windows.split(panel, 4, fitted.experiment.split).test
    tested = backtest(Ensemble(fitted.experiment, fitted.evaluated), panel, test)
    assert tested.skill(SEASONAL_NAIVE) == 0
    assert tested.skill() == pytest.approx(0, abs=1e-6)
    assert list(tested.forecasts) == [FORESEQ, SEASONAL_NAIVE, NAIVE, DRIFT, HISTORIC_MEDIAN]
    expected = metrics.mae(tested.actual, seasonal_naive(panel, test, 4)).mean()
    assert tested.scores()[SEASONAL_NAIVE].mae == pytest.approx(expected)
    assert tested.by_horizon()[FORESEQ].mae.shape == (4,)


def test_the_scale_of_mase_is_from_before_the_first_cutoff(make_panel, make_bundle):
    panel = make_panel()
    fitted = make_bundle(panel, 36, "split.test_windows=2")
    test = windows.split(panel, 4, fitted.experiment.split).test
    tested = backtest(Ensemble(fitted.experiment, fitted.evaluated), panel, test)
    assert tested.seasonal_error[1] == pytest.approx(
        metrics.seasonal_error(panel.series(1)[:32], panel.seen(1)[:32], 4)
    )


def test_unobserved_steps_are_not_judged(make_bundle):
    values = np.tile([1.0, 2.0, 3.0, 4.0], 10)
    values[-1] = NAN
    panel = from_series({"a": values}, freq="1", season=4)
    fitted = make_bundle(panel, 36)
    chosen = Windows(np.array([0]), np.array([36]))
    tested = backtest(Ensemble(fitted.experiment, fitted.evaluated), panel, chosen)
    assert np.isnan(tested.actual[0]).tolist() == [False, False, False, True]
    assert tested.scores()[SEASONAL_NAIVE].mae == 0


def test_the_table_of_series_begins_with_the_best(make_panel, make_bundle):
    panel = make_panel()
    fitted = make_bundle(panel, 36, shake=0.3)
    chosen = Windows(np.array([0, 2]), np.array([36, 36]))
    tested = backtest(Ensemble(fitted.experiment, fitted.evaluated), panel, chosen)
    table = per_series(tested, panel)
    assert set(table["unique_id"]) == {"a", "c"}
    assert table["skill"].is_monotonic_decreasing
    row = table.set_index("unique_id").loc["c"]
    assert row["foreseq_mae"] == pytest.approx(
        np.abs(tested.actual[1] - tested.forecasts[FORESEQ][1]).mean()
    )


def test_an_unseen_backtest_leaves_out_what_was_trained_on(make_panel, make_bundle):
    panel = make_panel()
    tested = unseen_backtest(make_bundle(panel, 40, "split.test_windows=2"), panel)
    assert tested.windows.cutoff.tolist() == [36] * 3
    with pytest.raises(DataRefused, match="bring newer data"):
        unseen_backtest(make_bundle(panel, 44), panel)


def test_a_series_that_was_silent_before_a_cutoff_does_not_spoil_the_panel(make_bundle):
    values = {f"s{i}": np.tile([1.0, 2.0, 3.0, 4.0], 10) + i for i in range(6)}
    values["s5"][20:36] = NAN  # longer than the context
    panel = from_series(values, freq="1", season=4)
    fitted = make_bundle(panel, 36)
    chosen = Windows(np.arange(6), np.full(6, 36))
    tested = backtest(Ensemble(fitted.experiment, fitted.evaluated), panel, chosen)
    assert tested.windows.series.tolist() == [0, 1, 2, 3, 4]
    assert [tested.ids[one] for one in tested.unanswered] == ["s5"]
    assert np.isfinite(tested.error(FORESEQ))


def test_times_are_counted_from_the_first_step_of_the_earliest_series():
    tested = make_backtest([[0.0], [0.0]], [[0.0], [0.0]], [[0.0], [0.0]])
    assert tested.times.tolist() == [9, 9]
    assert tested._replace(starts=np.array([0, 30])).times.tolist() == [9, 39]
