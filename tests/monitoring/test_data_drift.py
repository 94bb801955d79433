import numpy as np
import pytest

from foreseq.monitoring import data_drift
from foreseq.series.panel import from_series

DAYS, NEW = 280, 56


def moved(rng, *, level=0.0, scale=1.0, series=4):
    noise = rng.normal(size=(series, DAYS + NEW))
    noise[:, DAYS:] = noise[:, DAYS:] * scale + level
    waves = 10 * np.sin(2 * np.pi * np.arange(DAYS + NEW) / 7)
    table = {f"s{i}": row + waves for i, row in enumerate(noise)}
    panel = from_series(table, freq="D", season=7, start="2024-01-01")
    return data_drift.drift(panel, panel.times(0, DAYS - 1, 1)[0], block=14)


def test_what_stays_as_it_was_has_not_moved(rng):
    found = moved(rng)
    assert (found.moved, found.series) == (0, 4)
    assert "as they were: 0 of 4" in str(found)


@pytest.mark.parametrize("level", [3.0, -3.0])
def test_a_shift_of_the_level_is_found_with_its_sign(rng, level):
    found = moved(rng, level=level)
    assert found.moved == 4
    assert np.sign(found.level) == np.sign(level)
    assert abs(found.level) > abs(found.scale)
    assert "the inputs moved: 4 of 4" in str(found)


def test_noise_that_grows_is_a_shift_of_scale(rng):
    waves_hide_it = moved(rng, scale=30.0)
    assert waves_hide_it.scale > 4


def test_a_short_history_tells_nothing(rng):
    panel = from_series({"a": rng.normal(size=30)}, freq="D", season=7, start="2024-01-01")
    found = data_drift.drift(panel, panel.times(0, 20, 1)[0], block=7)
    assert found.series == 0
    assert "too short" in str(found)
