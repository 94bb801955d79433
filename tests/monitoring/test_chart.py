import numpy as np
import pandas as pd
import pytest
from scipy import stats

from foreseq.config import MonitorConfig
from foreseq.monitoring.chart import NEWEST, autocorrelation, control, coverage, limit


def test_the_first_point_is_compared_with_the_backtest_by_students_t():
    backtest = np.array([-0.2, 0.0, 0.1, 0.3])
    spread = backtest.std(ddof=1) * np.sqrt(1 + 1 / 4)
    chance = stats.t.sf((0.9 - backtest.mean()) / spread, 3)
    expected = NEWEST * stats.norm.isf(chance) / np.sqrt(NEWEST / (2 - NEWEST))
    chart = control(backtest, np.array([0.9]), every=100)
    np.testing.assert_allclose(chart.score, [expected])


def test_a_point_far_off_alarms_by_itself_even_after_good_ones():
    backtest = np.array([-0.1, 0.0, 0.1])
    live = np.array([-0.1, -0.1, 0.0, -0.2, -0.3, -0.3, -0.3, -0.1, 3.0])  # 20 times the error
    assert control(backtest, live, every=10_000, least=0.14).alarms.tolist() == [False] * 8 + [True]


def test_the_first_three_points_have_no_score():
    chart = control(np.array([0.0, 0.1]), np.array([9.0, 9.0]), every=100)
    assert np.isnan(chart.score[0])
    assert not chart.alarms.any()


def test_points_that_alarm_do_not_change_the_chart(rng):
    chart = control(rng.normal(size=12) / 10, np.full(9, 1.5), every=2000)
    assert chart.alarms.all()


def test_a_small_lasting_shift_alarms_in_the_end(rng):
    chart = control(rng.normal(size=36), rng.normal(size=40) + 2, every=2000)
    assert chart.alarms.any()
    assert not chart.alarms[0]


def test_errors_below_the_backtests_are_no_alarm(rng):
    assert not control(rng.normal(size=12), np.full(9, -5.0), every=2000).alarms.any()


def test_points_acted_on_do_not_alarm_the_next_ones():
    backtest, live = np.tile([-0.1, 0.1], 6), np.array([0.0, 3.0, 0.0])
    assert control(backtest, live, every=2000).score[2] > 2
    assert control(backtest, live, every=2000, since=2).score[2] < 1


@pytest.mark.parametrize("known", [4, 24])
def test_chance_alarms_about_as_rarely_as_was_asked(known):
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=known + 40) for _ in range(60)]
    alarms = sum(control(row[:known], row[known:], every=100).alarms.sum() for row in rows)
    assert 60 * 40 / 100 / 2 < alarms < 60 * 40 / 100 * 2


def test_a_moving_average_is_autocorrelated(rng):
    noise = rng.normal(size=400)
    walk = np.convolve(noise, np.ones(4), "valid")
    assert autocorrelation(noise) < 0.15
    assert autocorrelation(walk) > 0.6
    assert autocorrelation(walk[:5]) == 0


def test_the_limit_is_the_chance_of_one_point():
    assert stats.norm.sf(limit(2000)) == pytest.approx(1 / 2000)


def points(shares, count=100.0) -> pd.DataFrame:
    shares = np.asarray(shares, dtype=np.float64)
    return pd.DataFrame({"count": np.full(len(shares), count), "inside": shares * count})


def test_coverage_needs_eight_origins_and_intervals():
    assert coverage(points([0.8] * 7), 0.8) is None
    assert coverage(points([0.8] * 8), None) is None


def test_nominal_coverage_is_not_off():
    covered = coverage(points([0.78, 0.82, 0.8, 0.81, 0.79, 0.8, 0.83, 0.77]), 0.8)
    assert covered.share == pytest.approx(0.8)
    assert covered.p_value > 0.9
    assert not covered.is_off(MonitorConfig())


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_too_narrow_and_too_wide_are_off_if_they_last(rng, share):
    lasting = np.clip(share + 0.02 * rng.normal(size=20), 0, 1)
    assert coverage(points(lasting), 0.8).is_off(MonitorConfig())


def test_a_significant_but_small_difference_is_not_off(rng):
    covered = coverage(points(0.77 + 0.001 * rng.normal(size=50), count=1e6), 0.8)
    assert covered.p_value < 1e-9
    assert not covered.is_off(MonitorConfig())


def test_one_bad_origin_among_eight_is_not_significant():
    assert not coverage(points([0.8] * 7 + [0.0]), 0.8).is_off(MonitorConfig())
