"""What the gate is for: luck is not published, skill is."""

import numpy as np
import pytest

from foreseq import evaluation
from foreseq.config import build_experiment
from foreseq.experiment.recipe import train
from foreseq.series.panel import from_series

SEASON, HORIZON, SERIES, LENGTH = 7, 5, 24, 140

EXPERIMENT = build_experiment(
    {
        "dataset": {"source": "memory", "horizon": HORIZON, "freq": "1", "season": SEASON},
        "network": {
            "cells": {"units": [8]},
            "context": 28,
            "patch": 7,
            "naive_lags": [SEASON, 1],
            "log": False,
        },
        "auto": {"time_budget": 0},
        "training": {
            "max_steps": 240,
            "validations": 6,
            "learning_rate": 3e-3,
            "members": 1,
            "refit": False,
            "batch_size": 64,
        },
        "split": {"test_windows": 3},
    }
)


def random_walk(rng):
    return np.cumsum(rng.normal(size=(SERIES, LENGTH)), axis=1)


def white_noise(rng):
    return rng.normal(size=(SERIES, LENGTH))


def shuffled_labels(rng):
    return rng.permuted(trend_with_season(rng), axis=1)


def trend_with_season(rng):
    steps = np.arange(LENGTH)
    phase = rng.uniform(0, 2 * np.pi, size=(SERIES, 1))
    signal = 0.05 * steps + 2 * np.sin(2 * np.pi * steps / SEASON + phase)
    return 10 + signal + rng.normal(0, 0.7, size=(SERIES, LENGTH))


def decide(world, seed):
    values = world(np.random.default_rng(seed))
    panel = from_series(
        {f"s{i:02}": series for i, series in enumerate(values)}, freq="1", season=SEASON
    )
    return evaluation.judge(train(EXPERIMENT, panel).bundle, None, panel)[0]


def test_where_nothing_can_be_known_nothing_is_published():
    decision = decide(random_walk, seed=1)
    assert not decision.published
    assert "not a significant improvement" in decision.reason


def test_a_noisy_trend_with_season_is_published():
    decision = decide(trend_with_season, seed=1)
    assert decision.published, decision.reason
    assert (decision.series, decision.windows) == (SERIES, 3 * SERIES)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("world", [random_walk, white_noise, shuffled_labels])
def test_luck_is_never_published(world, seed):
    decision = decide(world, seed)
    assert not decision.published, decision.reason


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_skill_is_always_published(seed):
    decision = decide(trend_with_season, seed)
    assert decision.published, decision.reason
