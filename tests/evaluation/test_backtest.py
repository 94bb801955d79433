import numpy as np
import pytest

from foreseq.evaluation import FORESEQ, NAIVE, SEASONAL_NAIVE, Backtest
from foreseq.series.windows import Windows

NAN = float("nan")


def make_backtest(actual, ours, theirs, **more):
    """Return a backtest of series of one window each."""
    actual, ours, theirs = (np.array(each, dtype=np.float64) for each in (actual, ours, theirs))
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


def test_intervals_are_held_against_what_came():
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


def test_a_level_without_its_mirror_bounds_no_interval():
    one_sided = make_backtest([[0.0]], [[0.0]], [[1.0]], levels=(0.1, 0.5))
    assert one_sided.intervals() == []
