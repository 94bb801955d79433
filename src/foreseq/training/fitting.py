"""Fit the members of an ensemble: one compiled step, each batch a pure function of its number.

Why a loop of our own rather than `Model.fit`: training must resume on the very step it was stopped
at and choose among running means of the weights, and a network is compiled once for all members.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foreseq import metrics, network
from foreseq.config import ResolvedExperiment
from foreseq.network import output_domain
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows
from foreseq.training import batches, losses, model_cache, network_weights
from foreseq.training.batches import Draw, Source
from foreseq.training.model_cache import Compiled
from foreseq.training.network_weights import Weights

TYPICAL = 2048
"""Training windows that tell how the seasonal naive errs."""
REFIT_SHARE = 1 / 3
"""Share of rate and steps with which a fitted network goes on learning."""
TIMED = 15
"""Training steps that tell the pace."""
MAINLY = 0.5
"""Share of made-up series from which on training goes to its end."""
MIN_GAIN = 0.01
"""Share of an error by which a change must lower it; a network that does not lower that of its
baseline is left as it was born."""
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


class CurvePoint(NamedTuple):
    """One validation."""

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
    curve: tuple[CurvePoint, ...]


class Pace(NamedTuple):
    """How fast a training goes on this machine, in seconds."""

    start: float
    """Until the first step is done: series are made up, and the step is compiled."""
    again: float
    """The same of the next training, if its network is kept from before."""
    step: float
    """For each step from then on."""


class Progress(NamedTuple):
    """Where training is."""

    member: int
    members: int
    steps: int
    point: CurvePoint
    ended: bool
    """Whether this was the member's last look."""


def fit(
    task: Task,
    experiment: ResolvedExperiment,
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
    wanted = range(experiment.training.members) if members is None else members
    with _learner(task, experiment, _sources(task, experiment)) as learner:
        return [
            _fit_member(learner, member, checkpoint and checkpoint / f"member-{member}.npz", report)
            for member in wanted
        ]


def pace(task: Task, experiment: ResolvedExperiment) -> Pace:
    """Measure how fast a training goes on this machine."""
    begun = time.perf_counter()
    found = _sources(task, experiment)
    again = time.perf_counter() - begun
    with _learner(task, experiment, found) as learner:
        draw = learner.begin(0)
        learner.learn(draw, range(1))
        start, seconds = time.perf_counter() - begun, []
        for step in range(1, 1 + TIMED):
            begun = time.perf_counter()
            learner.learn(draw, range(step, step + 1))
            seconds.append(time.perf_counter() - begun)
    return Pace(start, again, float(np.median(seconds)))


class _Learner:
    """A network that learns and the batches it learns from, used by one member after the other."""

    def __init__(
        self,
        task: Task,
        experiment: ResolvedExperiment,
        found: tuple[Source, ...],
        ready: Compiled,
    ) -> None:
        self.task, self.experiment, self.sources = task, experiment, found
        self.horizon = experiment.dataset.horizon
        self.model, self.judged, self.optimizer = ready.model, ready.judged, ready.optimizer
        self.renew = ready.renew

    def begin(self, member: int) -> Draw:
        """Give the network the first weights of a member; return where its batches come from."""
        rate = self.experiment.training.learning_rate * (REFIT_SHARE if self.task.start else 1.0)
        self.renew(member, rate, self.task.steps)
        if self.task.start:
            network_weights.assign(self.model, list(self.task.start[member]))
        seed = self.experiment.training.seed * 1000 + member
        return Draw(self.sources, self.experiment, seed)

    def learn(self, draw: Draw, steps: range) -> float:
        """Take some steps; return their mean loss."""
        told = [self.model.train_on_batch(*draw(step, self.model)) for step in steps]
        return float(np.mean(told))

    def averaged(self) -> Weights:
        """Return the running mean of the weights, which is what forecasts."""
        latest = network_weights.of(self.model)
        self.optimizer.finalize_variable_values(self.model.trainable_variables)
        averaged = network_weights.of(self.model)
        network_weights.assign(self.model, latest)
        return averaged

    def validate(self, weights: Weights) -> float:
        """Return the validation error of some weights; NaN without validation."""
        if self.task.validation is None:
            return float("nan")
        chosen, latest = _thin(self.task.validation), network_weights.of(self.model)
        network_weights.assign(self.judged, weights)
        answers = network.answer(self.judged, self.task.panel, chosen)
        network_weights.assign(self.model, latest)
        kept = output_domain.keep(self.experiment.network, self.task.panel, chosen, answers)
        middle = network.middle(kept, self.experiment.network.quantiles)
        actual = windows.futures(self.task.panel, chosen, self.horizon)
        scored = metrics.score(actual, middle, chosen.series, self.sources[0].seasonal_error)
        # of constant series alone there is no MASE: any error counts alike
        return scored.mase if np.isfinite(scored.mase) else scored.mae


def _sources(task: Task, experiment: ResolvedExperiment) -> tuple[Source, ...]:
    return batches.sources(task.panel, task.ends, task.steps, experiment)


@contextmanager
def _learner(
    task: Task, experiment: ResolvedExperiment, found: tuple[Source, ...]
) -> Iterator[_Learner]:
    """Have a network learn."""
    with model_cache.lent(experiment, _rival(found[0], experiment)) as ready:
        yield _Learner(task, experiment, found, ready)


def _rival(real: Source, experiment: ResolvedExperiment) -> losses.Naive:
    """Return how the seasonal naive errs on typical training windows, if the loss asks for it."""
    if experiment.training.loss != "owa":
        return losses.EVEN
    horizon = experiment.dataset.horizon
    draw = windows.WindowSampler(real.ends, horizon, experiment.training.seed)
    return losses.naive(real.panel, draw(0, TYPICAL), horizon, real.weight)


def _fit_member(
    learner: _Learner, member: int, checkpoint: Path | None, report: Callable[[Progress], None]
) -> Member:
    """Fit one member, from its checkpoint if there is one."""
    draw = learner.begin(member)
    task, training = learner.task, learner.experiment.training
    every = max(1, task.steps // training.validations)
    # made-up series are hardly learned by heart, and a few windows would stop them by luck
    to_the_end = training.synthetic >= MAINLY
    best, bar = Member([], 0, ()), np.inf
    if not to_the_end and not learner.experiment.network.quantiles:  # all are born as the median
        best = Member(network_weights.of(learner.model), 0, ())
        bar = (1 - MIN_GAIN) * learner.validate(best.weights)
    curve: list[CurvePoint] = []
    if checkpoint is not None and checkpoint.exists():
        best, curve = _restore(learner, checkpoint)
    members = training.members
    ended = _has_ended(best, curve, task.steps, training.patience)
    for point in curve:  # so that the curves are whole
        report(Progress(member, members, task.steps, point, ended and point is curve[-1]))
    while not ended:
        done = curve[-1].step if curve else 0
        ahead = range(done, min(done + every, task.steps))
        loss = learner.learn(draw, ahead)
        weights = learner.averaged()
        error = learner.validate(weights)
        to_beat = min([bar, *(point.validation for point in curve)])
        if to_the_end or not best.weights or not error >= to_beat:
            best = Member(weights, ahead.stop, ())
        curve.append(CurvePoint(ahead.stop, loss, error))
        if checkpoint is not None:
            _keep(learner, checkpoint, best, curve)
        ended = _has_ended(best, curve, task.steps, training.patience)
        report(Progress(member, members, task.steps, curve[-1], ended))
    return best._replace(curve=tuple(curve))


def _has_ended(best: Member, curve: list[CurvePoint], steps: int, patience: int) -> bool:
    stale = sum(point.step > best.best_step for point in curve) >= patience
    return stale or (bool(curve) and curve[-1].step >= steps)


def _thin(chosen: Windows) -> Windows:
    """Return at most `VALIDATED` windows, evenly taken."""
    return chosen.take(slice(None, None, -(-chosen.count // VALIDATED)))


def _keep(learner: _Learner, checkpoint: Path, best: Member, curve: list[CurvePoint]) -> None:
    told: dict[str, ArrayLike] = {"best_step": best.best_step, "curve": curve}
    network_weights.keep(checkpoint, learner.model, learner.optimizer, best.weights, told)


def _restore(learner: _Learner, checkpoint: Path) -> tuple[Member, list[CurvePoint]]:
    weights, told = network_weights.restore(checkpoint, learner.model, learner.optimizer)
    curve = [CurvePoint(int(step), loss, error) for step, loss, error in told["curve"].tolist()]
    return Member(weights, int(told["best_step"]), ()), curve
