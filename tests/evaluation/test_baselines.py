import numpy as np
import pytest

from foreseq import evaluation
from foreseq.evaluation import BASELINES, DRIFT, LEVEL
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows

NAN = float("nan")


def forecast(method, values, horizon=3):
    panel = from_series({"a": values}, freq="1", season=1)
    return method(panel, windows.newest(panel), horizon).tolist()[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([1, 9, 5], [7, 9, 11], id="two-a-step"),
        pytest.param([NAN, 1, 9, 5, NAN], [9, 11, 13], id="from-the-last-observed-step-on"),
        pytest.param([4], [4, 4, 4], id="a-single-value-has-no-slope"),
    ],
)
def test_drift_goes_on_along_the_line_from_first_to_last(values, expected):
    assert forecast(evaluation.drift, values) == expected


def test_the_level_is_the_median_of_what_was_observed():
    assert forecast(evaluation.level, [1, NAN, 2, 100]) == [2, 2, 2]


@pytest.mark.parametrize("name", [DRIFT, LEVEL])
def test_of_nothing_they_say_nothing(name):
    assert np.isnan(forecast(BASELINES[name], [NAN, NAN])).all()


@pytest.mark.parametrize("name", list(BASELINES))
def test_no_baseline_sees_beyond_its_cutoff(name, rng):
    values = rng.normal(size=(2, 30))
    whole = from_series({"a": values[0], "b": values[1]}, freq="1", season=4)
    cut = from_series({"a": values[0, :17], "b": values[1, :17]}, freq="1", season=4)
    there = BASELINES[name](whole, Windows(np.arange(2), np.full(2, 17)), 5)
    np.testing.assert_array_equal(there, BASELINES[name](cut, windows.newest(cut), 5))
