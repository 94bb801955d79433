"""Learn from text by truncated backpropagation: gradients reach back a chunk, states further.

The chunks of an epoch are a pure function of its number, so a run that was stopped goes on from the
last whole epoch and ends with the very weights of an undisturbed one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from foreseq.language import network, score
from foreseq.language.config import TextExperimentConfig, TextTrainingConfig
from foreseq.language.corpus import Parts
from foreseq.language.streams import Chunk, Streams
from foreseq.network.cells import has_gpu
from foreseq.training import network_weights
from foreseq.training.network_weights import Weights

TOLD = 20
"""Times an epoch tells how far it is."""


class Look(NamedTuple):
    """How training goes, after one epoch."""

    epoch: int
    """Readings of the text so far."""
    training: float
    """Mean nats per character while it learned."""
    validation: float
    """Nats per character of the validation part."""


class Progress(NamedTuple):
    """Where training is within an epoch."""

    epoch: int
    """The one under way, from 1."""
    epochs: int
    done: float
    """Share of it."""
    nats: float
    """Of the newest chunks."""


class Listener(NamedTuple):
    """Who is told how training goes."""

    looked: Callable[[Look, keras.Model], None] = lambda _look, _model: None
    """Called after each epoch, with the network as it would write now."""
    progressed: Callable[[Progress], None] = lambda _: None
    """Called some times within an epoch."""


SILENCE = Listener()


class Fitted(NamedTuple):
    """A trained language model."""

    model: keras.Model
    """With its best weights."""
    best_epoch: int
    looks: tuple[Look, ...]


def build(experiment: TextExperimentConfig, symbols: int) -> keras.Model:
    """Build the untrained network of an experiment for an alphabet of so many symbols."""
    return network.language_model(
        experiment.network, symbols=symbols, seed=1000 * experiment.training.seed
    )


def fit(
    parts: Parts,
    symbols: int,
    experiment: TextExperimentConfig,
    *,
    checkpoint: Path | None = None,
    listener: Listener = SILENCE,
) -> Fitted:
    """Fit a language model.

    Args:
        parts: What to learn from, and what stops it; the test part is not touched.
        symbols: Size of the alphabet.
        experiment: The network, and how it learns.
        checkpoint: File for the state after each epoch. What is found there is taken up again.
        listener: Told how it goes.

    Raises:
        DataRefused: If the training part does not fill a chunk.
    """
    learner = Learner(parts, symbols, experiment)
    training = experiment.training
    best: Weights = []
    looks: list[Look] = []
    if checkpoint is not None and checkpoint.exists():
        best, looks = _restore(learner, checkpoint)
    while len(looks) < training.epochs and not _is_stale(looks, training.patience):
        loss = learner.epoch(len(looks), listener.progressed)
        latest = learner.average()
        validation = score.estimate(learner.model, parts.validation, streams=training.streams)
        looks.append(Look(len(looks) + 1, loss, validation.nats_per_character))
        listener.looked(looks[-1], learner.model)
        if _best(looks) == len(looks):
            best = network_weights.of(learner.model)
        network_weights.assign(learner.model, latest)
        if checkpoint is not None:
            _keep(learner, checkpoint, best, looks)
    network_weights.assign(learner.model, best)
    return Fitted(learner.model, _best(looks), tuple(looks))


def optimizer(training: TextTrainingConfig, steps: int) -> keras.optimizers.Optimizer:
    """Build what turns gradients into `steps` steps."""
    kinds = {
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
        "nadam": keras.optimizers.Nadam,
    }
    limits = {"global_norm": "global_clipnorm", "norm": "clipnorm", "value": "clipvalue"}
    return kinds[training.optimizer](
        keras.optimizers.schedules.CosineDecay(training.learning_rate, steps, alpha=0.01),
        weight_decay=training.weight_decay or None,
        use_ema=training.ema > 0,
        ema_momentum=training.ema or 0.99,
        **{limits[training.clip_by]: training.clip},
    )


class Learner:
    """A compiled network and its chunks."""

    def __init__(self, parts: Parts, symbols: int, experiment: TextExperimentConfig) -> None:
        self.parts, self.training = parts, experiment.training
        self.model = build(experiment, symbols)
        training = self.training
        self.carried = network.carried_model(
            self.model, streams=training.streams, chunk=training.chunk
        )
        self.optimizer = optimizer(training, training.epochs * self.streams(0).steps)
        self.carried.compile(
            self.optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=training.jit and not has_gpu(),
        )
        self.optimizer.build(self.carried.trainable_variables)

    def streams(self, epoch: int) -> Streams:
        """Cut the training part; each epoch cuts it at other places."""
        training = self.training
        shift = np.random.default_rng([training.seed, epoch]).integers(training.chunk)
        return Streams(
            self.parts.train, chunk=training.chunk, streams=training.streams, shift=int(shift)
        )

    def epoch(self, epoch: int, report: Callable[[Progress], None]) -> float:
        """Read the training part once; return the mean nats per character."""
        streams = self.streams(epoch)
        every = max(1, streams.steps // TOLD)
        nats, characters = [], []
        for number in range(streams.steps):
            chunk = streams.chunk(number)
            nats.append(self.step(chunk))
            characters.append(float(chunk.weight.sum()))
            if (number + 1) % every == 0:
                done = (number + 1) / streams.steps
                newest = float(np.mean(nats[-every:]))
                report(Progress(epoch + 1, self.training.epochs, done, newest))
        return float(np.average(nats, weights=characters))

    def step(self, chunk: Chunk) -> float:
        """Learn from one chunk; return its mean nats per character."""
        share = max(float(chunk.weight.mean()), 1 / chunk.weight.size)
        loss = self.carried.train_on_batch(
            [chunk.symbols, chunk.fresh], chunk.following, chunk.weight / share
        )
        return float(loss)

    def average(self) -> Weights:
        """Give the network its averaged weights; return those it trains on with."""
        latest = network_weights.of(self.model)
        self.optimizer.finalize_variable_values(self.carried.trainable_variables)
        return latest


def _best(looks: list[Look]) -> int:
    """Return the epoch after which the validation part surprised least."""
    return min(looks, key=lambda look: look.validation).epoch


def _is_stale(looks: list[Look], patience: int) -> bool:
    return bool(looks) and len(looks) - _best(looks) >= patience


def _keep(learner: Learner, checkpoint: Path, best: Weights, looks: list[Look]) -> None:
    network_weights.keep(checkpoint, learner.carried, learner.optimizer, best, {"looks": looks})


def _restore(learner: Learner, checkpoint: Path) -> tuple[Weights, list[Look]]:
    best, told = network_weights.restore(checkpoint, learner.carried, learner.optimizer)
    return best, [Look(int(epoch), *rest) for epoch, *rest in told["looks"].tolist()]
