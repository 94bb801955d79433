from dataclasses import replace

import numpy as np
import pytest

from foreseq.monitoring.data_drift import data_drift
from foreseq.series.covariates import Column, Covariates
from foreseq.series.panel import from_series

DAYS, NEW = 280, 56


def drift_of(rng, *, level=0.0, scale=1.0, series=4):
    noise = rng.normal(size=(series, DAYS + NEW))
    noise[:, DAYS:] = noise[:, DAYS:] * scale + level
    waves = 10 * np.sin(2 * np.pi * np.arange(DAYS + NEW) / 7)
    table = {f"s{i}": row + waves for i, row in enumerate(noise)}
    panel = from_series(table, freq="D", season=7, start="2024-01-01")
    return data_drift(panel, panel.times(0, DAYS - 1, 1)[0], block=14)


def test_unchanged_series_have_not_drifted(rng):
    drift = drift_of(rng)
    assert (drift.drifted, drift.series) == (0, 4)
    assert "no data drift: 0 of 4" in str(drift)


@pytest.mark.parametrize("level", [3.0, -3.0])
def test_a_shift_of_the_level_is_detected_with_its_sign(rng, level):
    drift = drift_of(rng, level=level)
    assert drift.drifted == 4
    assert np.sign(drift.level) == np.sign(level)
    assert abs(drift.level) > abs(drift.scale)
    assert "data drift in 4 of 4" in str(drift)


def test_noise_that_grows_is_a_shift_of_scale(rng):
    waves_hide_it = drift_of(rng, scale=30.0)
    assert waves_hide_it.scale > 4


def test_a_short_history_is_not_tested(rng):
    panel = from_series({"a": rng.normal(size=30)}, freq="D", season=7, start="2024-01-01")
    drift = data_drift(panel, panel.times(0, 20, 1)[0], block=7)
    assert drift.series == 0
    assert "too short" in str(drift)


def test_covariates_that_have_drifted_are_named(rng):
    days = DAYS + NEW
    panel = from_series(
        {name: rng.normal(size=days) for name in "ab"}, freq="D", season=7, start="2024-01-01"
    )
    values = rng.normal(size=(2 * (days + 14), 3))
    rows = np.array([0, days + 14, 2 * (days + 14)])
    for first in rows[:2]:
        values[first + DAYS :, 1] += 8
        values[first + days : first + days + 14, 0] += (
            80  # ahead of the data, which is no drift yet
        )
    values[:, 2] = np.nan
    columns = tuple(Column(name, "future") for name in ("price", "weather", "empty"))
    beside = Covariates(columns, values, rows, np.empty((2, 0)))
    origin = panel.times(0, DAYS - 1, 1)[0]
    drift = data_drift(replace(panel, covariates=beside), origin, block=14)
    assert drift.columns == ("weather",)
    assert str(drift).endswith("; of the covariates weather drifted")
    assert drift[:4] == data_drift(panel, origin, block=14)[:4]
