"""Forecasts by a pretrained network, without training."""

import numpy as np
import pandas as pd
import pytest

from foreseq.config import build_experiment
from foreseq.errors import ConfigError
from foreseq.experiment import zero_shot
from foreseq.forecasting import writer
from foreseq.forecasting.ensemble import Ensemble, from_panel
from foreseq.series.panel import from_series

SEASON = 12


def _panel(length, count=3, freq="MS", season=SEASON):
    steps = np.arange(length)
    rng = np.random.default_rng(1)
    series = {
        f"s{n}": 100 * (n + 1) + 10 * np.sin(2 * np.pi * steps / SEASON) + rng.normal(0, 1, length)
        for n in range(count)
    }
    return from_series(series, freq=freq, season=season, start="2015-01-01")


def _experiment(horizon=6, **training):
    return build_experiment({"dataset": {"horizon": horizon}, "training": training})


def test_it_is_better_than_the_seasonal_naive_without_training():
    fitted, tested = zero_shot.zero_shot(_experiment(), _panel(96))
    assert tested.skill() > 0
    assert fitted.origin.steps == (0,)
    assert fitted.experiment.training.max_steps == 0


def test_what_the_experiment_says_of_training_does_not_count():
    asked = _experiment(max_steps=500, members=4)
    fitted, _ = zero_shot.zero_shot(asked, _panel(96))
    assert (fitted.experiment.training.max_steps, len(fitted.final.members)) == (0, 1)


@pytest.mark.parametrize("length", [3, 11, 19])
def test_histories_too_short_to_train_on_are_forecast(length):
    panel = _panel(length)
    fitted, tested = zero_shot.zero_shot(_experiment(), panel)
    table = from_panel(Ensemble(fitted.experiment, fitted.final), panel, version="x")
    assert tested is None
    assert len(table) == 18
    assert (table.q10 <= table.y_hat).all()
    assert (table.y_hat <= table.q90).all()


def test_a_season_without_a_network_is_refused():
    with pytest.raises(ConfigError, match="no pretrained network for a season of 48 steps"):
        zero_shot.zero_shot(_experiment(), _panel(300, freq="30min", season=48))


def test_a_file_becomes_a_folder_of_forecasts(tmp_path):
    panel = _panel(144)
    file = tmp_path / "data.csv"
    times = pd.date_range("2015-01-01", periods=144, freq="MS")
    rows = [
        pd.DataFrame({"unique_id": name, "ds": times, "y": panel.series(n)})
        for n, name in enumerate(panel.ids)
    ]
    pd.concat(rows).to_csv(file, index=False)
    dataset = {"source": str(file), "horizon": 6}
    done = zero_shot.write(build_experiment({"dataset": dataset}), tmp_path / "out")
    assert done.manifest.is_complete
    assert done.manifest.model_version == "pretrained/season-12"
    assert done.backtest.skill() > 0
    table = writer.read(tmp_path / "out")
    assert len(table) == 18
    assert list(table.columns[:6]) == ["unique_id", "ds", "y_hat", "q10", "q50", "q90"]
