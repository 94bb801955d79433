"""A store for these tests, and one small forecaster with all that a run logs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from foreseq.config import ExperimentConfig, build_experiment
from foreseq.evaluation.backtest import Backtest, backtest
from foreseq.forecasting import bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.selection.choose import by_rules
from foreseq.selection.rules import Choice
from foreseq.series import windows
from foreseq.series.panel import Panel, from_series
from foreseq.training import loop, model_cache, network_weights


class Example(NamedTuple):
    """A forecaster to log."""

    experiment: ExperimentConfig
    choices: list[Choice]
    panel: Panel
    backtest: Backtest
    folder: Path
    """Of the saved bundle."""


@pytest.fixture(scope="session")
def example(tmp_path_factory) -> Example:
    """Return an untrained forecaster of two monthly series: its scores do not matter."""
    noise = np.random.default_rng(1).normal(size=(2, 96))
    waves = 100 + 10 * np.sin(np.arange(96) * np.pi / 6) + noise
    panel = from_series({"a": waves[0], "b": waves[1]}, freq="MS", season=12, start="2010-01-01")
    fields = {
        "dataset": {
            "name": "waves",
            "source": "s3://key@bucket/w.csv?signature=hunter2",
            "horizon": 6,
        },
        "network": {"cells": {"units": [4, 3]}, "quantiles": [0.1, 0.5, 0.9]},
    }
    experiment, _, choices, _ = by_rules(build_experiment(fields), panel)
    weights = network_weights.get_weights(model_cache.build(experiment))
    member = loop.Fitted(weights, 1, ())
    parts = windows.split(panel, 6, experiment.split)
    evaluated = bundle.state(panel, parts.train_ends, [member])
    folder = bundle.save(
        bundle.Bundle(
            experiment=experiment,
            origin=bundle.Origin(data=panel.fingerprint(), steps=(1,)),
            evaluated=evaluated,
            final=bundle.state(panel, panel.lengths, [member]),
        ),
        tmp_path_factory.mktemp("example") / "bundle",
    )
    tested = backtest(Ensemble(experiment, evaluated), panel, parts.test)
    return Example(experiment, choices, panel, tested, folder)


@pytest.fixture(scope="package", autouse=True)
def home(tmp_path_factory) -> Path:
    """Change to an empty folder, where the default store is made."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        yield folder
