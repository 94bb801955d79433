"""Fit the members of an ensemble: one compiled step, each batch a pure function of its number.

Why a loop of our own rather than `Model.fit`: training must resume on the very step it was stopped
at and choose among running means of the weights, and a network is compiled once for all members.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import KerasTensor
from numpy.typing import ArrayLike, NDArray

from foreseq import calendar, learned, losses, metrics, network, sources, support, windows
from foreseq.cells import has_gpu
from foreseq.config import ExperimentConfig, settled
from foreseq.learned import Weights
from foreseq.panel import Panel
from foreseq.windows import Windows

TYPICAL = 2048
"""Training windows that tell how the seasonal naive errs."""
ON = 1 / 3
"""Share of rate and steps with which a fitted network goes on learning."""
TIMED = 15
"""Training steps that tell the pace."""
MAINLY = 0.5
"""Share of made-up series from which on training goes to its end."""
EARNED = 0.01
"""Share of an error by which a change must lower it; a network that does not lower that of its
baseline is left as it was born."""
FLOAT32 = "float32"
POLICIES = {FLOAT32: FLOAT32, "bfloat16": "mixed_bfloat16"}
"""Keras's policy for each precision."""
VALIDATED = 4096
"""Most validation windows looked at: more cost time and decide nothing."""


class Task(NamedTuple):
    """What there is to learn from, and for how long."""

    panel: Panel
    ends: NDArray[np.int64]
    """Steps of each series that may be touched, shape (n_series,)."""
    validation: Windows | None
    """Windows that choose the best weights; None: the last weights are taken."""
    steps: int
    """Batches to learn from at most."""
    start: tuple[Weights, ...] = ()
    """Weights of each member to go on from, at a third of the rate; none: from scratch."""


class Look(NamedTuple):
    """One look at how training goes."""

    step: int
    """Training steps done."""
    loss: float
    """Mean training loss since the look before."""
    validation: float
    """Mean over series of the error over the seasonal-naive error; NaN without validation."""


class Member(NamedTuple):
    """One fitted network."""

    weights: Weights
    best_step: int
    """The training step whose weights these are; 0: nothing was learned that validation showed."""
    looks: tuple[Look, ...]


class Pace(NamedTuple):
    """How fast a training goes on this machine, in seconds."""

    start: float
    """Until the first step is done: series are made up, and the step is compiled."""
    step: float
    """For each step from then on."""


class Progress(NamedTuple):
    """Where training is."""

    member: int
    members: int
    steps: int
    look: Look
    ended: bool
    """Whether this was the member's last look."""


def fit(
    task: Task,
    experiment: ExperimentConfig,
    *,
    members: Sequence[int] | None = None,
    checkpoint: Path | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> list[Member]:
    """Fit the members of the ensemble, one after the other.

    Args:
        task: What to learn from.
        experiment: With every choice settled.
        members: Which of them; None: all.
        checkpoint: Folder for the state after each look. What is found there is taken up again,
            and training ends with the very weights of an undisturbed one.
        report: Told after each look, those found in the checkpoint first.

    Raises:
        SeriesTooShort: If no series holds a training window.
    """
    learner = _Learner(task, experiment)
    return [
        _fit_member(learner, member, checkpoint and checkpoint / f"member-{member}.npz", report)
        for member in (range(settled(experiment.training.members)) if members is None else members)
    ]


def pace(task: Task, experiment: ExperimentConfig) -> Pace:
    """Measure how fast a training goes on this machine."""
    begun = time.perf_counter()
    learner = _Learner(task, experiment)
    draw = learner.begin(0)
    learner.learn(draw, range(1))
    start, seconds = time.perf_counter() - begun, []
    for step in range(1, 1 + TIMED):
        begun = time.perf_counter()
        learner.learn(draw, range(step, step + 1))
        seconds.append(time.perf_counter() - begun)
    return Pace(start, float(np.median(seconds)))


def build(
    experiment: ExperimentConfig, *, member: int = 0, cutoffs: int = 1, policy: str = FLOAT32
) -> keras.Model:
    """Build the untrained network of a settled experiment, see `network.forecaster`.

    Args:
        experiment: With every choice settled.
        member: Of the ensemble, whose first weights it gets.
        cutoffs: From how many to forecast in one pass.
        policy: Keras's, of the types that its layers compute in.
    """
    dataset = experiment.dataset
    freq = str(settled(dataset.freq))
    names = calendar.feature_names(freq) if experiment.network.calendar else ()
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return network.forecaster(
            experiment.network,
            horizon=dataset.horizon,
            season=settled(dataset.season),
            dates=len(names),
            seed=1000 * experiment.training.seed + 100 * member,
            cutoffs=cutoffs,
        )
    finally:
        keras.config.set_dtype_policy(usual)


class _Learner:
    """A compiled network and its batches, used by one member after the other."""

    def __init__(self, task: Task, experiment: ExperimentConfig) -> None:
        self.task, self.experiment = task, experiment
        self.horizon = experiment.dataset.horizon
        self.sources = sources.sources(task.panel, task.ends, task.steps, experiment)
        self.real = self.sources[0]
        cutoffs = settled(experiment.training.cutoffs)
        policy = POLICIES[experiment.training.precision]
        self.model = build(experiment, cutoffs=cutoffs, policy=policy)
        self.newborn = [np.array(v) for v in self.model.variables]
        jit = settled(experiment.training.jit) and not has_gpu()
        same = cutoffs == 1 and policy == FLOAT32 and not jit
        self.judged = self.model if same else build(experiment)
        rate = settled(experiment.training.learning_rate) * (ON if task.start else 1.0)
        self.optimizer = _optimizer(experiment, task.steps, rate)
        self.model.compile(self.optimizer, loss=self._loss(), jit_compile=jit)
        self.optimizer.build(self.model.trainable_variables)
        self.fresh = [np.array(v) for v in self.optimizer.variables]

    def begin(self, member: int) -> sources.Draw:
        """Give the network the first weights of a member; return where its batches come from."""
        newborn = build(self.experiment, member=member).variables if member else self.newborn
        for variable, value in zip(self.model.variables, newborn, strict=True):
            variable.assign(value)
        if self.task.start:
            learned.assign(self.model, list(self.task.start[member]))
        for variable, first in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(first)
        seed = self.experiment.training.seed * 1000 + member
        return sources.Draw(self.sources, self.experiment, seed)

    def learn(self, draw: sources.Draw, steps: range) -> float:
        """Take some steps; return their mean loss."""
        told = [self.model.train_on_batch(*draw(step, self.model)) for step in steps]
        return float(np.mean(told))

    def _loss(self) -> Callable[..., KerasTensor]:
        """Return what is minimised."""
        name = settled(self.experiment.training.loss)
        rival = self._rival() if name == "owa" else losses.EVEN
        return losses.loss(name, self.experiment.network.quantiles, rival)

    def _rival(self) -> losses.Naive:
        """Return how the seasonal naive errs on typical training windows."""
        draw = windows.Draw(self.real.ends, self.horizon, self.experiment.training.seed)
        return losses.naive(self.real.panel, draw(0, TYPICAL), self.horizon, self.real.weight)

    def averaged(self) -> Weights:
        """Return the running mean of the weights, which is what forecasts."""
        latest = learned.of(self.model)
        self.optimizer.finalize_variable_values(self.model.trainable_variables)
        averaged = learned.of(self.model)
        learned.assign(self.model, latest)
        return averaged

    def validate(self, weights: Weights) -> float:
        """Return the validation error of some weights; NaN without validation."""
        if self.task.validation is None:
            return float("nan")
        chosen, latest = _thin(self.task.validation), learned.of(self.model)
        learned.assign(self.judged, weights)
        answers = network.answer(self.judged, self.task.panel, chosen)
        learned.assign(self.model, latest)
        kept = support.keep(self.experiment.network, self.task.panel, chosen, answers)
        middle = network.middle(kept, self.experiment.network.quantiles)
        actual = windows.futures(self.task.panel, chosen, self.horizon)
        scored = metrics.score(actual, middle, chosen.series, self.real.seasonal_error)
        # of constant series alone there is no MASE: any error counts alike
        return scored.mase if np.isfinite(scored.mase) else scored.mae


def _fit_member(
    learner: _Learner, member: int, checkpoint: Path | None, report: Callable[[Progress], None]
) -> Member:
    """Fit one member, from its checkpoint if there is one."""
    draw = learner.begin(member)
    task, training = learner.task, learner.experiment.training
    every = max(1, task.steps // training.looks)
    # made-up series are hardly learned by heart, and a few windows would stop them by luck
    to_the_end = settled(training.synthetic) >= MAINLY
    best, bar = Member([], 0, ()), np.inf
    if not to_the_end and not learner.experiment.network.quantiles:  # all are born as the median
        best = Member(learned.of(learner.model), 0, ())
        bar = (1 - EARNED) * learner.validate(best.weights)
    looks: list[Look] = []
    if checkpoint is not None and checkpoint.exists():
        best, looks = _restore(learner, checkpoint)
    members = settled(training.members)
    ended = _has_ended(best, looks, task.steps, training.patience)
    for look in looks:  # so that the curves are whole
        report(Progress(member, members, task.steps, look, ended and look is looks[-1]))
    while not ended:
        done = looks[-1].step if looks else 0
        ahead = range(done, min(done + every, task.steps))
        loss = learner.learn(draw, ahead)
        weights = learner.averaged()
        error = learner.validate(weights)
        to_beat = min([bar, *(look.validation for look in looks)])
        if to_the_end or not best.weights or not error >= to_beat:
            best = Member(weights, ahead.stop, ())
        looks.append(Look(ahead.stop, loss, error))
        if checkpoint is not None:
            _keep(learner, checkpoint, best, looks)
        ended = _has_ended(best, looks, task.steps, training.patience)
        report(Progress(member, members, task.steps, looks[-1], ended))
    return best._replace(looks=tuple(looks))


def _has_ended(best: Member, looks: list[Look], steps: int, patience: int) -> bool:
    stale = sum(look.step > best.best_step for look in looks) >= patience
    return stale or (bool(looks) and looks[-1].step >= steps)


def _thin(chosen: Windows) -> Windows:
    """Return at most `VALIDATED` windows, evenly taken."""
    return chosen.take(slice(None, None, -(-chosen.count // VALIDATED)))


def _optimizer(experiment: ExperimentConfig, steps: int, rate: float) -> keras.optimizers.Optimizer:
    training = experiment.training
    return keras.optimizers.RMSprop(
        keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.01),
        global_clipnorm=training.clip_norm,
        weight_decay=training.weight_decay or None,
        use_ema=training.average > 0,
        ema_momentum=training.average or 0.99,
    )


def _keep(learner: _Learner, checkpoint: Path, best: Member, looks: list[Look]) -> None:
    told: dict[str, ArrayLike] = {"best_step": best.best_step, "looks": looks}
    learned.keep(checkpoint, learner.model, learner.optimizer, best.weights, told)


def _restore(learner: _Learner, checkpoint: Path) -> tuple[Member, list[Look]]:
    weights, told = learned.restore(checkpoint, learner.model, learner.optimizer)
    looks = [Look(int(step), loss, error) for step, loss, error in told["looks"].tolist()]
    return Member(weights, int(told["best_step"]), ()), looks
