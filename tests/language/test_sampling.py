from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from foreseq.errors import ConfigError
from foreseq.language.config import SamplingConfig
from foreseq.language.sampling import NOTHING, collect, probabilities, write

SYMBOLS = 6
LOGITS = arrays(np.float32, (3, SYMBOLS), elements=st.floats(-50, 50, width=32))
SAMPLING = st.builds(
    SamplingConfig,
    temperature=st.one_of(st.just(0.0), st.floats(1e-9, 10)),
    top_k=st.one_of(st.none(), st.integers(1, 2 * SYMBOLS)),
    top_p=st.floats(0.01, 1),
)


def undecided(symbols, state):
    """Hold every symbol for equally likely, and count the calls."""
    return np.zeros((len(symbols), SYMBOLS), np.float32), (state or 0) + 1


def ascending(symbols, state):
    """Be certain that each symbol is followed by the next one."""
    following = (symbols[:, None] + 1) % SYMBOLS
    return np.where(np.arange(SYMBOLS) == following, 50.0, -50.0), state


def prompts(*texts):
    return [np.array(text, np.int32) for text in texts]


@given(LOGITS, SAMPLING)
def test_probabilities_are_probabilities(logits, sampling):
    likely = probabilities(logits, sampling)
    assert (likely >= 0).all()
    np.testing.assert_allclose(likely.sum(axis=1), 1, atol=1e-12)


@given(LOGITS, SAMPLING)
def test_the_likeliest_symbol_can_always_be_drawn(logits, sampling):
    likely = probabilities(logits, sampling)
    best = np.take_along_axis(likely, logits.argmax(axis=1)[:, None], axis=1)
    np.testing.assert_allclose(best[:, 0], likely.max(axis=1))


@given(LOGITS)
def test_temperature_1_without_limits_is_the_softmax(logits):
    exact = np.exp(logits.astype(np.float64))
    expected = exact / exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(logits, SamplingConfig()), expected, rtol=1e-9)


@given(LOGITS, st.integers(1, 2 * SYMBOLS))
def test_top_k_leaves_k_symbols_or_all_there_are(logits, top_k):
    left = (probabilities(logits, SamplingConfig(temperature=100, top_k=top_k)) > 0).sum(axis=1)
    assert (left == min(top_k, SYMBOLS)).all()


def test_top_p_leaves_the_fewest_that_are_likely_enough():
    logits = np.log(np.array([[0.1, 0.4, 0.2, 0.3]]))
    kept = [
        np.flatnonzero(probabilities(logits, SamplingConfig(top_p=p))[0]).tolist()
        for p in (0.01, 0.39, 0.41, 0.69, 0.75, 1.0)
    ]
    assert kept == [[1], [1], [1, 3], [1, 3], [1, 2, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize("temperature", [0, 1e-9, 1e-320])
def test_temperature_at_or_near_0_takes_the_likeliest(temperature):
    logits = np.array([[1.0, 3.0, 2.0], [5.0, -1e30, 4.9999]])
    likely = probabilities(logits, SamplingConfig(temperature=temperature))
    np.testing.assert_array_equal(likely, [[0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_k", 0),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_p", float("nan")),
        ("length", 0),
    ],
)
def test_a_choice_without_meaning_is_refused(field, value):
    with pytest.raises(ValidationError):
        SamplingConfig(**{field: value})


@pytest.mark.parametrize("empty", [[], [[]], [[1], []]])
def test_an_empty_prompt_is_refused(empty):
    with pytest.raises(ConfigError, match="at least one character"):
        write(undecided, None, prompts(*empty), SamplingConfig())


def test_every_text_gets_its_length_whatever_its_prompt():
    written = collect(write(ascending, None, prompts([0], [3, 4, 5]), SamplingConfig(length=4)))
    assert [text.tolist() for text in written] == [[1, 2, 3, 4], [0, 1, 2, 3]]


def test_a_text_that_reads_or_is_done_writes_nothing():
    steps = list(write(ascending, None, prompts([0], [3, 4, 5]), SamplingConfig(length=3)))
    assert [step.tolist() for step in steps] == [
        [1, NOTHING], [2, NOTHING], [3, 0], [NOTHING, 1], [NOTHING, 2],
    ]  # fmt: skip


def test_the_network_is_called_once_a_step_for_all_texts():
    calls = []

    def counting(symbols, state):
        calls.append(len(symbols))
        return undecided(symbols, state)

    list(write(counting, None, prompts(*[[1, 2]] * 7), SamplingConfig(length=5)))
    assert calls == [7] * 6


def test_the_same_seed_writes_the_same_text_and_another_seed_another():
    def text(seed):
        return collect(write(undecided, None, prompts([1]), SamplingConfig(seed=seed)))[0].tolist()

    assert text(1) == text(1) != text(2)


def test_what_is_drawn_for_a_text_does_not_depend_on_the_others():
    sampling = SamplingConfig(length=30)
    alone = collect(write(undecided, None, prompts([1]), sampling))
    among = collect(write(undecided, None, prompts([1], [2, 3, 4], [5]), sampling))
    assert alone[0].tolist() == among[0].tolist() != among[2].tolist()


def test_symbols_are_drawn_as_often_as_they_are_likely():
    logits = np.log(np.array([0.5, 0.3, 0.2]))

    def constant(symbols, state):
        return np.tile(logits, (len(symbols), 1)), state

    drawn = collect(write(constant, None, prompts([0]), SamplingConfig(length=20_000)))[0]
    shares = [count / 20_000 for _, count in sorted(Counter(drawn.tolist()).items())]
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.015)
