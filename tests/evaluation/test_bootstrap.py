import numpy as np
import pytest

from foreseq.evaluation.backtest import Losses
from foreseq.evaluation.bootstrap import above_zero, confidence


def losses(steps):
    """Return the losses of series with one window each, shape (series, horizon)."""
    steps = np.array(steps, dtype=np.float64)
    return Losses(steps, steps.mean(axis=1), steps.mean(axis=1))


def test_the_confidence_is_that_of_the_mean_of_normal_gains(rng):
    gains = rng.normal(size=400)
    gains += 0.05 - gains.mean()  # one standard error above zero: the normal table says 84.1 %
    gains *= 1 / gains.std()
    assert above_zero(gains) == pytest.approx(0.841, abs=0.03)


def test_the_same_gains_give_the_same_confidence(rng):
    gains = rng.normal(0.1, 1, size=50)
    assert above_zero(gains) == above_zero(gains)


def test_correlated_gains_are_weaker_evidence_than_independent_ones(rng):
    gains = np.repeat(rng.normal(0.3, 1, size=20), 10)
    assert above_zero(gains, block=10) < above_zero(gains)


def test_equal_errors_are_no_gain_and_neither_is_rounding():
    ours = losses([[1.0, 2.0]] * 6)
    assert confidence(ours, ours) == 0
    assert confidence(losses([[1.0 - 1e-9, 2.0]] * 6), ours) == 0


def test_a_gain_on_one_series_alone_is_no_proof():
    theirs = losses([[1.0]] * 20)
    assert confidence(losses([[0.9]] * 20), theirs) == 1
    assert confidence(losses([[1.01]] * 19 + [[0.1]]), theirs) < 0.95


def test_each_series_counts_once_however_many_steps_it_has():
    steps = np.repeat([[0.5], [0.5], [0.5], [1.9], [1.9]], 50, axis=1)
    sure = confidence(losses(steps), losses(np.ones_like(steps)))
    assert sure == confidence(losses(steps[:, :1]), losses(np.ones((5, 1))))


def test_few_series_are_resampled_by_step():
    ours, theirs = np.full((1, 12), 0.5), np.ones((1, 12))
    assert confidence(losses(ours), losses(theirs)) == 1
    ours[0, 5] = 30.0
    assert confidence(losses(ours), losses(theirs)) < 0.5


def test_the_required_share_must_be_avoided():
    ours, theirs = losses([[0.8]] * 6), losses([[1.0]] * 6)
    assert (confidence(ours, theirs, 0.19), confidence(ours, theirs, 0.21)) == (1, 0)


@pytest.mark.parametrize(
    ("ours", "theirs", "sure"),
    [
        pytest.param(np.nan, 1.0, 0, id="unknown-loses"),
        pytest.param(np.inf, 1.0, 0, id="infinite-loses"),
        pytest.param(np.inf, np.inf, 0, id="even-to-infinite"),
        pytest.param(1.0, np.inf, 1, id="finite-beats-infinite"),
        pytest.param(1.0, np.nan, 0, id="against-the-unknown-nobody-wins"),
    ],
)
def test_only_a_finite_error_wins(ours, theirs, sure):
    assert confidence(losses([[ours]] * 6), losses([[theirs]] * 6)) == sure
