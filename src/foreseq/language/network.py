"""The network that reads characters and says how likely each is to come next.

Why states go in and come out as values: whoever calls the network keeps them, so that training,
validation and any number of texts being written at once cannot disturb one another.
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
"""What the network remembers of some texts, shape (batch, width) each."""


def language_model(config: LanguageConfig, *, symbols: int, seed: int) -> keras.Model:
    """Build the network.

    It maps symbols (batch, time) and first states, (batch, width) each, to logits of the symbol
    after each one read (batch, time, symbols) and to the last states: a list in, a list out.

    Args:
        config: What it is.
        symbols: Size of the alphabet.
        seed: Of initial weights and of what is dropped.
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
    once = (None, 1, None)  # a mask for each character would cost more than the recurrence itself
    states = keras.layers.Dropout(config.dropout, noise_shape=once, seed=seed + 51)(states)
    logits = keras.layers.Dense(
        symbols, kernel_initializer=glorot(seed=seed + 52), name="following"
    )(states)
    return keras.Model([read, *first], [logits, *last], name="language_model")


def zero_state(model: keras.Model, batch: int) -> State:
    """Return the state of texts of which nothing has been read."""
    return [np.zeros((batch, given.shape[-1]), np.float32) for given in model.inputs[1:]]


def read(
    model: keras.Model, symbols: NDArray[np.int32], state: State
) -> tuple[NDArray[np.float32], State]:
    """Read on, shape (batch, time); return logits (batch, time, symbols) and the new state."""
    logits, *last = model.predict_on_batch([symbols, *state])
    return logits, last


def step(
    model: keras.Model, symbols: NDArray[np.int32], state: State
) -> tuple[NDArray[np.float32], State]:
    """Read one symbol of each text, shape (batch,); return logits (batch, symbols) and state."""
    logits, last = read(model, symbols[:, None], state)
    return logits[:, 0], last


class Carried(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """A language model that begins each chunk where it ended the one before.

    The state lies in variables of its own, so no gradient reaches beyond the chunk.
    """

    def __init__(self, model: keras.Model, streams: int) -> None:
        super().__init__()
        self.model = model
        self.carried = [
            self.add_weight((streams, given.shape[-1]), initializer="zeros", trainable=False)
            for given in model.inputs[1:]
        ]
        self.built = True

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        """Return logits (streams, chunk, symbols) of symbols (streams, chunk).

        `inputs` also holds which streams begin anew, one or zero, shape (streams, 1).
        """
        symbols, fresh = inputs
        first = [state * (1 - fresh) for state in self.carried]
        logits, *last = self.model([symbols, *first], training=training)
        for state, new in zip(self.carried, last, strict=True):
            state.assign(ops.stop_gradient(new))
        return logits


def carried_model(model: keras.Model, *, streams: int, chunk: int) -> keras.Model:
    """Wrap a language model for training on chunks: from symbols and which begin anew to logits."""
    symbols = keras.Input((chunk,), batch_size=streams, dtype="int32", name="symbols")
    fresh = keras.Input((1,), batch_size=streams, name="fresh")
    return keras.Model([symbols, fresh], Carried(model, streams)([symbols, fresh]))
