"""Fit the members of an ensemble, one after the other, on one compiled network."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq import metrics
from foreseq.config import ResolvedExperiment
from foreseq.network import output_domain, outputs
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows
from foreseq.training import batches, loop, losses, model_cache, network_weights
from foreseq.training.batches import BatchSampler, SeriesPool
from foreseq.training.loop import CurvePoint, Fitted, Schedule
from foreseq.training.model_cache import CompiledModel
from foreseq.training.network_weights import Weights

NAIVE_SAMPLE = 2048
"""Training windows that the errors of the seasonal naive are measured on."""
REFIT_SHARE = 1 / 3
"""Share of learning rate and steps of a refit (peers.py)."""
TIMED_STEPS = 15
"""Training steps that the pace is measured on."""
MOSTLY_SYNTHETIC = 0.5
"""Share of synthetic series from which training never stops early: these are hardly memorised, and
a few validation windows would stop it by chance (competitions.py)."""
MOST_VALIDATED = 4096
"""Most validation windows: more cost time and decide nothing."""


class Task(NamedTuple):
    """Training data and length."""

    panel: Panel
    ends: NDArray[np.int64]
    """Steps of each series that may be used, shape (n_series,)."""
    validation: Windows | None
    """Windows for early stopping; None: the last weights are kept."""
    steps: int
    """Most training steps."""
    start: tuple[Weights, ...] = ()
    """Weights of each member to go on from, at a third of the rate; empty: from scratch."""


class Pace(NamedTuple):
    """How fast training is on this machine, in seconds."""

    start: float
    """Until the first step is done: synthetic series are generated, the step is compiled."""
    again: float
    """The same of the next training, which reuses the compiled network."""
    step: float
    """Each further step."""


class Progress(NamedTuple):
    """Progress of a training."""

    member: int
    members: int
    steps: int
    point: CurvePoint
    ended: bool
    """Whether this was the member's last validation."""


def fit(
    task: Task,
    experiment: ResolvedExperiment,
    *,
    members: Sequence[int] | None = None,
    checkpoint: Path | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> list[Fitted]:
    """Fit the members of the ensemble, one after the other.

    Args:
        task: Training data and length.
        experiment: Its network and training.
        members: Positions in the ensemble; None: all.
        checkpoint: Folder for the state after each validation, from which training resumes.
        report: Called after each validation.

    Raises:
        SeriesTooShort: If no series holds a training window.
    """
    positions = range(experiment.training.members) if members is None else members
    if not task.steps and task.start:
        return [Fitted(task.start[member], 0, ()) for member in positions]
    pools, fitted = _pools(task, experiment), dict[int, Fitted]()
    kinds = [model_cache.of_member(experiment, member) for member in positions]
    for kind in dict.fromkeys(kinds):  # one after the other, so that each is compiled once
        with _learner(task, kind, pools) as learner:
            for member in (one for one, its in zip(positions, kinds, strict=True) if its == kind):
                file = checkpoint and checkpoint / f"member-{member}.npz"
                fitted[member] = _fit_member(learner, member, file, report)
    return [fitted[member] for member in positions]


def pace(task: Task, experiment: ResolvedExperiment) -> Pace:
    """Measure how fast training is on this machine."""
    begin = time.perf_counter()
    pools = _pools(task, experiment)
    again = time.perf_counter() - begin
    with _learner(task, model_cache.of_member(experiment, 0), pools) as learner:
        learner.start(0)
        learner.learn(range(1))
        start, seconds = time.perf_counter() - begin, []
        for step in range(1, 1 + TIMED_STEPS):
            begin = time.perf_counter()
            learner.learn(range(step, step + 1))
            seconds.append(time.perf_counter() - begin)
    return Pace(start, again, float(np.median(seconds)))


class _Learner:
    """A compiled network and its batches, used by one member after the other."""

    def __init__(
        self,
        task: Task,
        experiment: ResolvedExperiment,
        pools: tuple[SeriesPool, ...],
        compiled: CompiledModel,
    ) -> None:
        self.task, self.experiment, self.pools = task, experiment, pools
        self.compiled, self.model = compiled, compiled.model
        self.optimizer = compiled.optimizer

    def start(self, member: int) -> None:
        """Set the first weights of a member, and where its batches come from."""
        training, task = self.experiment.training, self.task
        rate = training.learning_rate * (REFIT_SHARE if task.start else 1.0)
        self.compiled.reset(member, rate, task.steps)
        if task.start:
            network_weights.set_weights(self.model, list(task.start[member]))
        self.sample = BatchSampler(self.pools, self.experiment, training.seed * 1000 + member)

    def learn(self, steps: range) -> float:
        """Take some training steps; return their mean loss."""
        losses = [self.model.train_on_batch(*self.sample(step, self.model)) for step in steps]
        return float(np.mean(losses))

    def validate(self, weights: Weights) -> float:
        """Return the mean over series of MASE on the validation windows; NaN without them."""
        if self.task.validation is None:
            return float("nan")
        panel, network = self.task.panel, self.experiment.network
        chosen = _thin(self.task.validation)
        raw = model_cache.forecast(self.experiment, weights, panel, chosen)
        forecasts = output_domain.keep(network, panel, chosen, raw)
        median = outputs.median_output(forecasts, network.quantiles)
        actual = windows.futures(panel, chosen, self.experiment.dataset.horizon)
        score = metrics.score(actual, median, chosen.series, self.pools[0].seasonal_error)
        # constant series have no MASE: of these alone, errors count as they are
        return score.mase if np.isfinite(score.mase) else score.mae


def _pools(task: Task, experiment: ResolvedExperiment) -> tuple[SeriesPool, ...]:
    return batches.pools(task.panel, task.ends, task.steps, experiment)


@contextmanager
def _learner(
    task: Task, experiment: ResolvedExperiment, pools: tuple[SeriesPool, ...]
) -> Iterator[_Learner]:
    with model_cache.borrow(experiment, _naive_errors(pools[0], experiment)) as compiled:
        yield _Learner(task, experiment, pools, compiled)


def _naive_errors(real: SeriesPool, experiment: ResolvedExperiment) -> losses.NaiveErrors:
    """Return the units of the loss, if it has any."""
    if experiment.training.loss != "owa":
        return losses.NO_UNITS
    horizon = experiment.dataset.horizon
    sample = windows.WindowSampler(real.ends, horizon, experiment.training.seed)
    return losses.naive_errors(real.panel, sample(0, NAIVE_SAMPLE), horizon, real.weight)


def _fit_member(
    learner: _Learner, member: int, checkpoint: Path | None, report: Callable[[Progress], None]
) -> Fitted:
    learner.start(member)
    steps, training = learner.task.steps, learner.experiment.training
    keep_last = training.synthetic >= MOSTLY_SYNTHETIC
    schedule = Schedule(
        max_steps=steps,
        every=max(1, steps // training.validations),
        patience=training.patience,
        # untrained quantiles all are the median, which is no forecast to keep
        first_may_win=not keep_last
        and (bool(learner.task.start) or not learner.experiment.network.quantiles),
        keep_last=keep_last,
    )
    return loop.run(
        learner,
        schedule,
        checkpoint=checkpoint,
        report=lambda point, _, ended: report(
            Progress(member, training.members, steps, point, ended)
        ),
    )


def _thin(chosen: Windows) -> Windows:
    """Return at most `MOST_VALIDATED` windows, evenly taken."""
    return chosen.take(slice(None, None, -(-chosen.count // MOST_VALIDATED)))
