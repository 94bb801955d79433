import numpy as np
import pytest

from foreseq.evaluation.baselines import BASELINES, drift, historic_median, naive, seasonal_naive
from foreseq.series import windows
from foreseq.series.panel import from_series

NAN = float("nan")


def forecast(method, values, *, season=1, horizon=3):
    panel = from_series({"a": values}, freq="1", season=season)
    return method(panel, windows.newest(panel), horizon).tolist()[0]


@pytest.mark.parametrize(
    ("values", "season", "expected"),
    [
        pytest.param([1, 2, 3, 4, 5, 6], 3, [4, 5, 6, 4, 5], id="whole"),
        pytest.param([1, 2, 3, 4, NAN, 6], 3, [4, 2, 6, 4, 2], id="gap-filled-a-season-before"),
        pytest.param([NAN, 2, 3, NAN, 5, 6], 3, [6, 5, 6, 6, 5], id="never-seen-is-the-newest"),
        pytest.param([1, 2, 3, 4, 5, NAN], 3, [4, 5, 3, 4, 5], id="newest-missing"),
        pytest.param([7, 8], 3, [8, 7, 8, 8, 7], id="shorter-than-a-season"),
        pytest.param([1, 2, 3], 1, [3, 3, 3, 3, 3], id="no-season"),
    ],
)
def test_the_seasonal_naive_repeats_the_newest_known_season(values, season, expected):
    assert forecast(seasonal_naive, values, season=season, horizon=5) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2, 3], 3), ([1, 2, NAN], 2), ([1, NAN, NAN], 1)],
)
def test_the_naive_repeats_the_newest_known_value(values, expected):
    assert forecast(naive, values, season=4) == [expected] * 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([1, 9, 5], [7, 9, 11], id="two-a-step"),
        pytest.param([NAN, 1, 9, 5, NAN], [9, 11, 13], id="from-the-last-observed-step-on"),
        pytest.param([4], [4, 4, 4], id="a-single-value-has-no-slope"),
    ],
)
def test_drift_extends_the_line_from_first_to_last(values, expected):
    assert forecast(drift, values) == expected


def test_the_historic_median_is_that_of_the_observed_values():
    assert forecast(historic_median, [1, NAN, 2, 100]) == [2, 2, 2]


@pytest.mark.parametrize("name", list(BASELINES))
def test_without_an_observation_every_forecast_is_nan(name):
    assert np.isnan(forecast(BASELINES[name], [NAN, NAN])).all()
