import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq import metrics
from foreseq.forecasting import calibration
from foreseq.forecasting.calibration import Calibration

LEVELS = (0.1, 0.5, 0.9)
NAN = float("nan")


def fit(missed, unit=None, *, levels=LEVELS, log=False):
    """Fit on forecasts of zero (one, for logarithms) that missed by so much."""
    missed = np.asarray(missed, dtype=np.float64)
    forecasts = np.full((*missed.shape, len(levels)), float(log))
    unit = np.ones(len(missed)) if unit is None else np.asarray(unit, dtype=np.float64)
    return calibration.fit(np.exp(missed) if log else missed, forecasts, unit, levels, log=log)


@given(st.integers(1, 400), st.sampled_from([0.6, 0.8, 0.9, 0.95, 0.99]))
def test_a_new_miss_is_below_the_conformal_quantile_as_often_as_it_says(count, level):
    # Exchangeable misses: the new one is equally likely to have any of the n + 1 ranks.
    missed = np.arange(1.0, count + 1)
    below = calibration.conformal_quantile(missed, level) / (count + 1)
    enough = level * (count + 1) <= count
    assert (level - 1e-9 <= below < level + 1 / (count + 1)) if enough else below < level


def test_the_lower_bound_mirrors_the_upper_one(rng):
    missed = rng.normal(size=57)
    upper = calibration.conformal_quantile(missed, 0.9)
    assert calibration.conformal_quantile(-missed, 0.1) == -upper


def test_what_is_not_known_is_not_ranked():
    missed = np.array([3.0, NAN, 1.0, np.inf, 2.0])
    assert calibration.conformal_quantile(missed, 0.75) == 3.0
    assert calibration.conformal_quantile(np.array([NAN]), 0.9) == 0.0


def test_each_step_ahead_has_its_own_width(rng):
    spread = np.array([1.0, 2.0, 4.0])
    fitted = fit(rng.normal(size=(4000, 3)) * spread)
    np.testing.assert_allclose(fitted.offsets[:, 2], 1.2816 * spread, rtol=0.1)
    np.testing.assert_allclose(fitted.offsets[:, 0], -1.2816 * spread, rtol=0.1)
    assert (fitted.offsets[:, 1] == 0).all()


def test_where_misses_are_few_neighbouring_steps_are_used():
    few = fit(np.tile([1.0, 2.0, 3.0], (5, 1)))
    assert few.offsets[:, 2].tolist() == [3.0, 3.0, 3.0]
    many = fit(np.tile([1.0, 2.0, 3.0], (100, 1)))
    assert many.offsets[:, 2].tolist() == [1.0, 2.0, 3.0]


def test_series_of_any_level_share_their_misses(rng):
    missed = rng.normal(size=(500, 1))
    unit = np.repeat([0.001, 1000.0], 250)
    np.testing.assert_allclose(
        fit(missed * unit[:, None], unit).offsets, fit(missed).offsets, rtol=1e-9
    )


@pytest.mark.parametrize("log", [False, True])
def test_new_windows_are_covered_as_often_as_it_says(rng, log):
    horizon, level = 4, 0.8
    unit = rng.gamma(2, 0.2, size=6000)
    missed = rng.standard_t(3, size=(6000, horizon)) * unit[:, None] * np.arange(1, horizon + 1)
    missed = np.clip(missed, -50, 50)
    fitted = fit(missed[:3000], unit[:3000], log=log)
    forecasts = np.full((3000, horizon, 3), float(log))
    bounds = calibration.apply(fitted, forecasts, unit[3000:])
    actual = np.exp(missed[3000:]) if log else missed[3000:]
    covered = [
        metrics.coverage(actual[:, step], bounds[:, step, 0], bounds[:, step, 2])
        for step in range(horizon)
    ]
    np.testing.assert_allclose(covered, level, atol=0.03)


def test_quantiles_ascend_around_a_median_that_stays(rng):
    levels = (0.05, 0.1, 0.5, 0.9, 0.95)
    fitted = Calibration(levels, rng.normal(size=(3, 5)) * [1, 1, 0, 1, 1], log=False)
    forecasts = rng.normal(size=(50, 3, 5))
    bounds = calibration.apply(fitted, forecasts, rng.gamma(1, size=50))
    assert (np.diff(bounds, axis=-1) >= 0).all()
    np.testing.assert_array_equal(bounds[..., 2], forecasts[..., 2])


def test_intervals_of_logarithms_stay_above_zero():
    fitted = Calibration(LEVELS, np.array([[-30.0, 0.0, 3.0]]), log=True)
    bounds = calibration.apply(fitted, np.full((1, 1, 3), 2.0), np.ones(1))
    assert (bounds > 0).all()


def test_a_window_without_a_forecast_has_no_interval_either():
    fitted = fit(np.ones((100, 2)))
    assert np.isnan(calibration.apply(fitted, np.full((1, 2, 3), NAN), np.zeros(1))).all()


def test_a_level_that_the_network_does_not_know_starts_from_its_median():
    forecasts = np.array([[[1.0, 2.0, 3.0]]])
    outputs = calibration.of_levels(forecasts, (0.1, 0.5, 0.9), (0.05, 0.1, 0.5, 0.95))
    assert outputs.tolist() == [[[2.0, 1.0, 2.0, 2.0]]]
    assert calibration.of_levels(forecasts[..., :1], (), LEVELS).tolist() == [[[1.0] * 3]]


def test_a_constant_does_not_move_and_a_season_longer_than_the_past_is_no_obstacle():
    past = np.array([[5.0, 5.0, 5.0], [1.0, 3.0, NAN], [NAN, NAN, NAN]])
    assert calibration.unit(past, 12).tolist() == [0, 1, 0]


def test_a_calibration_survives_json_to_the_last_bit(rng):
    fitted = fit(rng.normal(size=(100, 3)))
    again = Calibration.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again.offsets.tobytes() == fitted.offsets.tobytes()
    assert (again.levels, again.log) == (fitted.levels, fitted.log)


@pytest.mark.parametrize("offsets", [[[1.0, 2.0]], [1.0, 2.0, 3.0], [[NAN, 0.0, 0.0]]])
def test_a_calibration_of_another_shape_is_refused(offsets):
    with pytest.raises(ValueError, match="offsets"):
        Calibration.from_json({"levels": LEVELS, "offsets": offsets, "log": False})


def test_what_pushed_all_series_up_may_push_them_down_the_next_time():
    fitted = fit(np.full((50, 1), 2.0))
    assert fitted.offsets.tolist() == [[-2.0, 0.0, 2.0]]


def test_a_level_without_a_mirror_is_ranked_alone():
    fitted = fit(np.full((50, 1), 2.0), levels=(0.5, 0.9))
    assert fitted.offsets.tolist() == [[0.0, 2.0]]


def test_the_bounds_of_a_network_of_quantiles_move_apart_alike(rng):
    actual = rng.normal(size=(500, 1))
    forecasts = np.tile([-0.5, 0.0, 2.0], (500, 1, 1))
    fitted = calibration.fit(actual, forecasts, np.ones(500), LEVELS, log=False)
    assert fitted.offsets[0, 0] == -fitted.offsets[0, 2]
    bounds = calibration.apply(fitted, forecasts, np.ones(500))
    covered = metrics.coverage(actual[:, 0], bounds[:, 0, 0], bounds[:, 0, 2])
    assert covered == pytest.approx(0.8, abs=0.01)
