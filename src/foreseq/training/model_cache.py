"""Networks built for training and for forecasts, and reused by the next of the same kind.

Why: compiling one takes as long as hundreds of its steps. The short trainings of a search, the fit
and the refit differ in no more than learning rate and length; validation, calibration, backtest and
forecast in no more than weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from numpy.typing import NDArray

from foreseq.config import (
    ResolvedDataset,
    ResolvedExperiment,
    ResolvedNetwork,
    ResolvedSplit,
)
from foreseq.network import build as networks
from foreseq.network import memory, predict
from foreseq.network.cells import has_gpu
from foreseq.series import calendar
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows
from foreseq.training import losses, network_weights, optimizer
from foreseq.training.losses import NaiveErrors
from foreseq.training.network_weights import Weights

FLOAT32 = "float32"
POLICIES = {FLOAT32: FLOAT32, "bfloat16": "mixed_bfloat16"}
"""Keras's policy for each precision."""
SHARED = {
    "max_steps": 1,
    "learning_rate": 1.0,
    "synthetic": 0.0,
    "sign_flip": False,
    "validations": 1,
    "patience": 1,
    "members": 1,
    "workers": 1,
    "refit": False,
}
"""Fields of `training` that the compiled step does not depend on, with neutral values."""


def of_member(experiment: ResolvedExperiment, member: int) -> ResolvedExperiment:
    """Return the experiment of one member, where members alternate."""
    if experiment.network.scale != "alternating":
        return experiment
    scale = {"scale": "mean" if member % 2 else "fixed"}
    return experiment.model_copy(update={"network": experiment.network.model_copy(update=scale)})


def build(
    experiment: ResolvedExperiment, *, member: int = 0, cutoffs: int = 1, policy: str = FLOAT32
) -> keras.Model:
    """Build the untrained network of an experiment, see `foreseq.network.build.forecaster`.

    Each member of an ensemble has other first weights. `policy` is Keras's dtype policy.

    Raises:
        ConfigError: If this machine has too little memory for it.
    """
    dataset, network = experiment.dataset, experiment.network
    read = predict.ROWS * (network.context + dataset.horizon)
    memory.require(
        memory.weights(network.cells, network.patch) + read,
        "the network",
        "network.cells.units, network.context or dataset.horizon",
    )
    names = calendar.feature_names(dataset.freq) if experiment.network.calendar else ()
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return networks.forecaster(
            experiment.network,
            horizon=dataset.horizon,
            season=dataset.season,
            dates=len(names),
            seed=1000 * experiment.training.seed + 100 * member,
            cutoffs=cutoffs,
        )
    finally:
        keras.config.set_dtype_policy(usual)


class CompiledModel:
    """A network compiled for training."""

    def __init__(self, key: ResolvedExperiment, naive: NaiveErrors) -> None:
        """Build and compile for a key from `compile_key`."""
        self.key, self.naive = key, naive
        training, cutoffs = key.training, key.training.cutoffs_per_window
        cells, steps = key.network.cells, key.network.context // key.network.patch
        memory.require(
            memory.training(cells, rows=training.batch_size, steps=steps),
            "a batch of training",
            "training.batch_size, network.cells.units or network.context",
        )
        self.model = build(key, cutoffs=cutoffs, policy=POLICIES[training.precision])
        self.initial = network_weights.get_values(self.model.variables)
        jit = training.jit and not has_gpu()
        self.optimizer, self.schedule = optimizer.build(training)
        loss = losses.InFloat64(losses.loss(training.loss, key.network.quantiles, naive))
        self.model.compile(self.optimizer, loss=loss, jit_compile=jit)
        self.optimizer.build(self.model.trainable_variables)
        self.initial_state = network_weights.get_values(self.optimizer.variables)

    def reset(self, member: int, rate: float, steps: int) -> None:
        """Reset all weights for a member, and a learning rate that falls within `steps`."""
        initial = self.initial
        if member:
            initial = network_weights.get_values(build(self.key, member=member).variables)
        network_weights.set_values(self.model.variables, initial)
        network_weights.set_values(self.optimizer.variables, self.initial_state)
        self.schedule.start(rate, steps)


_idle: list[CompiledModel] = []
"""The last that was borrowed, unless an error ended its training; at most one."""
_idle_networks: dict[tuple[ResolvedNetwork, int, int, str], keras.Model] = {}
"""Networks that have forecast, the latest last."""
MOST_IDLE = 4
"""Networks kept for further forecasts: those of a champion and its challenger, two kinds of members
each."""


@contextmanager
def borrow(experiment: ResolvedExperiment, naive: NaiveErrors) -> Iterator[CompiledModel]:
    """Yield a compiled network, the last one if its key is the same; `reset` it first."""
    key = compile_key(experiment)
    model = _idle.pop() if _idle else None
    if model is None or (model.key, model.naive) != (key, naive):
        model = None  # freed before the next is built
        model = CompiledModel(key, naive)
    yield model
    _idle[:] = [model]


@contextmanager
def borrow_network(experiment: ResolvedExperiment) -> Iterator[keras.Model]:
    """Yield a network to forecast with, an idle one if there is one; set its weights first."""
    dataset = experiment.dataset
    key = (experiment.network, dataset.horizon, dataset.season, dataset.freq)
    network = _idle_networks.pop(key, None) or build(experiment)
    yield network
    _idle_networks[key] = network
    for oldest in list(_idle_networks)[:-MOST_IDLE]:
        _idle_networks.pop(oldest, None)  # another thread may have borrowed it


def forecast(
    experiment: ResolvedExperiment, weights: Weights, panel: Panel, chosen: Windows
) -> NDArray[np.float64]:
    """Return forecasts with some weights, shape (windows, horizon, outputs).

    Raises:
        BundleRefused: If the weights do not belong to the network of the experiment.
    """
    with borrow_network(experiment) as network:
        network_weights.set_weights(network, weights)
        return predict.predict(network, panel, chosen, experiment.network.covariates)


def release() -> None:
    """Free the memory of idle networks."""
    _idle.clear()
    _idle_networks.clear()


def compile_key(experiment: ResolvedExperiment) -> ResolvedExperiment:
    """Return the experiment with neutral values for all that compiled networks can share."""
    dataset = experiment.dataset
    return ResolvedExperiment(
        dataset=ResolvedDataset(horizon=dataset.horizon, freq=dataset.freq, season=dataset.season),
        network=experiment.network,
        training=experiment.training.model_copy(update=SHARED),
        split=ResolvedSplit(test_windows=1, stride=1, validation_windows=1, validation_stride=1),
    )
