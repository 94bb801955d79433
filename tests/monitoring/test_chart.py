import numpy as np
import pytest
from scipy import stats

from foreseq.monitoring.chart import NEWEST, control, likeness, limit_of


def test_the_first_point_is_held_against_the_promise_by_students_t():
    promised = np.array([-0.2, 0.0, 0.1, 0.3])
    spread = promised.std(ddof=1) * np.sqrt(1 + 1 / 4)
    chance = stats.t.sf((0.9 - promised.mean()) / spread, 3)
    expected = NEWEST * stats.norm.isf(chance) / np.sqrt(NEWEST / (2 - NEWEST))
    chart = control(promised, np.array([0.9]), every=100)
    np.testing.assert_allclose(chart.score, [expected])


def test_a_point_far_off_alarms_by_itself_even_after_good_ones():
    promised = np.array([-0.1, 0.0, 0.1])
    arrived = np.array([-0.1, -0.1, 0.0, -0.2, -0.3, -0.3, -0.3, -0.1, 3.0])  # 20 times the error
    assert control(promised, arrived, every=10_000, least=0.14).alarms.tolist() == [False] * 8 + [
        True
    ]


def test_without_three_points_nothing_is_judged():
    chart = control(np.array([0.0, 0.1]), np.array([9.0, 9.0]), every=100)
    assert np.isnan(chart.score[0])
    assert not chart.alarms.any()


def test_what_alarms_does_not_become_the_new_normal(rng):
    chart = control(rng.normal(size=12) / 10, np.full(9, 1.5), every=2000)
    assert chart.alarms.all()


def test_a_small_lasting_shift_is_found_in_the_end(rng):
    chart = control(rng.normal(size=36), rng.normal(size=40) + 2, every=2000)
    assert chart.alarms.any()
    assert not chart.alarms[0]


def test_better_than_promised_is_no_alarm(rng):
    assert not control(rng.normal(size=12), np.full(9, -5.0), every=2000).alarms.any()


def test_points_acted_on_do_not_alarm_the_next_ones():
    promised, arrived = np.tile([-0.1, 0.1], 6), np.array([0.0, 3.0, 0.0])
    assert control(promised, arrived, every=2000).score[2] > 2
    assert control(promised, arrived, every=2000, since=2).score[2] < 1


@pytest.mark.parametrize("known", [4, 24])
def test_luck_alarms_about_as_rarely_as_was_asked(known):
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=known + 40) for _ in range(60)]
    alarms = sum(control(row[:known], row[known:], every=100).alarms.sum() for row in rows)
    assert 60 * 40 / 100 / 2 < alarms < 60 * 40 / 100 * 2


def test_points_that_resemble_their_neighbours_widen_the_limit(rng):
    noise = rng.normal(size=400)
    walk = np.convolve(noise, np.ones(4), "valid")
    assert likeness(noise) < 0.15
    assert likeness(walk) > 0.6
    assert likeness(walk[:5]) == 0


def test_the_limit_is_the_chance_of_one_point():
    assert stats.norm.sf(limit_of(2000)) == pytest.approx(1 / 2000)
