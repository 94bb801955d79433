"""Recalibration of a naive forecast whose errors are worked out by hand.

The network is as it was initialised: it repeats the last value. A series that goes up and down by
10 has one-step errors of 10 and windows that move by 10 each step, their unit. So intervals of one
unit on either side fit exactly: their scaled score is their width, 2. Of a quarter unit they hold
nothing: width 0.5, plus 2 / 0.2 times the 0.75 by which each actual is outside, is 8.
"""

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.errors import DataRefused
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle, Origin
from foreseq.forecasting.calibration import Calibration
from foreseq.monitoring.recalibration import recalibrate
from foreseq.series.panel import from_series
from foreseq.training import model_cache, network_weights
from foreseq.training.loop import Fitted

TRAINED, LENGTH = 40, 100
CONFIG = {
    "dataset": {"source": "memory", "horizon": 1, "freq": "1", "season": 1},
    "network": {"cells": {"units": [4]}, "context": 8, "patch": 1, "log": False,
                "naive_lags": [1], "recent_inputs": 8, "decoder": "direct", "calendar": False,
                "covariates": []},
    "intervals": {"levels": [0.1, 0.5, 0.9]},
}  # fmt: skip


def zigzag(sizes=()):
    """Return a panel of one series that moves by 10 each step, or by other sizes at some steps."""
    moves = np.where(np.arange(LENGTH) % 2, -10.0, 10.0)
    for step, size in sizes:
        moves[step] *= size / 10
    return from_series({"a": 100 + np.cumsum(moves)}, freq="1", season=1)


def make_bundle(panel, width):
    """Return a forecaster with intervals of `width` units on either side."""
    experiment = build_experiment(CONFIG)
    weights = network_weights.get_weights(model_cache.build(experiment))
    fitted = bundle.state(panel, np.array([TRAINED]), [Fitted(weights, 1, ())])
    offsets = np.array([[-width, 0.0, width]])
    fitted = fitted._replace(calibration=Calibration((0.1, 0.5, 0.9), offsets, log=False))
    return Bundle(experiment, Origin(data="", steps=(1,)), evaluated=fitted, final=fitted)


def test_intervals_that_hold_too_little_become_wider():
    panel = zigzag()
    made = recalibrate(make_bundle(panel, 0.25), panel)
    assert made.better
    assert made.coverage_before == 0
    assert (made.score_before, made.score_after) == pytest.approx((8, 2), rel=1e-5)
    for state in (made.bundle.final, made.bundle.evaluated):
        np.testing.assert_allclose(state.calibration.offsets, [[-1, 0, 1]], rtol=1e-5)


def test_the_weights_and_the_median_are_unchanged():
    panel = zigzag()
    narrow = make_bundle(panel, 0.25)
    made = recalibrate(narrow, panel)
    assert made.bundle.final.members is narrow.final.members
    assert made.bundle.final.seen is narrow.final.seen
    assert made.bundle.experiment == narrow.experiment
    assert made.bundle.final.calibration.offsets[0, 1] == 0


def test_intervals_that_are_wider_without_need_are_not_better():
    jumps = [(step, 30) for step in range(TRAINED, 70, 4)]  # among the older actuals only
    panel = zigzag(jumps)
    made = recalibrate(make_bundle(panel, 1.0), panel)
    assert not made.better
    assert made.score_after > 1.5 * made.score_before


def test_too_few_new_actuals_are_refused():
    panel = zigzag()
    short = from_series({"a": panel.series(0)[: TRAINED + 39]}, freq="1", season=1)
    with pytest.raises(DataRefused, match="40 actuals"):
        recalibrate(make_bundle(short, 0.25), short)


def test_a_point_forecast_has_nothing_to_recalibrate():
    panel = zigzag()
    narrow = make_bundle(panel, 0.25)
    point = Bundle(
        narrow.experiment,
        narrow.origin,
        evaluated=narrow.evaluated._replace(calibration=None),
        final=narrow.final._replace(calibration=None),
    )
    with pytest.raises(DataRefused, match="with intervals"):
        recalibrate(point, panel)
