import numpy as np
import pytest
from keras import ops
from tensorflow import GradientTape  # the one backend that tests run on

from foreseq.language import network
from foreseq.language.config import LanguageCells, LanguageConfig
from foreseq.language.network import Carried, language_model

SYMBOLS = 7


def small(kind="lstm", **options):
    cells = LanguageCells(kind=kind, units=(6, 5))
    return language_model(
        LanguageConfig(cells=cells, embedding=4, **options), symbols=SYMBOLS, seed=1
    )


@pytest.mark.parametrize("kind", ["simple", "lstm", "gru"])
def test_reading_in_chunks_equals_reading_at_once(kind, rng):
    model = small(kind)
    text = rng.integers(0, SYMBOLS, (3, 25)).astype(np.int32)
    whole, end = network.read(model, text, network.zero_state(model, 3))
    state, parts = network.zero_state(model, 3), []
    for first, last in ((0, 10), (10, 11), (11, 25)):
        logits, state = network.read(model, text[:, first:last], state)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)
    for carried, at_once in zip(state, end, strict=True):
        np.testing.assert_allclose(carried, at_once, atol=1e-6)


def test_a_step_is_a_reading_of_one(rng):
    model = small()
    text = rng.integers(0, SYMBOLS, (2, 4)).astype(np.int32)
    whole, _ = network.read(model, text, network.zero_state(model, 2))
    state = network.zero_state(model, 2)
    for at in range(4):
        logits, state = network.step(model, text[:, at], state)
        np.testing.assert_allclose(logits, whole[:, at], atol=1e-6)


def test_later_symbols_change_nothing_before_them(rng):
    model = small("gru")
    text = rng.integers(0, SYMBOLS, (1, 12)).astype(np.int32)
    altered = text.copy()
    altered[:, 8:] = (altered[:, 8:] + 1) % SYMBOLS
    one, _ = network.read(model, text, network.zero_state(model, 1))
    other, _ = network.read(model, altered, network.zero_state(model, 1))
    np.testing.assert_array_equal(one[:, :8], other[:, :8])


def test_a_carried_model_goes_on_where_it_ended_unless_it_begins_anew(rng):
    model = small()
    carried = Carried(model, streams=2)
    text = rng.integers(0, SYMBOLS, (2, 10)).astype(np.int32)
    whole, _ = network.read(model, text, network.zero_state(model, 2))
    anew, _ = network.read(model, text[:, 5:], network.zero_state(model, 2))
    carried([text[:, :5], np.ones((2, 1), "float32")])
    second = ops.convert_to_numpy(carried([text[:, 5:], np.array([[0.0], [1.0]], "float32")]))
    np.testing.assert_allclose(second[0], whole[0, 5:], atol=1e-6)
    np.testing.assert_allclose(second[1], anew[1], atol=1e-6)


def test_no_gradient_reaches_beyond_the_chunk(rng):
    model = small()
    carried = Carried(model, streams=1)
    embeddings = model.get_layer("embedding").trainable_weights[0]
    first, second = np.array([[0, 1, 2]], np.int32), np.array([[3, 4, 5]], np.int32)
    with GradientTape() as tape:
        carried([first, np.ones((1, 1), "float32")])
        loss = ops.sum(ops.square(carried([second, np.zeros((1, 1), "float32")])))
    gradient = tape.gradient(loss, embeddings.value)
    dense = np.array(ops.convert_to_numpy(gradient))
    assert (dense[:3] == 0).all()
    assert (np.abs(dense[3:6]).sum(axis=1) > 0).all()


def test_reading_elsewhere_leaves_what_is_carried_alone(rng):
    model = small()
    carried = Carried(model, streams=2)
    text = rng.integers(0, SYMBOLS, (2, 6)).astype(np.int32)
    carried([text, np.ones((2, 1), "float32")])
    before = [np.array(state) for state in carried.carried]
    network.read(model, text, network.zero_state(model, 2))
    for state, kept in zip(carried.carried, before, strict=True):
        np.testing.assert_array_equal(np.array(state), kept)
