"""Whatever forecasts keeps to the same contracts: every cell with every decoder, and the simple."""

import numpy as np
import pytest

from foreseq import evaluation
from foreseq.config import build_experiment
from foreseq.evaluation import BASELINES, statistical_baselines
from foreseq.evaluation.contracts import CONTRACTS, ContractBroken, check_forecaster, made_up
from foreseq.forecasting import bundle
from foreseq.forecasting.ensemble import Forecaster
from foreseq.series import windows
from foreseq.training import model_cache
from foreseq.training.loop import Fitted

HORIZON = 10


def network(kind, decoder, *more):
    """Return a forecaster of random weights: contracts hold before anything is learned."""
    told = {
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
            "quantiles": [0.1, 0.5, 0.9],
        },
    }
    experiment = build_experiment(told, more)
    rng = np.random.default_rng(1)
    members = [
        Fitted([rng.normal(0, 0.2, v.shape).astype("f4") for v in model.trainable_variables], 1, ())
        for model in [model_cache.build(experiment)] * 2
    ]
    panel = made_up()
    return Forecaster(experiment, bundle.state(panel, panel.lengths, members))


@pytest.mark.parametrize("decoder", ["direct", "segment", "recursive"])
@pytest.mark.parametrize("kind", ["simple", "lstm", "gru"])
def test_every_cell_with_every_decoder_keeps_every_contract(kind, decoder):
    assert check_forecaster(network(kind, decoder), horizon=HORIZON) == list(CONTRACTS)


def test_logarithms_and_other_scales_keep_every_contract():
    forecaster = network("gru", "direct", "network.log=true", "network.scale=robust")
    assert check_forecaster(forecaster, horizon=HORIZON) == list(CONTRACTS)


@pytest.mark.parametrize("decoder", ["direct", "segment", "recursive"])
def test_who_reads_series_together_keeps_every_contract_but_to_forecast_others(decoder):
    together = f"network.multivariate={made_up().ids.tolist()}"
    *_, last = CONTRACTS
    with pytest.raises(ContractBroken, match=f"^{last}: "):
        check_forecaster(network("gru", decoder, together), horizon=HORIZON)


@pytest.mark.parametrize("name", list(BASELINES))
def test_every_baseline_keeps_every_contract(name):
    def answer(panel, chosen):
        return BASELINES[name](panel, chosen, HORIZON)[..., None]

    assert check_forecaster(answer, horizon=HORIZON) == list(CONTRACTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(statistical_baselines.CLASSICS))
def test_every_classical_method_keeps_every_contract(name):
    def answer(panel, chosen):
        pasts = windows.before(panel, chosen, 60)
        told = [
            statistical_baselines.forecast(
                statistical_baselines.CLASSICS[name], past, panel.season, HORIZON
            )
            for past in pasts
        ]
        return np.stack([each.mean for each in told])[..., None]

    assert check_forecaster(answer, horizon=HORIZON) == list(CONTRACTS)


def honest(panel, chosen):
    return evaluation.naive(panel, chosen, HORIZON)[..., None]


def too_short(panel, chosen):
    return honest(panel, chosen)[:, 1:]


def crossing(panel, chosen):
    return honest(panel, chosen) * [1.0, -1.0]


def silent(panel, chosen):
    return honest(panel, chosen) * np.nan


def moody():
    state = iter(range(10**6))
    return lambda panel, chosen: honest(panel, chosen) + next(state)


def careless(panel, chosen):
    panel.values[0] += 1
    return evaluation.naive(panel, chosen, HORIZON)[..., None]


def clairvoyant(panel, chosen):
    later = windows.before(panel, windows.Windows(chosen.series, panel.lengths[chosen.series]), 5)
    return honest(panel, chosen) + 1e-9 * np.nan_to_num(later[:, :1, None])


def crowded(panel, chosen):
    told = honest(panel, chosen)
    return told - 0.01 * np.nanmean(told, axis=0)


def knowing_names(panel, chosen):
    known = np.char.str_len(panel.ids[chosen.series])[:, None, None]
    return honest(panel, chosen) + known


@pytest.mark.parametrize(
    ("broken", "contract"),
    [
        (too_short, "answers the horizon"),
        (crossing, "quantiles ascend"),
        (silent, "answers where there is a past"),
        (moody(), "answers alike"),
        (careless, "leaves the data alone"),
        (clairvoyant, "does not look ahead"),
        (crowded, "answers each window alone"),
        (knowing_names, "knows series by their past"),
    ],
)
def test_whoever_breaks_a_contract_is_told_which(broken, contract):
    with pytest.raises(ContractBroken, match=f"^{contract}: "):
        check_forecaster(broken, horizon=HORIZON)
