"""The network that predicts the next character.

Why states are arguments and results: training, validation and any number of texts that are written
at the same time cannot disturb one another.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from foreseq.language.config import LanguageConfig
from foreseq.network.cells import recurrent_stack, state_widths

State = list[NDArray[np.float32]]
"""Recurrent states, shape (batch, width) each."""


def language_model(config: LanguageConfig, *, symbols: int, seed: int) -> keras.Model:
    """Build the network, for a vocabulary of so many symbols.

    It maps the list of symbols (batch, time) and first states, (batch, width) each, to the list of
    logits of the symbols that follow (batch, time, symbols) and last states.
    """
    glorot = keras.initializers.GlorotUniform
    read = keras.Input((None,), dtype="int32", name="symbols")
    first = [keras.Input((width,)) for width in state_widths(config.cells)]
    embedded = keras.layers.Embedding(
        symbols,
        config.embedding,
        embeddings_initializer=keras.initializers.RandomUniform(-0.05, 0.05, seed=seed + 50),
        name="embedding",
    )(read)
    stack = recurrent_stack(config.cells, every_step=True, seed=seed, carry=True)
    states, last = stack(embedded, first)
    once = (None, 1, None)  # a mask for each character would cost more than the recurrence
    states = keras.layers.Dropout(config.dropout, noise_shape=once, seed=seed + 51)(states)
    logits = keras.layers.Dense(
        symbols, kernel_initializer=glorot(seed=seed + 52), name="following"
    )(states)
    return keras.Model([read, *first], [logits, *last], name="language_model")


def zero_state(model: keras.Model, batch: int) -> State:
    """Return the states of texts of which nothing has been read."""
    return [np.zeros((batch, given.shape[-1]), np.float32) for given in model.inputs[1:]]


def read(
    model: keras.Model, symbols: NDArray[np.int32], state: State
) -> tuple[NDArray[np.float32], State]:
    """Read symbols (batch, time); return logits (batch, time, symbols) and the new states."""
    logits, *last = model.predict_on_batch([symbols, *state])
    return logits, last


def step(
    model: keras.Model, symbols: NDArray[np.int32], state: State
) -> tuple[NDArray[np.float32], State]:
    """Read one symbol of each text, shape (batch,); return logits (batch, symbols), states."""
    logits, last = read(model, symbols[:, None], state)
    return logits[:, 0], last


class Carried(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """A language model that keeps its last states for the next chunk; no gradient crosses over."""

    def __init__(self, model: keras.Model, streams: int) -> None:
        super().__init__()
        self.model = model
        self.carried = [
            self.add_weight((streams, given.shape[-1]), initializer="zeros", trainable=False)
            for given in model.inputs[1:]
        ]
        self.built = True

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        """Return logits (streams, chunk, symbols).

        `inputs` are symbols (streams, chunk), and one where a stream starts from zero states, else
        zero (streams, 1).
        """
        symbols, fresh = inputs
        first = [state * (1 - fresh) for state in self.carried]
        logits, *last = self.model([symbols, *first], training=training)
        for state, new in zip(self.carried, last, strict=True):
            state.assign(ops.stop_gradient(new))
        return logits


def carried_model(model: keras.Model, *, streams: int, chunk: int) -> keras.Model:
    """Wrap a language model in `Carried` for training on chunks."""
    symbols = keras.Input((chunk,), batch_size=streams, dtype="int32", name="symbols")
    fresh = keras.Input((1,), batch_size=streams, name="fresh")
    return keras.Model([symbols, fresh], Carried(model, streams)([symbols, fresh]))
