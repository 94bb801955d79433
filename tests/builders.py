"""What many tests build: small experiments with nothing left open."""

from foreseq.config import ResolvedExperiment, build_experiment
from foreseq.config.fields import get, put

CLOSED = {
    "dataset.freq": "1",
    "dataset.season": 1,
    "network.cells.units": (4,),
    "network.context": 8,
    "network.patch": 1,
    "network.decoder": "direct",
    "network.log": False,
    "network.naive_lags": (1,),
    "network.level_adjustment": False,
    "network.shrunken_trend": False,
    "network.output_domain": "real",
    "network.recent_inputs": 1,
    "network.calendar": False,
    "network.covariates": (),
    "network.cold_start": (),
    "network.scale": "mean",
    "network.fixed_scale": (),
    "training.start": "random",
    "training.learning_rate": 1e-3,
    "training.loss": "mase",
    "training.max_steps": 10,
    "training.batch_size": 8,
    "training.cutoffs_per_window": 1,
    "training.synthetic": 0.0,
    "training.half_life": 0,
    "training.sign_flip": False,
    "training.members": 1,
    "training.workers": 1,
    "training.jit": False,
    "split.test_windows": 1,
    "split.validation_windows": 1,
}

SMALL_NETWORK = {
    "cells": {"units": [8]},
    "context": 8,
    "patch": 4,
    "log": False,
    "naive_lags": [4],
    "recent_inputs": 8,
    "decoder": "direct",
    "calendar": False,
    "covariates": [],
}
"""Of bundles whose weights are not trained; for a season of 4."""


def resolved(fields, overrides=()):
    """Return an experiment whose open fields have small, plain values."""
    filled = build_experiment(fields, overrides).model_dump()
    horizon = filled["dataset"]["horizon"]
    closed = {**CLOSED, "split.stride": horizon, "split.validation_stride": max(1, horizon // 4)}
    for name, value in closed.items():
        if get(filled, name) is None:
            put(filled, name, value)
    return ResolvedExperiment.model_validate(filled)
