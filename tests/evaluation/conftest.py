"""Builders of panels and bundles for tests of the backtest and the gate."""

import numpy as np
import pytest
from builders import SMALL_NETWORK

from foreseq.config import build_experiment
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle, Origin
from foreseq.series.panel import from_series
from foreseq.training import model_cache, network_weights
from foreseq.training.loop import Fitted


@pytest.fixture(name="make_panel")
def _make_panel():
    return make_panel


@pytest.fixture(name="make_bundle")
def _make_bundle():
    return make_bundle


def make_panel(*, season=4, freq="1", length=40):
    rng = np.random.default_rng(1)
    series = {name: rng.gamma(9, 1, size=length) for name in "abc"}
    return from_series(series, freq=freq, season=season, start=0 if freq == "1" else "2024-01-01")


def make_bundle(panel, seen, *overrides, shake=0.0):
    """Return a bundle that forecasts the seasonal naive, or near it, tested before `seen` steps."""
    config = {
        "dataset": {"source": "memory", "horizon": 4, "freq": panel.freq, "season": panel.season},
        "network": SMALL_NETWORK,
        "split": {"test_windows": 1},
    }
    experiment = build_experiment(config, overrides)
    weights = network_weights.get_weights(model_cache.build(experiment))
    weights[-1] = weights[-1] + np.float32(shake)
    members = [Fitted(weights, 1, ())]
    ends = np.full(panel.n_series, seen)
    return Bundle(
        experiment,
        Origin(data="", steps=(1,)),
        evaluated=bundle.state(panel, ends - 4, members),
        final=bundle.state(panel, ends, members),
    )
