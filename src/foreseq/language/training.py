"""Train a language model by truncated backpropagation.

Gradients reach back one chunk, states further. The chunks of an epoch are a pure function of its
number, so a stopped training resumes from the last complete epoch and ends with the same weights.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from foreseq.language import network, score
from foreseq.language.config import TextExperimentConfig
from foreseq.language.corpus import Parts
from foreseq.language.streams import Chunk, Streams
from foreseq.network import memory
from foreseq.network.cells import has_gpu
from foreseq.training import loop, network_weights, optimizer
from foreseq.training.loop import CurvePoint, Schedule
from foreseq.training.network_weights import Weights

REPORTS = 20
"""Progress reports within an epoch."""


class Progress(NamedTuple):
    """Progress within an epoch."""

    epoch: int
    """Current epoch, from 1."""
    epochs: int
    done: float
    """Share of the epoch."""
    nats: float
    """Nats per character of the newest chunks."""


class Listener(NamedTuple):
    """Callbacks of a training."""

    validated: Callable[[CurvePoint, keras.Model | None], None] = lambda _point, _model: None
    """Called after each epoch with nats per character and the network with averaged weights (None
    for epochs from the checkpoint)."""
    progressed: Callable[[Progress], None] = lambda _: None
    """Called up to `REPORTS` times within an epoch."""


SILENT = Listener()


class FittedModel(NamedTuple):
    """A trained language model."""

    model: keras.Model
    """With its best weights."""
    best_epoch: int
    curve: tuple[CurvePoint, ...]
    """Nats per character after each epoch; a step is an epoch."""


def build(experiment: TextExperimentConfig, symbols: int) -> keras.Model:
    """Build the untrained network of an experiment, for a vocabulary of so many symbols.

    Raises:
        ConfigError: If this machine has too little memory for it.
    """
    cells, embedding = experiment.network.cells, experiment.network.embedding
    memory.require(
        memory.weights(cells, embedding) + symbols * (embedding + cells.units[-1]),
        "the network",
        "network.cells.units or network.embedding",
    )
    return network.language_model(
        experiment.network, symbols=symbols, seed=1000 * experiment.training.seed
    )


def fit(
    parts: Parts,
    symbols: int,
    experiment: TextExperimentConfig,
    *,
    checkpoint: Path | None = None,
    listener: Listener = SILENT,
) -> FittedModel:
    """Fit a language model for a vocabulary of so many symbols.

    Training resumes from the checkpoint file, which is written after each epoch. The test part is
    not read.

    Raises:
        DataRefused: If the training part does not fill a chunk.
    """
    learner = Learner(parts, symbols, experiment, listener.progressed)
    training = experiment.training

    def report(point: CurvePoint, weights: Weights | None, _ended: bool) -> None:
        if weights is None:
            listener.validated(point, None)
            return
        with learner.holding(weights):
            listener.validated(point, learner.text_model)

    schedule = Schedule(max_steps=training.epochs, every=1, patience=training.patience)
    fitted = loop.run(learner, schedule, checkpoint=checkpoint, report=report)
    network_weights.set_weights(learner.text_model, fitted.weights)
    return FittedModel(learner.text_model, fitted.best_step, fitted.curve)


class Learner:
    """A compiled network and its chunks; a step of the training loop is an epoch."""

    def __init__(
        self,
        parts: Parts,
        symbols: int,
        experiment: TextExperimentConfig,
        progressed: Callable[[Progress], None] = SILENT.progressed,
    ) -> None:
        self.parts, self.training, self.progressed = parts, experiment.training, progressed
        training, cells = self.training, experiment.network.cells
        read = training.streams * training.chunk
        memory.require(
            memory.training(cells, rows=training.streams, steps=training.chunk)
            + 2 * read * symbols,
            "a step of training",
            "training.streams, training.chunk or network.cells.units",
        )
        self.text_model = build(experiment, symbols)
        self.model = network.carried_model(
            self.text_model, streams=training.streams, chunk=training.chunk
        )
        self.optimizer, schedule = optimizer.build(training)
        self.model.compile(
            self.optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=training.jit and not has_gpu(),
        )
        self.optimizer.build(self.model.trainable_variables)
        schedule.start(training.learning_rate, training.epochs * self.streams(0).steps)

    def streams(self, epoch: int) -> Streams:
        """Return the chunks of an epoch; each epoch cuts the text at other places."""
        training = self.training
        shift = np.random.default_rng([training.seed, epoch]).integers(training.chunk)
        return Streams(
            self.parts.train, chunk=training.chunk, streams=training.streams, shift=int(shift)
        )

    def learn(self, steps: range) -> float:
        """Train for some epochs; return the mean nats per character."""
        return float(np.mean([self._epoch(epoch) for epoch in steps]))

    def validate(self, weights: Weights) -> float:
        """Return nats per character of the validation part."""
        with self.holding(weights):
            streams = self.training.streams
            return score.estimate(
                self.text_model, self.parts.validation, streams=streams
            ).nats_per_character

    @contextmanager
    def holding(self, weights: Weights) -> Iterator[None]:
        """Set other weights within a `with` block."""
        latest = network_weights.get_weights(self.text_model)
        network_weights.set_weights(self.text_model, weights)
        try:
            yield
        finally:
            network_weights.set_weights(self.text_model, latest)

    def step(self, chunk: Chunk) -> float:
        """Train on one chunk; return its mean nats per character."""
        share = max(float(chunk.weight.mean()), 1 / chunk.weight.size)
        loss = self.model.train_on_batch(
            [chunk.symbols, chunk.fresh], chunk.following, chunk.weight / share
        )
        return float(loss)

    def _epoch(self, epoch: int) -> float:
        streams = self.streams(epoch)
        every = max(1, streams.steps // REPORTS)
        nats, characters = [], []
        for number in range(streams.steps):
            chunk = streams.chunk(number)
            nats.append(self.step(chunk))
            characters.append(float(chunk.weight.sum()))
            if (number + 1) % every == 0:
                done = (number + 1) / streams.steps
                newest = float(np.mean(nats[-every:]))
                self.progressed(Progress(epoch + 1, self.training.epochs, done, newest))
        return float(np.average(nats, weights=characters))
