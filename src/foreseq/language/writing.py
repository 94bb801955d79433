"""A language model that writes: prompts in, texts out."""

from collections.abc import Iterator, Sequence
from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray

from foreseq.language import network
from foreseq.language.config import SamplingConfig
from foreseq.language.sampling import collect, write
from foreseq.language.vocabulary import Vocabulary


def stream(
    model: keras.Model, vocabulary: Vocabulary, prompt: str, sampling: SamplingConfig
) -> Iterator[str]:
    """Return the characters that follow a prompt, one by one as they are written.

    Raises:
        ConfigError: If the prompt is empty.
        DataRefused: If it holds a character that the model does not know.
    """
    step, first = partial(network.step, model), network.blank(model, 1)
    written = write(step, first, [_encode(vocabulary, prompt)], sampling)
    return (vocabulary.symbols[symbols[0]] for symbols in written)


def complete(
    model: keras.Model, vocabulary: Vocabulary, prompts: Sequence[str], sampling: SamplingConfig
) -> list[str]:
    """Return what follows each prompt, all written side by side.

    Raises:
        ConfigError: If there is no prompt, or an empty one.
        DataRefused: If one holds a character that the model does not know.
    """
    step, first = partial(network.step, model), network.blank(model, len(prompts))
    encoded = [_encode(vocabulary, prompt) for prompt in prompts]
    written = collect(write(step, first, encoded, sampling))
    return [vocabulary.decode(symbols) for symbols in written]


def _encode(vocabulary: Vocabulary, prompt: str) -> NDArray[np.int32]:
    return vocabulary.encode(prompt, file=f"prompt {prompt[:20]!r}")
