"""Tasks that need a long memory and nothing else, to see what a cell can remember.

After Hochreiter and Schmidhuber (1997): in the adding task two numbers of a long sequence are
marked, and their sum is the target at its end; in the copy task some symbols are to be repeated
after a long wait.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from foreseq.config import Config, ResolvedCells
from foreseq.errors import ConfigError
from foreseq.network.cells import has_gpu, recurrent_stack

ADDING_BLIND = 1 / 6
"""Mean squared error of always predicting 1 in the adding task: twice the variance of U(0, 1)."""
COPIED, ALPHABET = 10, 8
"""Symbols to repeat in the copy task, and how many different ones there are."""

Shape = Literal["sequence to sequence", "sequence to one", "one to sequence", "one to one"]
"""What a recurrent network reads and writes."""


class ProbeConfig(Config):
    """A task and its training."""

    task: Literal["adding", "copy"] = "adding"
    """Sum two marked numbers, or repeat ten symbols."""
    length: PositiveInt = 50
    """Steps of a sequence (adding), or of the wait before the repetition (copy)."""
    steps: NonNegativeInt = 500
    """Training batches."""
    batch: PositiveInt = 64
    """Sequences in a batch."""
    learning_rate: PositiveFloat = 2e-3
    """RMSProp's rate."""
    clip: PositiveFloat | None = 1.0
    """Largest norm of the gradient of all weights; None: no clipping."""
    seed: NonNegativeInt = 1
    """Of weights and of sequences."""


class Examples(NamedTuple):
    """Sequences and their targets."""

    inputs: NDArray[np.float32]
    """Shape (batch, steps, features)."""
    targets: NDArray[np.float32]
    """Adding: shape (batch, 1). Copy: symbols, shape (batch, steps)."""


class Probed(NamedTuple):
    """A network trained on a task."""

    network: keras.Sequential
    losses: NDArray[np.float64]
    """Of each training batch, before the network learned from it."""


def adding(batch: int, length: int, rng: np.random.Generator) -> Examples:
    """Draw sequences of numbers, two of them marked, one in each half.

    Example:
        >>> inputs, targets = adding(5, 8, np.random.default_rng(1))
        >>> inputs.shape, inputs[..., 1].sum(axis=1).tolist()
        ((5, 8, 2), [2.0, 2.0, 2.0, 2.0, 2.0])
        >>> bool(np.allclose((inputs[..., 0] * inputs[..., 1]).sum(axis=1), targets[:, 0]))
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
        >>> inputs, targets = copy(2, 5, np.random.default_rng(1))
        >>> inputs.shape, targets.shape  # 10 symbols, 5 of waiting, 10 to repeat
        ((2, 25, 10), (2, 25))
        >>> bool((inputs[:, :10].argmax(axis=2) == targets[:, 15:]).all())
        True
    """
    symbols = rng.integers(1, ALPHABET + 1, (batch, COPIED))
    numbers = np.zeros((batch, 2 * COPIED + length), np.int64)
    numbers[:, :COPIED] = symbols
    numbers[:, COPIED + length - 1] = ALPHABET + 1
    targets = np.zeros_like(numbers)
    targets[:, -COPIED:] = symbols
    return Examples(np.eye(ALPHABET + 2, dtype=np.float32)[numbers], targets.astype(np.float32))


def examples(probe: ProbeConfig, number: int) -> Examples:
    """Return one batch of a task, a pure function of the seed and its number."""
    draw: Callable[..., Examples] = adding if probe.task == "adding" else copy
    return draw(probe.batch, probe.length, np.random.default_rng([probe.seed, number]))


def sequence_network(
    cells: ResolvedCells, *, shape: Shape, outputs: int, steps: int, seed: int
) -> keras.Sequential:
    """Build a small network of one of the three shapes that a recurrence can have.

    Args:
        cells: The recurrent stack.
        shape: What is read and written. A sequence is (batch, steps, features or outputs); a single
            input, (batch, features), is repeated at every step; a single output, (batch, outputs),
            comes after the last step.
        outputs: Numbers predicted at a time.
        steps: Steps of the sequence that is read or written.
        seed: Of initial weights and dropout.

    Raises:
        ConfigError: If the shape is one to one.
    """
    if shape == "one to one":
        raise ConfigError(
            "one in, one out has no second step, so nothing could recur;"
            " use dense layers, or read or write a sequence"
        )
    return keras.Sequential(
        [
            *([keras.layers.RepeatVector(steps)] if shape == "one to sequence" else []),
            recurrent_stack(cells, every_step=shape != "sequence to one", seed=seed),
            keras.layers.Dense(
                outputs, kernel_initializer=keras.initializers.GlorotUniform(seed=seed + 99)
            ),
        ]
    )


def build(cells: ResolvedCells, probe: ProbeConfig) -> keras.Sequential:
    """Build the untrained network for a task."""
    inputs = examples(probe, 0).inputs
    shape: Shape = "sequence to one" if probe.task == "adding" else "sequence to sequence"
    outputs = 1 if probe.task == "adding" else ALPHABET + 1
    network = sequence_network(
        cells, shape=shape, outputs=outputs, steps=inputs.shape[1], seed=probe.seed
    )
    network.build((None, *inputs.shape[1:]))
    return network


def train(cells: ResolvedCells, probe: ProbeConfig) -> Probed:
    """Train a network on a task; every batch is new."""
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
    """Return the loss in nats of knowing when to repeat in the copy task, but not what."""
    return COPIED * float(np.log(ALPHABET)) / (length + 2 * COPIED)
