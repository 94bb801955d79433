import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq.series.features import extract, of_newest, resembling


def walks(count, *, steps=40, seed=1):
    return np.random.default_rng(seed).standard_normal((count, steps)).cumsum(axis=1)


@given(level=st.floats(-1e3, 1e3), scale=st.floats(1e-3, 1e3), season=st.sampled_from([1, 4, 12]))
def test_level_and_scale_do_not_matter(level, scale, season):
    values = walks(20)
    assert extract(level + scale * values, season) == pytest.approx(
        extract(values, season), rel=1e-6, abs=1e-6
    )


def test_upside_down_what_goes_up_goes_down_and_all_else_stays():
    up, down = extract(walks(20), 4), extract(-walks(20), 4)
    assert down[:, [0, 2]] == pytest.approx(-up[:, [0, 2]])
    rest = [1, 3, 4, 5, 6, 7]
    assert down[:, rest] == pytest.approx(up[:, rest])


@pytest.mark.parametrize(("season", "steps", "found"), [(1, 8, 6), (4, 40, 8), (12, 12, 6)])
def test_a_season_and_parts_of_several_steps_have_features_of_their_own(season, steps, found):
    assert extract(walks(3, steps=steps), season).shape == (3, found)


def test_features_are_finite_even_of_constant_series():
    still = np.array([[3.0] * 40, [0.0] * 39 + [1.0], [1e300] * 40])
    assert np.isfinite(extract(still, 4)).all()


def test_a_season_that_swings_ever_wider_is_seen_to():
    wave = np.sin(np.arange(48) * np.pi / 2)
    even, wider = extract(np.stack([wave, wave * np.exp(np.arange(48) / 24)]), 4)[:, -1]
    assert even == pytest.approx(0.0)
    assert wider == pytest.approx(1.0, abs=0.02)  # e times wider, half of the time later


def test_the_more_real_series_there_are_the_nearer_they_are_resembled():
    made, real = walks(4000), walks(400, seed=2) + np.arange(40)

    def away(few):
        wanted = of_newest(real[:few], 40, 1)
        chosen = resembling(made, wanted, 1, 500, np.random.default_rng(1))
        return extract(made[chosen], 1)[:, 0].std()

    assert away(400) < away(1)


def test_what_resembles_is_found_though_it_is_rare():
    made = np.concatenate([walks(950), 3.0 * np.arange(40) + walks(50, seed=2)])
    real = list(3.0 * np.arange(40) + walks(50, seed=3))
    chosen = resembling(made, of_newest(real, 40, 1), 1, 200, np.random.default_rng(1))
    assert (chosen >= 950).mean() > 0.5


def test_series_less_than_half_as_long_do_not_count():
    wanted = of_newest([np.arange(19.0)], 40, 1)
    chosen = resembling(walks(100), wanted, 1, 30, np.random.default_rng(1))
    assert chosen.tolist() == list(range(30))
