"""Training again gives the same bits; another seed is noticed."""

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.errors import DataRefused
from foreseq.experiment import reproduce
from foreseq.experiment.recipe import train
from foreseq.forecasting import bundle
from foreseq.series.panel import from_series

TOLD = {
    "dataset": {"source": "memory", "horizon": 3},
    "network": {"cells": {"units": [3]}, "context": 12, "patch": 6},
    "auto": {"time_budget": 0},
    "training": {"max_steps": 4, "validations": 2, "members": 1},
}


def make_panel():
    values = np.random.default_rng(1).gamma(9, 1, size=60)
    return from_series({"a": values}, freq="1", season=6)


@pytest.mark.slow
def test_another_seed_gives_other_weights_and_other_data_are_refused(tmp_path):
    panel = make_panel()
    outcome = train(build_experiment(TOLD), panel)
    folder = bundle.save(outcome.bundle, tmp_path / "bundle")
    assert all(part.alike for part in reproduce.train_again(folder, panel))

    fitted = outcome.bundle
    experiment = fitted.experiment.training.model_copy(update={"seed": 2})
    other = bundle.Bundle(
        fitted.experiment.model_copy(update={"training": experiment}),
        fitted.origin, fitted.evaluated, fitted.final,
    )  # fmt: skip
    parts = reproduce.train_again(bundle.save(other, tmp_path / "other"), panel)
    assert [part.alike for part in parts[:2]] == [False, False]

    reproduce.require_same_data(fitted, panel.fingerprint())
    with pytest.raises(DataRefused, match="the source has changed"):
        reproduce.require_same_data(fitted, "0" * 64)
