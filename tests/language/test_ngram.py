from collections import Counter
from itertools import product

import numpy as np
import pytest

from foreseq.language import corpus, ngram
from foreseq.language.config import CorpusConfig
from foreseq.language.corpus import Passage, assemble


def passage(symbols, starts=(0,)):
    return Passage(np.array(symbols, np.int32), np.array(starts))


def plain(train, text, alphabet, order):
    """Return the probability of the last symbol of a text, straight from the definition."""
    if order == 0:
        return 1 / alphabet
    shorter = plain(train, text[1:], alphabet, order - 1)
    *context, symbol = text
    followers = Counter(
        train[at] for at in range(order - 1, len(train)) if train[at - order + 1 : at] == context
    )
    if not followers:
        return shorter
    total, kinds = sum(followers.values()), len(followers)
    return (followers[symbol] + kinds * shorter) / (total + kinds)


def test_probabilities_are_those_of_the_definition(rng):
    train = rng.integers(0, 3, 60).tolist()
    test = rng.integers(0, 3, 30).tolist()
    model = ngram.fit(passage(train), alphabet=3, order=4)
    actual = ngram.probabilities(model, passage(test))
    expected = [plain(train, test[: at + 1][-4:], 3, min(4, at + 1)) for at in range(30)]
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_all_strings_of_one_length_are_together_certain(order, rng):
    model = ngram.fit(passage(rng.integers(0, 5, 80)), alphabet=5, order=order)
    total = sum(
        ngram.probabilities(model, passage(string)).prod() for string in product(range(5), repeat=3)
    )
    assert total == pytest.approx(1, abs=1e-12)


def test_a_text_of_nothing_but_repetition_hardly_surprises():
    model = ngram.fit(passage([0, 1, 2] * 200), alphabet=3, order=3)
    assert ngram.nats(model, passage([0, 1, 2] * 20)) < 0.02


def test_no_context_reaches_into_the_document_before():
    together = ngram.fit(passage([0, 1, 0, 1]), alphabet=2, order=2)
    apart = ngram.fit(passage([0, 1, 0, 1], [0, 2]), alphabet=2, order=2)
    after_one = passage([1, 0])
    assert ngram.nats(together, after_one) < ngram.nats(apart, after_one)


def test_a_document_begins_without_context():
    model = ngram.fit(passage([0, 1] * 30), alphabet=2, order=2)
    likely = ngram.probabilities(model, passage([0, 1, 1, 0], [0, 2]))
    assert likely[2] == ngram.probabilities(model, passage([1]))[0]


@pytest.mark.parametrize(
    ("name", "order", "nats"),
    [("alice", 5, 1.566), ("tinyshakespeare", 5, 1.669), ("anna", 5, 1.513), ("alice", 3, 1.901)],
)
def test_the_published_figures_are_met(name, order, nats, shared):
    whole = corpus.read(CorpusConfig(), shared / f"{name}.txt")
    cut = whole.passage.length - round(0.1 * whole.passage.length)
    train, test = passage(whole.passage.symbols[:cut]), passage(whole.passage.symbols[cut:])
    model = ngram.fit(train, whole.vocabulary.size, order)
    assert ngram.nats(model, test) == pytest.approx(nats, abs=6e-4)


def test_an_assembled_corpus_can_be_counted():
    whole = assemble(["banana", "bandana"])
    model = ngram.fit(whole.passage, whole.vocabulary.size, 3)
    assert 0 < ngram.nats(model, whole.passage) < np.log(whole.vocabulary.size)
