"""Errors have a direction, a correlation, a time, and a series for which they are large."""

import numpy as np
import pytest

from foreseq.evaluation import residuals
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import SEASONAL_NAIVE
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows

HORIZON, LENGTH = 4, 40
STEADY = np.tile([1.0, 2.0, 3.0, 2.0], LENGTH // 4)


def made(values, error=0.5, naive=1.0, cutoffs=(32, 36)):
    """Return a panel of one series, and a backtest of forecasts that miss it by an error."""
    panel = from_series({"a": values}, freq="D", season=4, start="2024-01-01")
    starts = np.array(cutoffs)
    actual = np.stack([np.asarray(values)[start : start + HORIZON] for start in starts])
    forecasts = {FORESEQ: actual + error, SEASONAL_NAIVE: actual + naive}
    chosen = Windows(np.zeros(len(starts), np.int64), starts)
    levels = (0.1, 0.5, 0.9)
    quantiles = forecasts[FORESEQ][..., None] + np.array([-2.0, 0.0, 4.0])
    return panel, Backtest(chosen, actual, forecasts, quantiles, np.array([2.0]), levels)


def reason(values, **fields):
    panel, backtest = made(values, **fields)
    (hard,) = residuals.hardest(backtest, panel, 5)
    return hard.reason


def test_a_forecast_that_is_too_high_has_a_positive_bias_in_units_of_the_seasonal_error():
    _, backtest = made(STEADY, error=0.5)
    np.testing.assert_allclose(residuals.signed(backtest), 0.25)


def test_errors_without_a_pattern_do_not_correlate(rng):
    correlation = residuals.autocorrelation(rng.normal(size=(5000, 10)))
    assert len(correlation) == 5
    np.testing.assert_allclose(correlation, 0, atol=0.03)


def test_errors_of_a_missed_level_correlate(rng):
    level = rng.normal(size=(2000, 1)) + 0.1 * rng.normal(size=(2000, 10))
    assert (residuals.autocorrelation(level) > 0.95).all()


def test_errors_by_cutoff_have_the_last_time_that_was_known():
    panel, backtest = made(STEADY)
    times, errors = residuals.by_cutoff(backtest, panel)
    assert times.astype("datetime64[D]").astype(str).tolist() == ["2024-02-01", "2024-02-05"]
    assert errors[FORESEQ].tolist() == [0.25, 0.25]


def test_widths_are_in_units_of_the_seasonal_error():
    (width,) = residuals.widths(made(STEADY)[1]).values()
    assert width.tolist() == [3.0] * HORIZON


@pytest.mark.parametrize(
    ("values", "fields", "expected"),
    [
        (STEADY, {}, "forecast too high nearly throughout"),
        (STEADY, {"error": np.array([1.0, -1.0, 1.0, -1.0])}, "none of the usual ones"),
        (STEADY, {"error": np.array([0.1, -0.1, 0, 0])}, "irregular: the seasonal naive errs more"),
        (np.r_[STEADY[:32], STEADY[:8] + 5], {}, "the level rose: above 3"),
        (np.r_[STEADY[:32], STEADY[:8] - 5], {}, "the level fell: below 1"),
        (np.where(np.arange(LENGTH) % 8, 0.0, 3.0), {}, "most values are zero"),
        (np.r_[STEADY[:26], [np.nan] * 4, STEADY[30:]], {}, "gaps: 50% of the last 8 steps"),
        (STEADY, {"cutoffs": (6,)}, "short history: 6 steps before the test"),
        (
            STEADY,
            {"error": np.array([[0, 0, 0, 0], [0, 9, 0.1, 0]])},
            "one step, 2024-02-07, is most of the error",
        ),
    ],
)
def test_a_hard_series_has_a_likely_reason(values, fields, expected):
    assert reason(values, **fields).startswith(expected)
