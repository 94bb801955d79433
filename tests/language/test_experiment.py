import re

import numpy as np
import pytest

from foreseq.errors import ConfigError, DataRefused
from foreseq.language import experiment, training
from foreseq.language.config import SamplingConfig, load_text_experiment
from foreseq.language.corpus import assemble
from foreseq.language.sampling import complete, stream_text
from foreseq.training import network_weights

SMALL = [
    "network.cells.units=[24]", "network.embedding=8", "training.chunk=16", "training.streams=4",
    "training.jit=false", "training.ema=0.9", "training.learning_rate=0.02",
    "training.epochs=30", "training.patience=30", "network.cells.forget_bias=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def corpus():
    """Return words whose last letter was determined by the first, six letters before."""
    rng = np.random.default_rng(3)
    return assemble(["".join(f"{'xy'[tail]}abcde{'xy'[tail]}" for tail in rng.integers(0, 2, 300))])


@pytest.fixture(scope="module")
def trained(corpus):
    return experiment.train(load_text_experiment(None, SMALL), corpus).bundle


@pytest.fixture(scope="module")
def untrained(corpus, trained):
    model = training.build(trained.experiment, corpus.vocabulary.size)
    weights = network_weights.get_weights(model)
    return experiment.LanguageBundle(trained.experiment, trained.alphabet, weights)


def test_what_beats_the_n_gram_is_published_where_there_is_no_champion(trained, corpus):
    decision = experiment.judge(trained, None, corpus)
    assert decision.published
    assert decision.scores["challenger"] < decision.scores["ngram"]
    assert "champion" not in decision.scores


def test_what_does_not_beat_the_n_gram_stays_out(untrained, corpus):
    decision = experiment.judge(untrained, None, corpus)
    assert not decision.published
    assert "no improvement on the 5-gram" in decision.reason


def test_what_does_not_beat_the_champion_stays_out(trained, corpus):
    decision = experiment.judge(trained, trained, corpus)
    assert not decision.published
    assert decision.scores["champion"] == decision.scores["challenger"]
    assert "champion" in decision.reason


def test_a_worse_champion_is_replaced(trained, untrained, corpus):
    assert experiment.judge(trained, untrained, corpus).published


def test_a_champion_that_cannot_read_the_text_is_not_compared(trained, corpus):
    symbols = trained.alphabet.model_copy(update={"symbols": "0123456"})
    stranger = experiment.LanguageBundle(trained.experiment, symbols, trained.weights)
    assert "champion" not in experiment.judge(trained, stranger, corpus).scores


def test_a_trained_model_writes_words_of_the_kind_it_has_read(trained):
    sampling = SamplingConfig(temperature=0.5, length=70)
    texts = complete(trained.model(), trained.vocabulary, ["xabcdex", "yabcdeyx"], sampling)
    assert re.fullmatch("([xy]abcde[xy]){10}", texts[0])
    assert re.fullmatch("(abcde[xy][xy]){10}", texts[1])


def test_streamed_characters_are_those_written_side_by_side(trained):
    model, sampling = trained.model(), SamplingConfig(length=12, seed=4)
    streamed = "".join(stream_text(model, trained.vocabulary, "xab", sampling))
    assert [streamed] == complete(model, trained.vocabulary, ["xab"], sampling)
    assert len(streamed) == 12


def test_prompts_without_meaning_are_refused(trained):
    model = trained.model()
    with pytest.raises(ConfigError, match="at least one character"):
        stream_text(model, trained.vocabulary, "", SamplingConfig())
    with pytest.raises(DataRefused, match="found 'é'"):
        complete(model, trained.vocabulary, ["xé"], SamplingConfig())
