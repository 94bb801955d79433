"""Every forecaster keeps the same contracts: each cell with each decoder, and the baselines."""

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.evaluation import baselines, statistical_baselines
from foreseq.evaluation.baselines import BASELINES
from foreseq.evaluation.contracts import (
    CONTRACTS,
    ContractBroken,
    check_forecaster,
    synthetic_panel,
)
from foreseq.forecasting import bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.series import windows
from foreseq.training import model_cache
from foreseq.training.loop import Fitted

HORIZON = 10


def network(kind, decoder, *more):
    """Return a forecaster of random weights: contracts hold before any training."""
    config = {
        "dataset": {"source": "memory", "horizon": HORIZON, "freq": "D", "season": 7},
        "network": {
            "cells": {"units": [4], "kind": kind},
            "decoder": decoder,
            "context": 14,
            "patch": 7,
            "log": False,
            "naive_lags": [7],
            "recent_inputs": 14,
            "calendar": True,
            "covariates": [],
            "quantiles": [0.1, 0.5, 0.9],
        },
    }
    experiment = build_experiment(config, more)
    rng = np.random.default_rng(1)
    members = [
        Fitted([rng.normal(0, 0.2, v.shape).astype("f4") for v in model.trainable_variables], 1, ())
        for model in [model_cache.build(experiment)] * 2
    ]
    panel = synthetic_panel()
    return Ensemble(experiment, bundle.state(panel, panel.lengths, members))


@pytest.mark.parametrize("decoder", ["direct", "segment", "recursive"])
@pytest.mark.parametrize("kind", ["simple", "lstm", "gru"])
def test_every_cell_with_every_decoder_keeps_every_contract(kind, decoder):
    assert check_forecaster(network(kind, decoder), horizon=HORIZON) == list(CONTRACTS)


def test_logarithms_and_other_scales_keep_every_contract():
    forecaster = network("gru", "direct", "network.log=true", "network.scale=robust")
    assert check_forecaster(forecaster, horizon=HORIZON) == list(CONTRACTS)


@pytest.mark.parametrize("decoder", ["direct", "segment", "recursive"])
def test_a_multivariate_network_keeps_every_contract_but_to_forecast_other_series(decoder):
    multivariate = f"network.multivariate={synthetic_panel().ids.tolist()}"
    *_, last = CONTRACTS
    with pytest.raises(ContractBroken, match=f"^{last}: "):
        check_forecaster(network("gru", decoder, multivariate), horizon=HORIZON)


@pytest.mark.parametrize("name", list(BASELINES))
def test_every_baseline_keeps_every_contract(name):
    def forecast(panel, chosen):
        return BASELINES[name](panel, chosen, HORIZON)[..., None]

    assert check_forecaster(forecast, horizon=HORIZON) == list(CONTRACTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(statistical_baselines.METHODS))
def test_every_statistical_baseline_keeps_every_contract(name):
    def forecast(panel, chosen):
        pasts = windows.before(panel, chosen, 60)
        normals = [
            statistical_baselines.forecast(
                statistical_baselines.METHODS[name], past, panel.season, HORIZON
            )
            for past in pasts
        ]
        return np.stack([normal.mean for normal in normals])[..., None]

    assert check_forecaster(forecast, horizon=HORIZON) == list(CONTRACTS)


def honest(panel, chosen):
    return baselines.naive(panel, chosen, HORIZON)[..., None]


def too_short(panel, chosen):
    return honest(panel, chosen)[:, 1:]


def crossing(panel, chosen):
    return honest(panel, chosen) * [1.0, -1.0]


def missing(panel, chosen):
    return honest(panel, chosen) * np.nan


def random_state():
    state = iter(range(10**6))
    return lambda panel, chosen: honest(panel, chosen) + next(state)


def careless(panel, chosen):
    panel.values[0] += 1
    return baselines.naive(panel, chosen, HORIZON)[..., None]


def clairvoyant(panel, chosen):
    later = windows.before(panel, windows.Windows(chosen.series, panel.lengths[chosen.series]), 5)
    return honest(panel, chosen) + 1e-9 * np.nan_to_num(later[:, :1, None])


def crowded(panel, chosen):
    forecasts = honest(panel, chosen)
    return forecasts - 0.01 * np.nanmean(forecasts, axis=0)


def knowing_names(panel, chosen):
    known = np.char.str_len(panel.ids[chosen.series])[:, None, None]
    return honest(panel, chosen) + known


@pytest.mark.parametrize(
    ("broken", "contract"),
    [
        (too_short, "forecasts the horizon"),
        (crossing, "quantiles ascend"),
        (missing, "forecasts are finite"),
        (random_state(), "is deterministic"),
        (careless, "leaves the panel unchanged"),
        (clairvoyant, "does not look ahead"),
        (crowded, "forecasts windows independently"),
        (knowing_names, "knows series by their past"),
    ],
)
def test_a_broken_contract_is_named(broken, contract):
    with pytest.raises(ContractBroken, match=f"^{contract}: "):
        check_forecaster(broken, horizon=HORIZON)
