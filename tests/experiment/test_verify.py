from dataclasses import replace

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.evaluation import contracts
from foreseq.experiment import verify
from foreseq.selection.choose import by_rules
from foreseq.series import windows
from foreseq.series.panel import OPEN, from_series
from foreseq.series.windows import Windows

HORIZON = 4
FITTED = {}


def make_panel():
    rng = np.random.default_rng(1)
    steps = np.arange(80)
    series = {
        name: 20 + 5 * np.sin(2 * np.pi * (steps + shift) / 7) + rng.normal(0, 1, size=80)
        for shift, name in enumerate("abcdef")
    }
    series["b"][[10, 77]] = np.nan
    return from_series(series, freq="1", season=7)


def open_experiment():
    config = {
        "dataset": {"source": "memory", "horizon": HORIZON},
        "network": {"cells": {"units": [8]}, "context": 14, "patch": 7},
        "training": {"max_steps": 40, "members": 1},
        "split": {"test_windows": 4},  # several seasons, or the gate can prove nothing
    }
    return build_experiment(config)


def make_experiment():
    return by_rules(open_experiment(), make_panel()).experiment


def fit_once(experiment, panel):
    """Fit once on the same data."""
    key = panel.fingerprint()
    if key not in FITTED:
        FITTED[key] = verify.fit_briefly(experiment, panel)
    return FITTED[key]


def by_name(fit=fit_once):
    findings = list(verify.verify(make_experiment(), make_panel(), fit))
    return {finding.name: finding for finding in findings}


class Leaky:
    """Adds a trace of the future, as a scaler fitted on all data does."""

    def __init__(self, honest, panel):
        self.honest, self.mean = honest, panel.values[panel.observed].mean()

    def __call__(self, panel, chosen):
        return self.honest(panel, chosen) + 1e-9 * self.mean


class Clairvoyant:
    """Forecasts the actuals."""

    def __call__(self, panel, chosen):
        return windows.futures(panel, chosen, HORIZON)[..., None]


class Crowded:
    """Lets windows depend on one another, as normalising over a batch does."""

    def __init__(self, honest):
        self.honest = honest

    def __call__(self, panel, chosen):
        forecasts = self.honest(panel, chosen)
        return forecasts - 0.01 * np.nanmean(forecasts, axis=0)


def test_an_honest_experiment_passes():
    findings = by_name()
    assert all(finding.holds for finding in findings.values()), findings
    assert "6 of 6" in findings["no look-ahead"].message
    assert "24 of 24" in findings["no window depends on another"].message
    assert "not a significant improvement" in findings["no skill on shuffled values"].message


def leaking(wrap):
    """Return a way to fit whose forecaster is wrapped by `wrap`."""

    def fit(experiment, panel):
        honest, tested = fit_once(experiment, panel)
        forecast = wrap(honest, panel)
        quantiles = forecast(panel, tested.windows)
        forecasts = tested.forecasts | {"foreseq": quantiles[..., quantiles.shape[-1] // 2]}
        return forecast, tested._replace(forecasts=forecasts)

    return fit


def test_a_trace_of_the_future_in_the_scale_is_caught():
    assert not by_name(leaking(Leaky))["no look-ahead"].holds


def test_a_season_that_knows_the_test_is_caught():
    def leaking_choose(experiment, panel):
        season = 7 if panel.values.min() > -100 else 1
        return by_rules(experiment, replace(panel, season=season))

    panel, experiment = replace(make_panel(), season=OPEN), open_experiment()
    honest = next(verify.verify(experiment, panel, fit_once))
    assert honest == ("no choice by later data", True, honest.message)
    leaking = next(verify.verify(experiment, panel, fit_once, leaking_choose))
    assert not leaking.holds
    assert "dataset.season" in leaking.message


def test_a_clairvoyant_is_caught_twice():
    findings = by_name(leaking(lambda _honest, _panel: Clairvoyant()))
    assert not findings["no look-ahead"].holds
    assert not findings["no skill on shuffled values"].holds


def test_windows_that_depend_on_one_another_are_caught():
    findings = by_name(leaking(lambda honest, _panel: Crowded(honest)))
    assert not findings["no window depends on another"].holds


def test_only_what_comes_after_a_cutoff_is_altered():
    panel = make_panel()
    other = contracts.altered(panel, Windows(np.array([1, 1]), np.array([70, 75])), 5)
    changed = (panel.values != other.values) & panel.observed
    start = panel.offsets[1]
    expected = [start + step for step in range(70, 80) if step != 77]
    assert np.flatnonzero(changed).tolist() == expected


def test_shuffling_keeps_the_values_of_each_series_and_its_gaps():
    panel = make_panel()
    other = verify.shuffled(panel)
    assert (other.observed == panel.observed).all()
    for series in range(panel.n_series):
        one, two = (data.series(series)[data.seen(series)] for data in (panel, other))
        assert sorted(one) == sorted(two)
        assert (one != two).any()


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_rows_are_compared_bit_for_bit(value):
    row = np.array([[value, 1.0]])
    assert contracts.same_rows(row, row.copy()).all()
    assert not contracts.same_rows(row, np.array([[value, np.nextafter(1, 2)]])).any()
