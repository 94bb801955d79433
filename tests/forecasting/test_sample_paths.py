"""Paths are spread at each step as the quantiles say, and their sums as sums are."""

import json

import numpy as np
import pytest

from foreseq import metrics
from foreseq.errors import BundleRefused
from foreseq.forecasting import calibration, sample_paths
from foreseq.forecasting.calibration import Calibration

LEVELS = (0.1, 0.5, 0.9)
HORIZON, MEMORY = 8, 0.85


def autoregressive(rng, count):
    """Return a last value and what comes after it, of as many stationary AR(1) series."""
    value = rng.normal(0, 1 / np.sqrt(1 - MEMORY**2), size=count)
    last, steps = value, []
    for _ in range(HORIZON):
        value = MEMORY * value + rng.normal(size=count)
        steps.append(value)
    return last, np.stack(steps, axis=1)


def expected(last):
    """Return the best forecast for every level: the mean, which knows no spread."""
    means = last[:, None] * MEMORY ** np.arange(1, HORIZON + 1)
    return np.repeat(means[..., None], len(LEVELS), axis=-1)


@pytest.fixture(scope="module")
def fitted():
    last, actual = autoregressive(np.random.default_rng(1), 4000)
    return calibration.fit(actual, expected(last), np.ones(4000), LEVELS, log=False)


def forecast(fitted, count, seed=2):
    last, actual = autoregressive(np.random.default_rng(seed), count)
    return calibration.apply(fitted, expected(last), np.ones(count)), actual


def sums_covered(drawn, actual):
    lower, upper = np.quantile(drawn.sum(axis=1), (0.1, 0.9), axis=-1, method="hazen")
    return metrics.coverage(actual.sum(axis=1), lower, upper)


@pytest.mark.parametrize("count", [5, 105, 1005])  # levels lie on ranks
def test_at_each_step_the_paths_have_the_quantiles_of_the_forecast(fitted, count):
    quantiles, _ = forecast(fitted, 20)
    drawn = np.sort(sample_paths.draw(fitted, quantiles, count, range(20)), axis=-1)
    places = [round(level * count - 0.5) for level in LEVELS]
    np.testing.assert_allclose(drawn[..., places], quantiles, rtol=1e-9, atol=1e-9)


def test_sums_over_the_horizon_are_covered_as_often_as_said_where_single_steps_would_fail(fitted):
    quantiles, actual = forecast(fitted, 1500)
    drawn = sample_paths.draw(fitted, quantiles, 200, range(1500))
    assert sums_covered(drawn, actual) == pytest.approx(0.8, abs=0.03)
    alone = np.random.default_rng(3).permuted(drawn, axis=-1)
    assert sums_covered(alone, actual) < 0.6


def test_misses_that_do_not_go_together_give_narrower_sums(fitted, rng):
    apart = calibration.fit(
        rng.normal(size=(4000, HORIZON)), np.zeros((4000, HORIZON, 3)), np.ones(4000), LEVELS,
        log=False,
    )  # fmt: skip
    quantiles = np.tile([-1.2816, 0.0, 1.2816], (300, HORIZON, 1))
    spread = sample_paths.draw(apart, quantiles, 200, range(300)).sum(axis=1).std()
    assert spread == pytest.approx(np.sqrt(HORIZON), rel=0.1)
    assert sample_paths.draw(fitted, quantiles, 200, range(300)).sum(axis=1).std() > 1.5 * spread


def test_more_paths_than_windows_held_back_part_by_lot(fitted):
    few = fitted._replace(together=np.argsort(np.argsort(fitted.together[:5], axis=0), axis=0))
    quantiles, _ = forecast(fitted, 1)
    drawn = sample_paths.draw(few, quantiles, 60, [1])
    assert len(np.unique(drawn[0], axis=-1).T) == 60


def test_equal_seeds_give_equal_paths_whatever_else_is_asked(fitted):
    quantiles, _ = forecast(fitted, 3)
    together = sample_paths.draw(fitted, quantiles, 20, [7, 8, 9])
    np.testing.assert_array_equal(together[1:2], sample_paths.draw(fitted, quantiles[1:2], 20, [8]))
    assert (together[0] != together[1]).any()


def test_paths_of_logarithms_stay_above_zero_and_those_of_nothing_are_nothing():
    together = np.array([[0, 1], [1, 0]])
    known = Calibration(LEVELS, np.zeros((2, 3)), log=True, together=together)
    drawn = sample_paths.draw(known, np.tile([0.01, 1.0, 9.0], (1, 2, 1)), 400, [1])
    assert (drawn > 0).all()
    assert np.isnan(sample_paths.draw(known, np.full((1, 2, 3), np.nan), 4, [1])).all()


def test_the_ranks_of_errors_survive_json(fitted):
    again = Calibration.from_json(json.loads(json.dumps(fitted.to_json())))
    np.testing.assert_array_equal(again.together, fitted.together)


def test_without_a_complete_window_held_back_sample_paths_are_refused(fitted):
    without = fitted._replace(together=fitted.together[:0])
    quantiles, _ = forecast(fitted, 1)
    with pytest.raises(BundleRefused, match="train it again"):
        sample_paths.draw(without, quantiles, 5, [1])
