"""Cross-entropy of a language model on a text."""

import math
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from foreseq.language import network
from foreseq.language.corpus import Passage
from foreseq.language.streams import Streams

CHUNK = 256
"""Characters read at a time."""


class Score(NamedTuple):
    """The score of a text.

    Example:
        >>> score = Score(predicted=10, nats=6.931472, documents=1, symbols=8)
        >>> round(score.bits_per_character, 6), round(score.perplexity, 6)
        (1.0, 2.0)
    """

    predicted: int
    """Characters, without the first of each document."""
    nats: float
    """Negative log-likelihood of these, summed."""
    documents: int
    symbols: int
    """Size of the vocabulary."""

    @property
    def nats_per_character(self) -> float:
        """Mean negative log-likelihood of the predicted characters."""
        return self.nats / self.predicted

    @property
    def bits_per_character(self) -> float:
        """The same in bits."""
        return self.nats_per_character / math.log(2)

    @property
    def perplexity(self) -> float:
        """Number of equally probable characters with the same mean."""
        return math.exp(self.nats_per_character)

    @property
    def total_nats(self) -> float:
        """Negative log-likelihood of the whole text; first characters are equally probable."""
        return self.nats + self.documents * math.log(self.symbols)


def score(model: keras.Model, passage: Passage) -> Score:
    """Score a text exactly: each character given all before it in its document."""
    return _score(model, passage, streams=1, before=0)


def estimate(model: keras.Model, passage: Passage, *, streams: int) -> Score:
    """Score a text faster, in parallel streams that begin with `CHUNK` characters of context."""
    return _score(model, passage, streams=streams, before=1)


def cross_entropy(logits: NDArray[np.float32], symbols: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the cross-entropy in nats of logits (..., symbols) and true symbols (...)."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, symbols[..., None], axis=-1)[..., 0]
    return np.asarray(np.log(np.exp(shifted).sum(axis=-1)) - chosen)


def _score(model: keras.Model, passage: Passage, *, streams: int, before: int) -> Score:
    chunk = min(CHUNK, passage.length - 1)
    reading = Streams(passage, chunk=chunk, streams=streams, before=before)
    state = network.zero_state(model, streams)
    nats = 0.0
    for number in range(reading.steps):
        part = reading.chunk(number)
        state = [kept * (1 - part.fresh) for kept in state]
        logits, state = network.read(model, part.symbols, state)
        nats += float((cross_entropy(logits, part.following) * part.weight).sum())
    return Score(
        predicted=passage.length - len(passage.starts),
        nats=nats,
        documents=len(passage.starts),
        symbols=model.outputs[0].shape[-1],
    )
