"""One language model from corpus to bundle, and the gate it has to pass."""

from pathlib import Path
from typing import NamedTuple

from foreseq.errors import DataRefused
from foreseq.language import ngram, score, training
from foreseq.language.bundle import Alphabet, LanguageBundle
from foreseq.language.config import CorpusConfig, TextExperimentConfig, TextGateConfig
from foreseq.language.corpus import Corpus, Parts, Passage, split
from foreseq.language.training import SILENT, FittedModel, Listener
from foreseq.language.vocabulary import Vocabulary
from foreseq.training import network_weights


class Outcome(NamedTuple):
    """What an experiment brought."""

    bundle: LanguageBundle
    fitted: FittedModel


class Decision(NamedTuple):
    """Whether a challenger is published, and the nats per character of the test part behind it."""

    published: bool
    reason: str
    challenger: float
    ngram: float
    """Of the n-gram that counted everything before the test part."""
    champion: float | None = None
    """Of what is published; None if nothing is, or if it cannot read this text."""


def train(
    experiment: TextExperimentConfig,
    corpus: Corpus,
    *,
    checkpoint: Path | None = None,
    listener: Listener = SILENT,
) -> Outcome:
    """Train a language model; the test part is not read.

    Args:
        experiment: What to do.
        corpus: The text.
        checkpoint: File to keep the state of training in, and to resume from.
        listener: Notified of the training.

    Raises:
        DataRefused: If a part of the text is too short.
    """
    fitted = training.fit(
        parts(corpus, experiment.corpus),
        corpus.vocabulary.size,
        experiment,
        checkpoint=checkpoint,
        listener=listener,
    )
    known = corpus.vocabulary
    alphabet = Alphabet(symbols=known.symbols, unknown=known.unknown, corpus=corpus.fingerprint())
    weights = network_weights.get_weights(fitted.model)
    return Outcome(LanguageBundle(experiment, alphabet, weights), fitted)


def parts(corpus: Corpus, config: CorpusConfig) -> Parts:
    """Divide a corpus as its config says."""
    return split(corpus.passage, config.validation, config.test)


def before_test(corpus: Corpus, divided: Parts) -> Passage:
    """Return everything before the test part: what an n-gram may count."""
    cut = corpus.passage.length - divided.test.length
    starts = corpus.passage.starts
    return Passage(corpus.passage.symbols[:cut], starts[starts < cut])


def judge(challenger: LanguageBundle, champion: LanguageBundle | None, corpus: Corpus) -> Decision:
    """Compare a challenger with the n-gram and with the champion on the test part of its corpus.

    Why the n-gram counts the validation part too: it chooses nothing by it, so it may learn from
    it. A champion of another corpus may have read this test part before; it has to be beaten even
    so.
    """
    experiment = challenger.experiment
    divided = parts(corpus, experiment.corpus)
    before = before_test(corpus, divided)
    counted = ngram.fit(before, corpus.vocabulary.size, experiment.gate.order)
    ours = score.score(challenger.model(), divided.test).nats_per_character
    theirs = _of_champion(champion, divided.test, corpus.vocabulary)
    return _decide(ours, ngram.nats(counted, divided.test), theirs, experiment.gate)


def _decide(ours: float, counted: float, champion: float | None, gate: TextGateConfig) -> Decision:
    """Return the gate's decision.

    Example:
        >>> _decide(1.6, 1.7, 1.5, TextGateConfig()).reason
        'does not beat the champion: 1.6000 nats per character against 1.5000'
    """
    rivals = {f"the {gate.order}-gram": counted}
    if champion is not None:
        rivals["the champion"] = champion
    for name, nats in rivals.items():
        if not ours < nats - gate.margin:
            reason = f"does not beat {name}: {ours:.4f} nats per character against {nats:.4f}"
            return Decision(False, reason, ours, counted, champion)
    beaten = " and ".join(f"{name} ({nats:.4f})" for name, nats in rivals.items())
    return Decision(
        True, f"beats {beaten} with {ours:.4f} nats per character", ours, counted, champion
    )


def _of_champion(
    champion: LanguageBundle | None, test: Passage, vocabulary: Vocabulary
) -> float | None:
    """Score the champion on a text in its own symbols; None if it does not know them all."""
    if champion is None:
        return None
    try:
        symbols = champion.vocabulary.encode(vocabulary.decode(test.symbols))
    except DataRefused:
        return None
    return score.score(champion.model(), Passage(symbols, test.starts)).nats_per_character
