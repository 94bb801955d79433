"""The training loop of forecasts and text: learn, validate, keep the best, save a checkpoint.

Why a loop of our own rather than `Model.fit`: training must resume on the very step it was stopped
at, and moving averages of the weights are what is validated and kept.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import keras
import numpy as np

from foreseq.training import network_weights
from foreseq.training.network_weights import Checkpoint, Weights

MIN_GAIN = 0.01
"""Share of an error by which a change must lower it to count; a network that does not improve on
its first weights by that much keeps them."""


class CurvePoint(NamedTuple):
    """One validation."""

    step: int
    """Steps taken so far."""
    loss: float
    """Mean training loss since the validation before."""
    validation: float
    """Validation error; NaN without validation."""


class Fitted(NamedTuple):
    """A trained network."""

    weights: Weights
    best_step: int
    """The step of these weights; 0: training improved nothing, and these are the first ones."""
    curve: tuple[CurvePoint, ...]


class Learner(Protocol):
    """A compiled network and its batches, each a pure function of its step."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer

    def learn(self, steps: range) -> float:
        """Take some training steps; return their mean loss."""

    def validate(self, weights: Weights) -> float:
        """Return the validation error of some weights; NaN without validation."""


class Schedule(NamedTuple):
    """How long a training goes, and what it keeps."""

    max_steps: int
    every: int
    """Steps from one validation to the next."""
    patience: int
    """Validations without improvement after which training stops."""
    first_may_win: bool = False
    """Whether the first weights are kept unless training improves on them by `MIN_GAIN`."""
    keep_last: bool = False
    """Whether the last weights are kept, whatever validation says."""


def run(
    learner: Learner,
    schedule: Schedule,
    *,
    checkpoint: Path | None = None,
    report: Callable[[CurvePoint, Weights | None, bool], None] = lambda *_: None,
) -> Fitted:
    """Train a network, from its checkpoint if there is one.

    Args:
        learner: What is trained; a resumed training ends with the very weights of an undisturbed
            one.
        schedule: How long, and what is kept.
        checkpoint: File to keep the state in after each validation.
        report: Called after each validation with its point, the averaged weights (None for points
            from the checkpoint) and whether training has ended.
    """
    best, curve, bar = Fitted([], 0, ()), list[CurvePoint](), np.inf
    if schedule.first_may_win:
        best = Fitted(network_weights.get_weights(learner.model), 0, ())
        bar = (1 - MIN_GAIN) * learner.validate(best.weights)
    if checkpoint is not None and checkpoint.exists():
        best, curve = _restore(learner, checkpoint)
    has_ended = _has_ended(best, curve, schedule)
    for point in curve:  # so that curves are complete
        report(point, None, has_ended and point is curve[-1])
    while not has_ended:
        done = curve[-1].step if curve else 0
        steps = range(done, min(done + schedule.every, schedule.max_steps))
        loss = learner.learn(steps)
        weights = network_weights.averaged_weights(learner.model, learner.optimizer)
        error = learner.validate(weights)
        to_beat = min([bar, *(point.validation for point in curve)])
        if schedule.keep_last or not best.weights or not error >= to_beat:
            best = Fitted(weights, steps.stop, ())
        curve.append(CurvePoint(steps.stop, loss, error))
        if checkpoint is not None:
            state = Checkpoint(best.weights, best.best_step, curve)
            network_weights.save_checkpoint(checkpoint, learner.model, learner.optimizer, state)
        has_ended = _has_ended(best, curve, schedule)
        report(curve[-1], weights, has_ended)
    return best._replace(curve=tuple(curve))


def _has_ended(best: Fitted, curve: list[CurvePoint], schedule: Schedule) -> bool:
    stale = sum(point.step > best.best_step for point in curve) >= schedule.patience
    return stale or (bool(curve) and curve[-1].step >= schedule.max_steps)


def _restore(learner: Learner, checkpoint: Path) -> tuple[Fitted, list[CurvePoint]]:
    state = network_weights.load_checkpoint(checkpoint, learner.model, learner.optimizer)
    points = [CurvePoint(int(step), loss, error) for step, loss, error in np.array(state.curve)]
    return Fitted(state.best, state.best_step, ()), points
