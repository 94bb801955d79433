"""Write text with a language model: prompts in, texts out.

`write` is a pure sampler, to which a network is only a function from symbols to logits.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import keras
import numpy as np
from numpy.typing import NDArray

from foreseq.errors import ConfigError
from foreseq.language import network
from foreseq.language.config import SamplingConfig
from foreseq.language.corpus import Vocabulary

State = TypeVar("State")
Step = Callable[[NDArray[np.int32], State], tuple[NDArray[np.float32], State]]
"""From one symbol of each text, shape (batch,), to logits (batch, symbols) and a new state."""

NOTHING = -1
"""Written for a text whose prompt is still being read, or that is complete."""


def stream_text(
    model: keras.Model, vocabulary: Vocabulary, prompt: str, sampling: SamplingConfig
) -> Iterator[str]:
    """Return the characters that follow a prompt, one by one as they are written.

    Raises:
        ConfigError: If the prompt is empty.
        DataRefused: If it holds a character that the model does not know.
    """
    written = _write_with(model, vocabulary, [prompt], sampling)
    return (vocabulary.symbols[symbols[0]] for symbols in written)


def complete(
    model: keras.Model, vocabulary: Vocabulary, prompts: Sequence[str], sampling: SamplingConfig
) -> list[str]:
    """Return what follows each prompt, all written at the same time.

    Raises:
        ConfigError: If there is no prompt, or an empty one.
        DataRefused: If one holds a character that the model does not know.
    """
    written = collect(_write_with(model, vocabulary, prompts, sampling))
    return [vocabulary.decode(symbols) for symbols in written]


def write(
    step: Step[State], state: State, prompts: Sequence[NDArray[np.int32]], sampling: SamplingConfig
) -> Iterator[NDArray[np.int64]]:
    """Return one new symbol of each text at a time, shape (batch,), or `NOTHING`.

    All texts share the calls of the network. What is drawn for a text depends on its place in the
    list, not on the other texts.

    Args:
        step: The network.
        state: Of texts of which nothing has been read.
        prompts: Symbols to begin with, shape (characters,) each.
        sampling: How to draw, and how much.

    Raises:
        ConfigError: If a prompt is empty.

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


def probabilities(logits: NDArray[np.floating], sampling: SamplingConfig) -> NDArray[np.float64]:
    """Return the probability with which each symbol is drawn, shape (batch, symbols).

    Example:
        >>> logits = np.log([[0.5, 0.3, 0.15, 0.05]])
        >>> probabilities(logits, SamplingConfig(top_k=2)).round(3).tolist()
        [[0.625, 0.375, 0.0, 0.0]]
        >>> probabilities(logits, SamplingConfig(top_p=0.75)).round(3).tolist()
        [[0.625, 0.375, 0.0, 0.0]]
    """
    shifted: NDArray[np.float64] = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    if sampling.temperature == 0:
        result = np.zeros_like(shifted)
        np.put_along_axis(result, shifted.argmax(axis=-1)[:, None], 1.0, axis=-1)
        return result
    with np.errstate(over="ignore"):  # a temperature near zero gives minus infinity, as it should
        result = np.exp(shifted / sampling.temperature)
    result /= result.sum(axis=-1, keepdims=True)
    order = np.argsort(-result, axis=-1, kind="stable")
    ranked = np.take_along_axis(result, order, axis=-1)
    kept = (np.cumsum(ranked, axis=-1) - ranked < sampling.top_p) | (sampling.top_p == 1)
    kept[:, sampling.top_k or kept.shape[1] :] = False
    np.put_along_axis(result, order, np.where(kept, ranked, 0.0), axis=-1)
    return np.asarray(result / result.sum(axis=-1, keepdims=True))


def _write_with(
    model: keras.Model, vocabulary: Vocabulary, prompts: Sequence[str], sampling: SamplingConfig
) -> Iterator[NDArray[np.int64]]:
    encoded = [vocabulary.encode(prompt, file=f"prompt {prompt[:20]!r}") for prompt in prompts]
    state = network.zero_state(model, len(prompts))
    return write(partial(network.step, model), state, encoded, sampling)


def _draw(likely: NDArray[np.float64], uniform: Sequence[float]) -> NDArray[np.int64]:
    """Return the symbol of each text at which its number, in [0, 1), falls."""
    reached = np.cumsum(likely, axis=-1)
    threshold = np.array(uniform)[:, None] * reached[:, -1:]
    return np.asarray((reached > threshold).argmax(axis=-1))


def _write(
    step: Step[State], state: State, prompts: Sequence[NDArray[np.int32]], sampling: SamplingConfig
) -> Iterator[NDArray[np.int64]]:
    lengths = np.array([len(prompt) for prompt in prompts])
    rngs = [np.random.default_rng([sampling.seed, n]) for n in range(len(prompts))]
    padded = np.zeros((len(prompts), int(lengths.max())), np.int32)
    for n, prompt in enumerate(prompts):
        padded[n, : len(prompt)] = prompt
    symbols = padded[:, 0]
    for at in range(1, int(lengths.max()) + sampling.length):
        logits, state = step(symbols, state)
        drawn = _draw(probabilities(logits, sampling), [rng.random() for rng in rngs])
        writing = (at >= lengths) & (at < lengths + sampling.length)
        if writing.any():
            yield np.where(writing, drawn, NOTHING)
        given = padded[:, min(at, padded.shape[1] - 1)]
        symbols = np.where(at >= lengths, drawn, given).astype(np.int32)
