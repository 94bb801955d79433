"""Write text: a pure sampler, to which a network is only a function from symbols to logits."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from foreseq.errors import ConfigError
from foreseq.language.config import SamplingConfig

State = TypeVar("State")
Step = Callable[[NDArray[np.int32], State], tuple[NDArray[np.float32], State]]
"""Reads one symbol of each text, shape (batch,); gives logits (batch, symbols) and a new state."""

NOTHING = -1
"""Written for a text that is still reading its prompt, or is done."""


def write(
    step: Step[State], state: State, prompts: Sequence[NDArray[np.int32]], sampling: SamplingConfig
) -> Iterator[NDArray[np.int64]]:
    """Return one new symbol of each text at a time, shape (batch,), or `NOTHING`.

    Each step is one call for all texts: while one still reads its prompt, another may be writing.
    What is drawn for a text depends on its place in the list, not on the other texts.

    Args:
        step: The network.
        state: Of texts of which nothing has been read.
        prompts: Symbols to begin with, shape (characters,) each.
        sampling: How to draw, and how much.

    Raises:
        ConfigError: If a prompt is empty: nothing would tell the network how to go on.

    Example:
        >>> def next_but_one(symbols, state):  # certain that symbol n is followed by n + 2 of 5
        ...     return np.where(np.arange(5) == (symbols[:, None] + 2) % 5, 9.0, -9.0), state
        >>> greedy = SamplingConfig(temperature=0, length=4)
        >>> [int(new[0]) for new in write(next_but_one, None, [np.array([0])], greedy)]
        [2, 4, 1, 3]
    """
    if not prompts or not all(len(prompt) for prompt in prompts):
        raise ConfigError("a prompt is empty; begin with at least one character")
    return _write(step, state, prompts, sampling)


def collect(written: Iterator[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Return all that `write` yields, as one array a text."""
    table = np.stack(list(written), axis=1)  # (batch, steps)
    return [row[row != NOTHING] for row in table]


def likelihoods(logits: NDArray[np.floating], sampling: SamplingConfig) -> NDArray[np.float64]:
    """Return how likely each symbol is drawn, shape (batch, symbols).

    Example:
        >>> logits = np.log([[0.5, 0.3, 0.15, 0.05]])
        >>> likelihoods(logits, SamplingConfig(top_k=2)).round(3).tolist()
        [[0.625, 0.375, 0.0, 0.0]]
        >>> likelihoods(logits, SamplingConfig(top_p=0.75)).round(3).tolist()
        [[0.625, 0.375, 0.0, 0.0]]
    """
    shifted: NDArray[np.float64] = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    if sampling.temperature == 0:
        likely = np.zeros_like(shifted)
        np.put_along_axis(likely, shifted.argmax(axis=-1)[:, None], 1.0, axis=-1)
        return likely
    with np.errstate(over="ignore"):  # a temperature near zero: minus infinity is meant
        likely = np.exp(shifted / sampling.temperature)
    likely /= likely.sum(axis=-1, keepdims=True)
    order = np.argsort(-likely, axis=-1, kind="stable")
    ranked = np.take_along_axis(likely, order, axis=-1)
    kept = (np.cumsum(ranked, axis=-1) - ranked < sampling.top_p) | (sampling.top_p == 1)
    kept[:, sampling.top_k or kept.shape[1] :] = False
    np.put_along_axis(likely, order, np.where(kept, ranked, 0.0), axis=-1)
    return np.asarray(likely / likely.sum(axis=-1, keepdims=True))


def _draw(likely: NDArray[np.float64], chance: Sequence[float]) -> NDArray[np.int64]:
    """Return the symbol at which each text's chance, in [0, 1), falls."""
    reached = np.cumsum(likely, axis=-1)
    threshold = np.array(chance)[:, None] * reached[:, -1:]
    return np.asarray((reached > threshold).argmax(axis=-1))


def _write(
    step: Step[State], state: State, prompts: Sequence[NDArray[np.int32]], sampling: SamplingConfig
) -> Iterator[NDArray[np.int64]]:
    lengths = np.array([len(prompt) for prompt in prompts])
    chance = [np.random.default_rng([sampling.seed, place]) for place in range(len(prompts))]
    reading = np.zeros((len(prompts), int(lengths.max())), np.int32)
    for place, prompt in enumerate(prompts):
        reading[place, : len(prompt)] = prompt
    symbols = reading[:, 0]
    for at in range(1, int(lengths.max()) + sampling.length):
        logits, state = step(symbols, state)
        drawn = _draw(likelihoods(logits, sampling), [rng.random() for rng in chance])
        writing = (at >= lengths) & (at < lengths + sampling.length)
        if writing.any():
            yield np.where(writing, drawn, NOTHING)
        given = reading[:, min(at, reading.shape[1] - 1)]
        symbols = np.where(at >= lengths, drawn, given).astype(np.int32)
