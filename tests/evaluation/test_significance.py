"""The confidence is that of independent periods, and holds its level."""

import numpy as np
import pytest
from scipy import stats

from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.significance import SHARED, above_zero, confidence, units_of
from foreseq.series.windows import Windows

HORIZON = 3


def make_backtest(ours, theirs, starts=None, *, stride=HORIZON):
    """Return a backtest of errors, shape (series, windows), the same at every step."""
    ours, theirs = (np.array(errors, dtype=np.float64) for errors in (ours, theirs))
    series, count = ours.shape
    steps = np.ones((ours.size, HORIZON))
    return Backtest(
        windows=Windows(
            np.repeat(np.arange(series), count), np.tile(10 + stride * np.arange(count), series)
        ),
        actual=0 * steps,
        forecasts={FORESEQ: ours.reshape(-1, 1) * steps, "other": theirs.reshape(-1, 1) * steps},
        quantiles=0 * steps[..., None],
        seasonal_error=np.ones(series),
        starts=None if starts is None else np.array(starts),
    )


def sure(ours, theirs, share=0.0, **more):
    tested = make_backtest(ours, theirs, **more)
    return confidence(tested.losses(FORESEQ), tested.losses("other"), units_of(tested), share)


@pytest.mark.parametrize("series", [1, 5])
def test_on_windows_of_a_period_each_it_is_the_t_test_of_correlated_means(rng, series):
    gains = rng.normal(1, 1, size=6)
    variance, expected = 1 + 10 / 6 * SHARED, 1 - SHARED / 3  # of the mean, and in the sample
    t = stats.ttest_1samp(gains, 0).statistic / np.sqrt(variance / expected)
    theirs = np.full((series, 6), 5.0)
    assert sure(theirs - gains, theirs) == pytest.approx(stats.t.cdf(t, 5), abs=1e-4)


def test_series_at_one_time_are_one_observation():
    one, many = (sure(np.full((count, 1), 0.5), np.ones((count, 1))) for count in (1, 100))
    assert one == many == 0.5


def test_series_that_end_at_other_times_are_several_observations():
    apart = sure(np.full((8, 1), 0.5), np.ones((8, 1)), starts=HORIZON * np.arange(8))
    assert apart == 0.99


def test_a_period_is_a_horizon_or_a_season():
    errors = np.ones((1, 24))
    apart, overlapping = (make_backtest(errors, errors, stride=n) for n in (HORIZON, 1))
    assert (units_of(apart).periods, units_of(overlapping).periods) == (10, 8)
    assert units_of(apart._replace(season=24)).periods == 3


def test_windows_of_one_season_prove_nothing():
    tested = make_backtest(np.full((50, 5), 0.5), np.ones((50, 5)))._replace(season=20)
    assert confidence(tested.losses(FORESEQ), tested.losses("other"), units_of(tested)) == 0.5


def test_a_gain_that_lasts_for_a_few_windows_is_less_sure_than_one_that_alternates():
    slow, fast = np.repeat([0.5, -0.1], 10), np.tile([0.5, -0.1], 10)
    theirs = np.ones((1, 20))
    assert sure([1 - slow], theirs) < sure([1 - fast], theirs)


def test_two_dates_however_many_windows_are_around_them_are_two_periods():
    errors = np.ones((2, 12))
    tested = make_backtest(errors, errors, starts=[0, 1000], stride=1)._replace(season=12)
    assert units_of(tested).periods == 2


def test_no_confidence_is_complete():
    assert sure(np.full((1, 50), 0.1), np.ones((1, 50))) == 0.999
    assert sure(np.full((1, 5), 0.1), np.ones((1, 5))) == 0.99


def test_equal_errors_are_no_gain_and_neither_is_rounding():
    ours = np.tile([1.0, 2.0, 3.0, 4.0], (6, 1))
    assert sure(ours, ours) < 0.5
    assert sure(ours - 1e-9, ours) < 0.5


def test_a_gain_on_one_series_alone_is_no_proof():
    theirs = np.ones((20, 6))
    assert sure(0.9 * theirs, theirs) == 0.99
    ours = np.full((20, 6), 1.01)
    ours[-1] = 0.1
    assert sure(ours, theirs) < 0.95


def test_each_series_counts_once_however_many_windows_are_known():
    ours, theirs = np.full((2, 4), 1.2), np.ones((2, 4))
    ours[0] = 0.5
    whole = make_backtest(ours, theirs)
    few = whole.on(np.array([True, False, False, True] + [True] * 4), HORIZON)
    losses = [(one.losses(FORESEQ).mean, one.losses("other").mean) for one in (whole, few)]
    assert losses[0] == losses[1]
    assert sure(ours, theirs) == 0.99


def test_the_required_share_must_be_avoided():
    ours, theirs = np.full((1, 6), 0.8), np.ones((1, 6))
    assert sure(ours, theirs, 0.19) == 0.99
    assert sure(ours, theirs, 0.21) < 1e-6


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param(np.inf, 1.0, 0, id="infinite-loses"),
        pytest.param(np.inf, np.inf, 0, id="even-to-infinite"),
        pytest.param(1.0, np.inf, 1, id="finite-beats-infinite"),
    ],
)
def test_only_a_finite_error_wins(ours, theirs, expected):
    assert sure(np.full((2, 3), ours), np.full((2, 3), theirs)) == expected


def test_the_t_test_is_that_of_scipy(rng):
    gains = rng.normal(0.5, 1, size=20)
    p = stats.ttest_1samp(gains, 0, alternative="greater").pvalue
    assert above_zero(gains) == pytest.approx(min(0.999, 1 - p))
