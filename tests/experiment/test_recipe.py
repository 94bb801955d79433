from dataclasses import replace

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.evaluation import gate
from foreseq.experiment import recipe
from foreseq.forecasting.ensemble import Ensemble
from foreseq.series import windows
from foreseq.series.panel import from_series

HORIZON = 12


def make_experiment(*overrides):
    experiment = {
        "dataset": {"source": "memory", "horizon": HORIZON},
        "network": {"cells": {"units": [16]}},
        "auto": {"time_budget": 0},
        "training": {
            "max_steps": 150,
            "learning_rate": 0.01,
            "batch_size": 64,
            "ema": 0.95,
            "synthetic": 0.0,
        },
    }
    return build_experiment(experiment, overrides)


def make_panel():
    """Return noisy monthly series with trend and season, which no naive forecast gets right."""
    rng = np.random.default_rng(1)
    steps = np.arange(120)
    series = {
        f"s{i:02}": 50
        + rng.uniform(0.1, 0.4) * steps
        + rng.uniform(4, 8) * np.sin(2 * np.pi * (steps + rng.integers(12)) / 12)
        + rng.normal(0, 2, size=120)
        for i in range(20)
    }
    return from_series(series, freq="MS", season=12, start="2010-01-01")


def bits(state):
    return [[weight.tobytes() for weight in member] for member in state.members]


@pytest.fixture(scope="module")
def trained():
    experiment = []
    outcome = recipe.train(
        make_experiment(),
        make_panel(),
        report=lambda stage, progress: experiment.append((stage, progress)),
    )
    return outcome, experiment


def test_the_network_beats_the_seasonal_naive_on_noisy_trend_and_season(trained):
    assert trained[0].backtest.skill() > 0.15


def test_the_gate_and_the_experiment_tell_the_same_numbers(trained):
    outcome, _ = trained
    decision, tested = gate.judge(outcome.bundle, None, make_panel())
    assert decision.published
    assert tested.scores() == outcome.backtest.scores()


def test_fit_then_refit_are_reported_and_refit_takes_a_third_of_the_best_steps(trained):
    outcome, experiment = trained
    stages = [stage for stage, _ in experiment]
    assert stages == sorted(stages)  # fit, then refit
    assert set(stages) == {"fit", "refit"}
    assert experiment[-1][1].point.step == outcome.members[0].best_step // 3
    assert outcome.bundle.origin.steps == (outcome.members[0].best_step,)


def test_what_was_tested_has_not_seen_the_test_and_what_forecasts_has_seen_all(trained):
    outcome, _ = trained
    panel, split = make_panel(), outcome.bundle.experiment.split
    parts = windows.split(panel, HORIZON, split)
    last = [state.seen.last.astype("datetime64[M]") for state in (
        outcome.bundle.evaluated, outcome.bundle.final)]  # fmt: skip
    assert set(last[0].astype(str)) == {str(np.datetime64("2010-01") + parts.train_ends[0] - 1)}
    assert set(last[1].astype(str)) == {"2019-12"}
    assert bits(outcome.bundle.evaluated) != bits(outcome.bundle.final)


def test_of_an_exact_season_there_is_nothing_to_learn_nor_to_learn_on():
    panel = from_series({"a": np.tile(np.arange(1.0, 13.0), 10)}, freq="MS", season=12)
    experiment = []
    outcome = recipe.train(
        make_experiment("network.naive_lags=[12]", "network.log=false"),
        panel,
        report=lambda stage, _: experiment.append(stage),
    )
    assert outcome.bundle.origin.steps == (0,)
    assert set(experiment) == {"fit"}
    assert bits(outcome.bundle.evaluated) == bits(outcome.bundle.final)
    final = Ensemble(outcome.bundle.experiment, outcome.bundle.final)
    answers = final.point(panel, windows.newest(panel))
    np.testing.assert_allclose(answers[0], np.arange(1.0, 13.0), rtol=1e-5)


def test_altering_the_test_span_alters_no_evaluated_weight_and_no_forecast_of_it():
    panel = make_panel()
    experiment = make_experiment("training.max_steps=20", "training.refit=false")
    values = panel.values.copy()
    for end in panel.offsets[1:]:
        values[end - HORIZON : end] *= -3
    one = recipe.train(experiment, panel)
    other = recipe.train(experiment, replace(panel, values=values))
    assert one.bundle.experiment == other.bundle.experiment
    assert bits(one.bundle.evaluated) == bits(other.bundle.evaluated)
    assert one.backtest.quantiles.tobytes() == other.backtest.quantiles.tobytes()
    assert one.backtest.actual.tobytes() != other.backtest.actual.tobytes()


def test_without_a_refit_what_was_tested_forecasts(tmp_path):
    experiment = make_experiment(
        "training.max_steps=20", "training.refit=false", "training.members=2"
    )
    first = recipe.train(experiment, make_panel(), folder=tmp_path)
    assert first.bundle.final is first.bundle.evaluated
    assert sorted(file.name for file in (tmp_path / "fit").iterdir()) == [
        "member-0.npz",
        "member-1.npz",
    ]
    again = recipe.train(experiment, make_panel(), folder=tmp_path)
    assert bits(again.bundle.final) == bits(first.bundle.final)


def test_a_series_never_seen_in_training_is_forecast(trained):
    fitted = trained[0].bundle
    other = from_series(
        {"new": 1000 + 100 * np.sin(2 * np.pi * np.arange(60) / 12)},
        freq="MS",
        season=12,
        start="2020-01-01",
    )
    answers = Ensemble(fitted.experiment, fitted.final)(other, windows.newest(other))
    assert np.abs(answers[0, :, 0] - other.series(0)[-12:]).max() < 60


def test_intervals_are_calibrated_on_windows_before_the_test(trained):
    outcome, _ = trained
    tested = outcome.backtest
    assert tested.levels == outcome.bundle.levels == (0.1, 0.5, 0.9)
    assert outcome.bundle.final.calibration is outcome.bundle.evaluated.calibration
    (interval,) = tested.intervals()
    assert interval.level == 0.8
    assert interval.coverage == pytest.approx(0.8, abs=0.1)
    assert interval.width > 0
    np.testing.assert_array_equal(tested.quantiles[..., 1], tested.forecasts["foreseq"])


def test_no_levels_give_a_point_forecast_alone():
    experiment = make_experiment(
        "training.max_steps=2", "training.refit=false", "intervals.levels=[]"
    )
    outcome = recipe.train(experiment, make_panel())
    assert outcome.bundle.levels == ()
    assert outcome.backtest.intervals() == []
    assert outcome.backtest.quantiles.shape[-1] == 1
