"""A bundle that is kept in git forecasts the same numbers for as long as its format is read.

After `bundle.FORMAT` was raised, write the folder `golden` anew from the root of the repository:
`PYTHONPATH=tests uv run python tests/forecasting/test_golden.py`. Its weights are random.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import resolved

from foreseq.errors import BundleRefused
from foreseq.forecasting import bundle, ensemble
from foreseq.forecasting.bundle import Bundle, Origin
from foreseq.forecasting.ensemble import Ensemble
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows
from foreseq.training import model_cache
from foreseq.training.loop import Fitted

GOLDEN = Path(__file__).parent / "golden"
FORECAST = GOLDEN / "forecast.csv"
SAVED = GOLDEN / "bundle"


def make_panel():
    """Return two series that no random generator decides on."""
    steps = np.arange(40)
    weekly = 20 + 5 * np.sin(2 * np.pi * steps / 7) + steps / 10
    return from_series({"a": weekly, "b": 3 * weekly[::-1]}, freq="D", season=7, start="2024-01-01")


def make_bundle():
    """Return a calibrated bundle of two members with random weights."""
    experiment = resolved({
        "dataset": {"source": "memory", "horizon": 3, "freq": "D", "season": 7},
        "network": {
            "cells": {"kind": "gru", "units": [3]}, "context": 14, "patch": 7,
            "naive_lags": [1, 7], "calendar": True, "covariates": [],
        },
        "intervals": {"levels": [0.1, 0.5, 0.9]},
        "training": {"members": 2},
    })  # fmt: skip
    rng = np.random.default_rng(1)
    shapes = [weights.shape for weights in model_cache.build(experiment).trainable_variables]
    members = [
        Fitted([rng.normal(0, 0.2, shape).astype("f4") for shape in shapes], 1, ())
        for _ in range(2)
    ]
    panel = make_panel()
    state = bundle.state(panel, panel.lengths, members)
    series, cutoffs = np.divmod(np.arange(40), 20)
    held_back = Windows(series, cutoffs + 16)
    calibration = ensemble.calibrate(Ensemble(experiment, state), panel, held_back)
    final = state._replace(calibration=calibration)
    evaluated = final._replace(members=final.members[:1])  # half the bytes in git
    return Bundle(experiment, Origin(data=panel.fingerprint(), steps=(1, 1)), evaluated, final)


def forecast(folder):
    """Forecast the panel, with quantiles and sample paths, by a saved bundle."""
    fitted = bundle.load(folder)
    forecaster = Ensemble(fitted.experiment, fitted.final)
    return ensemble.from_panel(forecaster, make_panel(), version="golden/1", sample_paths=2)


def test_the_golden_bundle_forecasts_the_same_numbers():
    expected = pd.read_csv(FORECAST, parse_dates=["ds", "cutoff"])
    pd.testing.assert_frame_equal(forecast(SAVED), expected, check_dtype=False, rtol=1e-5)


def test_a_bundle_of_an_older_format_is_refused_in_one_sentence(tmp_path):
    older = shutil.copytree(SAVED, tmp_path / "older")
    manifest = json.loads((older / "manifest.json").read_text())
    manifest["format"] = bundle.FORMAT - 1
    (older / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleRefused) as refusal:
        bundle.load(older)
    assert str(refusal.value) == (
        f"{older}: a forecaster of format {bundle.FORMAT} is needed, found format"
        f" {bundle.FORMAT - 1}, written by another version of foreseq; train it again"
    )


if __name__ == "__main__":
    bundle.save(make_bundle(), SAVED)
    forecast(SAVED).to_csv(FORECAST, index=False)
