"""Networks built and compiled to learn, and kept from one training to the next.

Why: to compile one takes as long as hundreds of its steps, and the short trainings of a search, the
fit and the refit are of the same kind.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from foreseq import network
from foreseq.config import ResolvedDataset, ResolvedExperiment, ResolvedSplit
from foreseq.network.cells import has_gpu
from foreseq.series import calendar
from foreseq.training import losses, network_weights
from foreseq.training.losses import Naive

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
"""Fields of `training` that do not change the compiled step, with neutral values."""
LEAST_RATE = 0.01
"""What the learning rate falls to, as a share of where it begins."""


def build(
    experiment: ResolvedExperiment, *, member: int = 0, cutoffs: int = 1, policy: str = FLOAT32
) -> keras.Model:
    """Build the untrained network of a settled experiment, see `network.forecaster`.

    Args:
        experiment: With every choice settled.
        member: Of the ensemble, whose first weights it gets.
        cutoffs: From how many to forecast in one pass.
        policy: Keras's, of the types that its layers compute in.
    """
    dataset = experiment.dataset
    freq = str(dataset.freq)
    names = calendar.feature_names(freq) if experiment.network.calendar else ()
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return network.forecaster(
            experiment.network,
            horizon=dataset.horizon,
            season=dataset.season,
            dates=len(names),
            seed=1000 * experiment.training.seed + 100 * member,
            cutoffs=cutoffs,
        )
    finally:
        keras.config.set_dtype_policy(usual)


class Compiled:
    """A network, what trains it and what judges it."""

    def __init__(self, kind: ResolvedExperiment, rival: Naive) -> None:
        """Build and compile.

        Args:
            kind: From `_kind`, and so nothing that two trainings may differ in.
            rival: Whose errors are the units of the loss, see `losses.loss`.
        """
        self.kind, self.rival = kind, rival
        training, cutoffs = kind.training, kind.training.cutoffs_per_window
        policy = POLICIES[training.precision]
        self.model = build(kind, cutoffs=cutoffs, policy=policy)
        self.newborn = network_weights.values(self.model.variables)
        jit = training.jit and not has_gpu()
        same = cutoffs == 1 and policy == FLOAT32 and not jit
        self.judged = self.model if same else build(kind)
        self.optimizer = keras.optimizers.RMSprop(
            global_clipnorm=training.clip,
            weight_decay=training.weight_decay or None,
            use_ema=training.ema > 0,
            ema_momentum=training.ema or 0.99,
        )
        # variables, so that trainings of another rate or length need not be compiled anew
        self.rate, self.steps = (
            self.optimizer.add_variable((), initializer="ones") for _ in range(2)
        )
        self.optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(
            self.rate, self.steps, alpha=LEAST_RATE
        )
        minimised = losses.loss(training.loss, kind.network.quantiles, rival)
        self.model.compile(self.optimizer, loss=minimised, jit_compile=jit)
        self.optimizer.build(self.model.trainable_variables)
        self.fresh = network_weights.values(self.optimizer.variables)

    def renew(self, member: int, rate: float, steps: int) -> None:
        """Make the network that of a member before its first step.

        Args:
            member: Of the ensemble.
            rate: Of learning at the start; it falls along a cosine.
            steps: After which it has fallen.
        """
        newborn = self.newborn
        if member:
            newborn = network_weights.values(build(self.kind, member=member).variables)
        network_weights.give(self.model.variables, newborn)
        network_weights.give(self.optimizer.variables, self.fresh)
        self.rate.assign(rate)
        self.steps.assign(steps)


_idle: list[Compiled] = []
"""The last that was lent, unless an error ended its training; at most one."""


@contextmanager
def lent(experiment: ResolvedExperiment, rival: Naive) -> Iterator[Compiled]:
    """Lend a compiled network, the last one if it is of the same kind; it is to be renewed first.

    Args:
        experiment: With every choice settled.
        rival: Whose errors are the units of the loss, see `losses.loss`.
    """
    kind = _kind(experiment)
    ready = _idle.pop() if _idle else None
    if ready is None or (ready.kind, ready.rival) != (kind, rival):
        ready = None  # gone before there is another
        ready = Compiled(kind, rival)
    yield ready
    _idle[:] = [ready]


def release() -> None:
    """Give back the memory of the network that is kept."""
    _idle.clear()


def _kind(experiment: ResolvedExperiment) -> ResolvedExperiment:
    """Return the experiment with neutral values for all that compiled networks can share.

    The network is built from this alone, so that nothing it depends on can be left out.
    """
    dataset, training = experiment.dataset, experiment.training
    return ResolvedExperiment(
        dataset=ResolvedDataset(horizon=dataset.horizon, freq=dataset.freq, season=dataset.season),
        network=experiment.network,
        training=training.model_copy(update=SHARED),
        split=ResolvedSplit(stride=1, validation_windows=1, validation_stride=1),
    )
