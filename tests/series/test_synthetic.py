import numpy as np
import pytest

from foreseq.series import components, synthetic
from foreseq.series.panel import from_series


def real(values=range(1, 61), *, season=12, count=1):
    series = {f"s{n}": list(values) for n in range(count)}
    return from_series(series, freq="MS", season=season, start="2000-01-01")


def rows(panel):
    return panel.values.reshape(panel.n_series, -1)


def make_up(like, *, length=120, seed=1, **kind):
    kind = {"horizon": 12, "log": False, "counts": False} | kind
    return synthetic.make_panel(like, like.lengths, 2000, length, seed=seed, **kind)


def rise(panel):
    """Return how much the last year lies above the first, in standard deviations of a series."""
    parts = rows(panel)
    return (parts[:, -12:].mean(axis=1) - parts[:, :12].mean(axis=1)) / parts.std(axis=1)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(1).standard_normal(60)


@pytest.fixture(scope="module")
def made(noise):
    return make_up(real(noise))


def test_the_same_seed_makes_up_the_same_series(made, noise):
    again, other = (make_up(real(noise), seed=seed) for seed in (1, 2))
    assert again.fingerprint() == made.fingerprint() != other.fingerprint()


def test_made_up_series_are_on_the_grid_of_the_real_ones(made):
    assert (made.freq, made.season) == ("MS", 12)
    assert set(made.starts) == {np.datetime64("2000-01-01", "ns")}
    assert np.isfinite(made.values).all()
    assert made.observed.all()


def test_memory_is_bounded_however_long_the_series():
    long = make_up(real(), length=100_000)
    assert long.values.size <= synthetic.MOST_VALUES
    assert long.n_series == 40


def test_for_the_logarithm_all_values_are_positive():
    assert (make_up(real(), log=True).values > 0).all()


def test_as_many_steps_are_missing_as_in_the_real_ones():
    holed = real([1.0, np.nan, 3.0, 4.0] * 15)
    assert make_up(holed).observed.mean() == pytest.approx(0.75, abs=0.01)


def repeat(values, lag):
    """Return how much of the changes from step to step comes back after a lag, for each series."""
    changes = np.diff(values, axis=1)
    changes = changes[changes.std(axis=1) > 0]
    return np.array([np.corrcoef(row[:-lag], row[lag:])[0, 1] for row in changes])


def test_many_but_not_all_series_have_the_season(made):
    seasonal = repeat(rows(made)[:500], 12)
    assert 0.2 < (seasonal > 0.5).mean() < 0.9
    assert (np.abs(seasonal) < 0.2).mean() > 0.05


def test_without_a_season_nothing_repeats():
    made = make_up(real(season=1))
    assert abs(np.median(repeat(rows(made)[:500], 12))) < 0.1


def test_under_the_noise_some_series_rise_and_some_fall(made):
    assert (rise(made) > 1).mean() > 0.1
    assert (rise(made) < -1).mean() > 0.1


@pytest.mark.parametrize("direction", [1, -1])
def test_made_up_series_go_where_the_real_ones_go(noise, direction):
    alone, many = (
        make_up(real(direction * (noise + np.arange(60)), count=count)) for count in (1, 20)
    )
    assert (direction * rise(many) > 1).mean() > 0.8
    assert 0.6 < (direction * rise(alone) > 1).mean() < 0.8  # one may be an exception


def test_the_season_is_as_strong_as_in_the_real_ones(noise):
    wave = 5 * np.sin(2 * np.pi * np.arange(60) / 12)
    weak, strong = (
        np.median(repeat(rows(make_up(real(noise + n * wave, count=20)))[:500], 12)) for n in (0, 1)
    )
    assert weak < 0.3
    assert strong > 0.7


def test_nothing_after_the_ends_is_looked_at(noise):
    later = np.concatenate([noise, 100.0 * np.arange(40)])
    for_both = {"horizon": 12, "log": False, "counts": False, "seed": 1}
    ends = np.array([60])
    one = synthetic.make_panel(real(noise), ends, 500, 120, **for_both)
    other = synthetic.make_panel(real(later), ends, 500, 120, **for_both)
    assert one.fingerprint() == other.fingerprint()


def test_histories_too_short_to_have_features_select_nothing():
    made = make_up(real(range(5)))
    assert made.n_series == 2000
    assert (rise(made) > 1).mean() == pytest.approx((rise(made) < -1).mean(), abs=0.05)


def test_half_are_counts_where_the_real_ones_are():
    made = rows(make_up(real([0, 0, 3, 1] * 15), counts=True))
    counts = (made >= 0).all(axis=1) & (made == np.rint(made)).all(axis=1)
    assert counts.mean() == pytest.approx(0.5, abs=0.01)
    assert (made[counts] == 0).mean() > 0.1


def test_counts_keep_to_their_level_or_come_by_chance_or_in_bursts():
    rng = np.random.default_rng(1)
    steady = np.zeros((2000, 200))  # standardised values of a level that never moves
    counts = components.counts(rng, steady)
    counts = counts[counts.mean(axis=1) > 1]
    spread = counts.var(axis=1) / counts.mean(axis=1)  # 1 is Poisson's
    kinds = (spread == 0, np.abs(spread - 1) < 0.3, spread > 1.3)
    assert [kind.mean() > 0.15 for kind in kinds] == [True] * 3


def test_pulses_are_rare_and_in_half_of_the_series_upwards():
    pulses = components.pulses(np.random.default_rng(1), (2000, 120), 12)
    assert 0.005 < (pulses != 0).mean() < 0.05
    some = pulses[(pulses != 0).sum(axis=1) > 3]
    assert (some >= 0).all(axis=1).mean() == pytest.approx(0.5, abs=0.1)


def test_an_autoregression_by_hand():
    shocks = np.array([[1.0, 0.0, 2.0]])
    got = components.autoregression(shocks, np.array([0.5]), np.array([3.0]))
    assert got.tolist() == [[1.0, 0.5, 6.25]]
