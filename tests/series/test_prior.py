"""Made-up series for pretraining."""

import numpy as np
import pytest

from foreseq.series import prior

CYCLES = [(), (4,), (7, 365), (12,), (24, 168)]


@pytest.mark.parametrize("cycles", CYCLES)
def test_series_are_finite_and_differ(cycles):
    panel = prior.make_panel(60, 200, cycles, seed=1)
    values = panel.values.reshape(60, 200)
    assert np.isfinite(values).all()
    assert len(np.unique(values.round(6), axis=0)) == 60
    assert panel.season == (cycles[0] if cycles else 1)


def test_the_same_seed_makes_the_same_series():
    one, same, other = (prior.make_panel(20, 50, (12,), seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


def test_missing_steps_are_marked_in_few_series():
    panel = prior.make_panel(400, 50, (12,), seed=1)
    gaps = ~panel.observed.reshape(400, 50).all(axis=1)
    assert 0.05 < gaps.mean() < 0.2
    assert (panel.values[~panel.observed] == 0).all()
    assert prior.make_panel(400, 50, (12,), seed=1, without=["gaps"]).observed.all()


@pytest.mark.parametrize("part", prior.PARTS)
def test_every_part_can_be_left_out(part):
    whole = prior.make_panel(40, 60, (12,), seed=1)
    less = prior.make_panel(40, 60, (12,), seed=1, without=[part])
    assert np.isfinite(less.values).all()
    assert whole.fingerprint() != less.fingerprint()


def test_with_a_season_steps_resemble_those_a_season_before():
    def change(values, lag):
        return np.abs(values[:, lag:] - values[:, :-lag]).mean(axis=1)

    def closer_than_half_a_season_before(cycles):
        values = prior.draw(np.random.default_rng(1), (500, 240), cycles)
        return (change(values, 12) < change(values, 6)).mean()

    assert closer_than_half_a_season_before((12,)) > 0.5 > closer_than_half_a_season_before(())


def test_a_week_of_hours_has_days_that_differ():
    day = np.tile(np.sin(np.arange(24) / 24 * 2 * np.pi), 14)[None].repeat(200, axis=0)
    made = prior._by_position(np.random.default_rng(1), day, 24, 7)
    days = made.reshape(200, 14, 24).mean(axis=2)
    np.testing.assert_allclose(days[:, :7], days[:, 7:])
    assert (days[:, :7].std(axis=1) > 0.01).mean() > 0.3
