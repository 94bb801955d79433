from itertools import product

import numpy as np
import pytest

from foreseq.language import score
from foreseq.language.config import LanguageCells, LanguageConfig
from foreseq.language.corpus import Passage
from foreseq.language.network import language_model


def model(symbols=5):
    cells = LanguageCells(kind="gru", units=(6,))
    return language_model(LanguageConfig(cells=cells, embedding=4), symbols=symbols, seed=1)


def passage(symbols, starts=(0,)):
    return Passage(np.array(symbols, np.int32), np.array(starts))


def test_all_strings_of_length_2_are_together_certain():
    strings = product(range(5), repeat=2)
    scored = [score.score(network, passage(s)) for network in (model(),) for s in strings]
    assert sum(np.exp(-one.total_nats) for one in scored) == pytest.approx(1, abs=1e-6)


def test_a_text_is_scored_alike_in_chunks_of_any_size(monkeypatch, rng):
    network, text = model(), passage(rng.integers(0, 5, 300), (0, 120))
    whole = score.score(network, text)
    monkeypatch.setattr(score, "CHUNK", 7)
    assert score.score(network, text).nats == pytest.approx(whole.nats, rel=1e-6)
    assert whole.predicted == 298


def test_a_document_does_not_know_the_one_before(rng):
    network, one, other = model(), rng.integers(0, 5, 50), rng.integers(0, 5, 70)
    together = score.score(network, passage(np.concatenate([one, other]), (0, 50)))
    apart = score.score(network, passage(one)).nats + score.score(network, passage(other)).nats
    assert together.nats == pytest.approx(apart, rel=1e-6)


def test_the_fast_estimate_is_near_the_exact_score(rng):
    network, text = model(), passage(rng.integers(0, 5, 5000))
    exact, fast = score.score(network, text), score.estimate(network, text, streams=4)
    assert fast.predicted == exact.predicted
    assert fast.nats_per_character == pytest.approx(exact.nats_per_character, abs=1e-4)


def test_cross_entropy_is_finite_for_logits_of_any_size():
    logits = np.array([[1e30, -1e30], [0.0, 0.0]], np.float32)
    assert score.cross_entropy(logits, np.array([0, 1])).tolist() == [0.0, pytest.approx(np.log(2))]


def test_an_undecided_network_holds_all_symbols_for_equally_likely():
    network = model()
    network.get_layer("following").kernel.assign(np.zeros((6, 5)))
    scored = score.score(network, passage([0, 1, 2, 3]))
    assert scored.perplexity == pytest.approx(5)
    assert scored.bits_per_character == pytest.approx(np.log2(5))
    assert scored.total_nats == pytest.approx(4 * np.log(5))
