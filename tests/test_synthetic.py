import numpy as np
import pytest

from foreseq import synthetic
from foreseq.panel import from_series


def real(values=range(1, 61), *, season=12):
    return from_series({"a": list(values)}, freq="MS", season=season, start="2000-01-01")


def rows(panel):
    return panel.values[:, 0].reshape(panel.n_series, -1)


@pytest.fixture(scope="module")
def made():
    return synthetic.series(real(), 2000, 120, log=False, seed=1)


def test_the_same_seed_makes_up_the_same_series(made):
    again, other = (synthetic.series(real(), 2000, 120, log=False, seed=seed) for seed in (1, 2))
    assert again.fingerprint() == made.fingerprint() != other.fingerprint()


def test_made_up_series_are_on_the_grid_of_the_real_ones(made):
    assert (made.freq, made.season, made.channels) == ("MS", 12, 1)
    assert set(made.starts) == {np.datetime64("2000-01-01", "ns")}
    assert np.isfinite(made.values).all()
    assert made.observed.all()


def test_memory_is_bounded_however_long_the_series():
    long = synthetic.series(real(), 2000, 100_000, log=False, seed=1)
    assert long.values.size <= synthetic.MOST_VALUES
    assert long.n_series == 40


def test_for_the_logarithm_all_values_are_positive():
    assert (synthetic.series(real(), 2000, 60, log=True, seed=1).values > 0).all()


def test_as_many_steps_are_missing_as_in_the_real_ones():
    holed = real([1.0, np.nan, 3.0, 4.0] * 15)
    assert synthetic.series(holed, 2000, 60, log=False, seed=1).observed.mean() == pytest.approx(
        0.75, abs=0.01
    )


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
    made = synthetic.series(real(season=1), 2000, 120, log=False, seed=1)
    assert abs(np.median(repeat(rows(made)[:500], 12))) < 0.1


def test_some_series_rise_some_fall_and_some_stay(made):
    parts = rows(made)
    rise = parts[:, -12:].mean(axis=1) - parts[:, :12].mean(axis=1)
    assert (rise > 1).mean() == pytest.approx((rise < -1).mean(), abs=0.03)
    assert (rise > 1).mean() > 0.2
    assert (np.abs(rise) < 1).mean() > 0.2


def test_half_are_counts_where_the_real_ones_are_counts_with_zeros():
    made = rows(synthetic.series(real([0, 0, 3, 1] * 15), 2000, 60, log=False, seed=1))
    counts = (made >= 0).all(axis=1) & (made == np.rint(made)).all(axis=1)
    assert counts.mean() == pytest.approx(0.5, abs=0.01)
    assert (made[counts] == 0).mean() > 0.1


def test_an_autoregression_by_hand():
    shocks = np.array([[1.0, 0.0, 2.0]])
    got = synthetic._autoregression(shocks, np.array([0.5]), np.array([3.0]))
    assert got.tolist() == [[1.0, 0.5, 6.25]]
