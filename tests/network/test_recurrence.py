import keras
import numpy as np
import pytest
import tensorflow as tf

from foreseq.config import ResolvedCells
from foreseq.network.cells import recurrent_stack


def plain(kind, units):
    return {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[kind](
        units, return_sequences=True, dtype="float64"
    )


def gradients(layer, x, first, weights):
    """Return the states, and the gradients of a sum over them that no step dominates."""
    with tf.GradientTape() as tape:
        tape.watch([x, *first])
        states = layer(x, first)
        states = states[0] if isinstance(states, tuple) else states
        total = tf.reduce_sum(
            tf.sin(states * tf.range(1.0, 1 + x.shape[1], dtype="float64")[:, None])
        )
    return [states, *tape.gradient(total, [x, *first, *weights])]


@pytest.mark.parametrize("steps", [1, 3, 7])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_values_and_gradients_are_those_of_the_loop_that_keras_differentiates(kind, steps, rng):
    keras.config.set_dtype_policy("float64")
    try:
        ours = recurrent_stack(
            ResolvedCells(kind=kind, units=(6,)), every_step=True, seed=1, carry=True
        )
        theirs = plain(kind, 6)
        x = tf.constant(rng.normal(size=(3, steps, 4)))
        first = [tf.constant(rng.normal(size=(3, 6))) for _ in range(2 if kind == "lstm" else 1)]
        ours(x, first), theirs(x)
    finally:
        keras.config.set_dtype_policy("float32")
    for variable, other in zip(ours.trainable_variables, theirs.trainable_variables, strict=True):
        value = rng.normal(0, 0.5, variable.shape)
        variable.assign(value), other.assign(value)
    actual = gradients(ours, x, first, [v.value for v in ours.trainable_variables])
    expected = gradients(
        lambda sequence, state: theirs(sequence, initial_state=state),
        x, first, [v.value for v in theirs.trainable_variables],
    )  # fmt: skip
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_gradients_of_the_last_states_alone_reach_the_weights(kind, rng):
    stack = recurrent_stack(
        ResolvedCells(kind=kind, units=(5, 5)), every_step=False, seed=1, carry=True
    )
    x = rng.normal(size=(2, 7, 3)).astype("float32")
    stack(x)
    with tf.GradientTape() as tape:
        _, last = stack(x)
        total = tf.reduce_sum(last[-1])
    of_weights = tape.gradient(total, [v.value for v in stack.trainable_variables])
    assert all(float(tf.reduce_max(tf.abs(g))) > 0 for g in of_weights)
