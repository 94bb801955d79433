import numpy as np
import pytest

from foreseq.series.panel import from_series
from foreseq.series.windows import Windows
from foreseq.training import losses
from foreseq.training.losses import NaiveErrors

NAIVE = NaiveErrors(mase=2.0, smape=0.5)


def loss_of(name, y, answer, *, weight=1.0, quantiles=()):
    """Return the loss of a single step."""
    target = losses.target(np.array([[y]]), np.array([weight]))
    outputs = np.array([[answer if quantiles else [answer]]], np.float64)
    return float(np.array(losses.loss(name, quantiles, NAIVE)(target, outputs))[0, 0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mase", 0.5 * 4),
        ("mae", 0.5 * 4),
        ("huber", 0.5 * 4 - 0.5),  # beyond 1: absolute, half a unit less
        ("smape", 2 * 4 / (6 + 10)),
        ("owa", (0.5 * 4 / NAIVE.mase + 2 * 4 / 16 / NAIVE.smape) / 2),
    ],
)
def test_a_loss_is_its_formula(name, expected):
    assert loss_of(name, 6.0, 10.0, weight=0.5) == pytest.approx(expected)
    assert loss_of(name, 10.0, 6.0, weight=0.5) == pytest.approx(expected)


def test_huber_squares_small_errors():
    assert loss_of("huber", 6.0, 6.4, weight=0.5) == pytest.approx(0.2**2 / 2)


@pytest.mark.parametrize("name", ["mase", "mae", "smape", "owa"])
def test_a_quantile_pays_for_the_side_it_should_not_be_on(name):
    low = loss_of(name, 10.0, [8.0], quantiles=(0.9,))
    high = loss_of(name, 10.0, [12.5], quantiles=(0.9,))
    assert low > high


@pytest.mark.parametrize("name", ["mase", "mae", "huber", "smape", "owa"])
def test_the_truth_costs_nothing_and_zero_is_no_trouble(name):
    assert loss_of(name, 7.0, 7.0) == 0
    assert loss_of(name, 0.0, 0.0) == 0


def test_the_least_pinball_of_a_sample_is_its_quantile(rng):
    sample = rng.gamma(2, size=2001)
    target = losses.target(sample[None], np.ones(1))
    tried = np.linspace(0, 8, 801)
    each = [
        float(np.mean(losses.loss("mase", (0.8,), NAIVE)(target, np.full((1, 2001, 1), y, "f4"))))
        for y in tried
    ]
    assert tried[int(np.argmin(each))] == pytest.approx(np.quantile(sample, 0.8), abs=0.02)


def test_series_count_alike_and_one_that_never_changes_not_at_all():
    errors = np.array([0.5, 2.0, 0.0, np.nan])
    assert losses.weights(errors, "mase").tolist() == [2.0, 0.5, 0.0, 0.0]
    assert losses.weights(errors, "mae").tolist() == [0.8] * 4
    assert losses.weights(np.zeros(2), "mase").tolist() == [1.0, 1.0]


def test_the_naive_is_told_by_hand():
    panel = from_series({"a": [1.0, 3.0, 3.0, 3.0, np.nan]}, freq="1", season=2)
    errors = losses.naive_errors(panel, Windows(np.array([0]), np.array([2])), 3, np.array([0.5]))
    # the season 1, 3 repeated as 1, 3, 1 beside 3, 3, missing
    assert errors.mase == pytest.approx(0.5 * (2 + 0) / 2)
    assert errors.smape == pytest.approx((2 * 2 / 4 + 0) / 2)
