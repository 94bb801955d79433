"""Tasks that need a long memory and nothing else, to see what a cell can remember.

After Hochreiter and Schmidhuber (1997): in the adding task two numbers of a long sequence are
marked and their sum is asked for at its end; in the copy task some symbols are to be repeated after
a long wait.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from foreseq.config import Config, ResolvedCells
from foreseq.network.cells import Shape, has_gpu, sequence_network

ADDING_BLIND = 1 / 6
"""Mean squared error of who always answers 1 in the adding task: twice the variance of U(0, 1)."""
COPIED, ALPHABET = 10, 8
"""Symbols to repeat in the copy task, and how many different ones there are."""


class ProbeConfig(Config):
    """How long the memory must be, and how it is trained."""

    task: Literal["adding", "copy"] = "adding"
    """Sum two marked numbers, or repeat ten symbols."""
    length: PositiveInt = 50
    """Steps of a sequence (adding), or of the wait before the repetition (copy)."""
    steps: NonNegativeInt = 500
    """Batches to learn from."""
    batch: PositiveInt = 64
    """Sequences in a batch."""
    learning_rate: PositiveFloat = 2e-3
    """RMSProp's rate."""
    clip: PositiveFloat | None = 1.0
    """Longest gradient, all weights taken together; None: gradients stay as they are."""
    seed: NonNegativeInt = 1
    """Of weights and of sequences."""


class Examples(NamedTuple):
    """Sequences and their answers."""

    read: NDArray[np.float32]
    """Shape (batch, steps, features)."""
    answers: NDArray[np.float32]
    """Adding: shape (batch, 1). Copy: symbols, shape (batch, steps)."""


class Probed(NamedTuple):
    """A network trained on a task."""

    network: keras.Sequential
    losses: NDArray[np.float64]
    """Of each training batch, which is at the same time the first look at fresh sequences."""


def adding(batch: int, length: int, rng: np.random.Generator) -> Examples:
    """Draw sequences of numbers, two of them marked, one in each half.

    Example:
        >>> read, answers = adding(5, 8, np.random.default_rng(1))
        >>> read.shape, read[..., 1].sum(axis=1).tolist()
        ((5, 8, 2), [2.0, 2.0, 2.0, 2.0, 2.0])
        >>> bool(np.allclose((read[..., 0] * read[..., 1]).sum(axis=1), answers[:, 0]))
        True
    """
    numbers = rng.random((batch, length), dtype=np.float32)
    marks = np.zeros((batch, length), np.float32)
    half = length // 2
    rows = np.arange(batch)
    marks[rows, rng.integers(0, half, batch)] = 1
    marks[rows, rng.integers(half, length, batch)] = 1
    return Examples(
        np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1, keepdims=True)
    )


def copy(batch: int, length: int, rng: np.random.Generator) -> Examples:
    """Draw symbols, a wait of `length` steps, a signal, and room to repeat the symbols.

    Symbols are one-hot: blank first, the signal last.

    Example:
        >>> read, answers = copy(2, 5, np.random.default_rng(1))
        >>> read.shape, answers.shape  # 10 symbols, 5 of waiting, 10 to repeat
        ((2, 25, 10), (2, 25))
        >>> bool((read[:, :10].argmax(axis=2) == answers[:, 15:]).all())
        True
    """
    symbols = rng.integers(1, ALPHABET + 1, (batch, COPIED))
    numbers = np.zeros((batch, 2 * COPIED + length), np.int64)
    numbers[:, :COPIED] = symbols
    numbers[:, COPIED + length - 1] = ALPHABET + 1
    answers = np.zeros_like(numbers)
    answers[:, -COPIED:] = symbols
    return Examples(np.eye(ALPHABET + 2, dtype=np.float32)[numbers], answers.astype(np.float32))


def examples(probe: ProbeConfig, number: int) -> Examples:
    """Return one batch of a task, a pure function of the seed and its number."""
    draw: Callable[..., Examples] = adding if probe.task == "adding" else copy
    return draw(probe.batch, probe.length, np.random.default_rng([probe.seed, number]))


def build(cells: ResolvedCells, probe: ProbeConfig) -> keras.Sequential:
    """Build the untrained network for a task."""
    read = examples(probe, 0).read
    shape: Shape = "sequence to one" if probe.task == "adding" else "sequence to sequence"
    outputs = 1 if probe.task == "adding" else ALPHABET + 1
    network = sequence_network(
        cells, shape=shape, outputs=outputs, steps=read.shape[1], seed=probe.seed
    )
    network.build((None, *read.shape[1:]))
    return network


def train(cells: ResolvedCells, probe: ProbeConfig) -> Probed:
    """Train a network on a task; every batch is fresh, so it cannot learn by heart."""
    network = build(cells, probe)
    loss = (
        keras.losses.MeanSquaredError()
        if probe.task == "adding"
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    network.compile(
        keras.optimizers.RMSprop(probe.learning_rate, global_clipnorm=probe.clip),
        loss=loss,
        jit_compile=not has_gpu(),
    )
    losses = [
        float(network.train_on_batch(*examples(probe, number))) for number in range(probe.steps)
    ]
    return Probed(network, np.array(losses))


def copy_blind(length: int) -> float:
    """Return the loss in nats of who knows when to repeat, but not what."""
    return COPIED * float(np.log(ALPHABET)) / (length + 2 * COPIED)
