"""One language model from corpus to bundle, and the gate it has to pass."""

from pathlib import Path
from typing import NamedTuple

from foreseq.errors import DataRefused
from foreseq.evaluation.decision import CHALLENGER, CHAMPION, Decision
from foreseq.language import ngram, score, training
from foreseq.language.bundle import Alphabet, LanguageBundle
from foreseq.language.config import CorpusConfig, TextExperimentConfig, TextGateConfig
from foreseq.language.corpus import Corpus, Parts, Passage, Vocabulary, split
from foreseq.language.training import SILENT, FittedModel, Listener
from foreseq.training import network_weights

NGRAM = "ngram"
"""Name of the baseline among scores."""


class Outcome(NamedTuple):
    """A trained language model."""

    bundle: LanguageBundle
    fitted: FittedModel


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

    The n-gram counts the validation part too, as it chooses nothing by it. A champion of another
    corpus may have read this test part before; it has to be beaten even so.
    """
    experiment = challenger.experiment
    divided = parts(corpus, experiment.corpus)
    before = before_test(corpus, divided)
    counted = ngram.fit(before, corpus.vocabulary.size, experiment.gate.order)
    scores = {
        CHALLENGER: score.score(challenger.model(), divided.test).nats_per_character,
        NGRAM: ngram.nats(counted, divided.test),
    }
    nats = _of_champion(champion, divided.test, corpus.vocabulary)
    if nats is not None:
        scores[CHAMPION] = nats
    return decide(scores, experiment.gate)


def decide(scores: dict[str, float], gate: TextGateConfig) -> Decision:
    """Decide whether a challenger becomes champion.

    Args:
        scores: Nats per character of the challenger, the n-gram and, if there is one, the champion.
        gate: What is required.

    Example:
        >>> decide({"challenger": 1.6, "ngram": 1.7, "champion": 1.5}, TextGateConfig()).reason
        '1.6000 nats per character is no improvement on the champion, 1.5000'
    """
    names = {NGRAM: f"the {gate.order}-gram", CHAMPION: "the champion"}
    others = {names[name]: nats for name, nats in scores.items() if name != CHALLENGER}
    ours = scores[CHALLENGER]
    for name, nats in others.items():
        if not ours < nats - gate.margin:
            reason = f"{ours:.4f} nats per character is no improvement on {name}, {nats:.4f}"
            return Decision(False, reason, scores)
    beaten = " and ".join(f"{name}, {nats:.4f}" for name, nats in others.items())
    return Decision(True, f"{ours:.4f} nats per character improves on {beaten}", scores)


def _of_champion(
    champion: LanguageBundle | None, test: Passage, vocabulary: Vocabulary
) -> float | None:
    """Return the champion's nats per character; None if it does not know all symbols."""
    if champion is None:
        return None
    try:
        symbols = champion.vocabulary.encode(vocabulary.decode(test.symbols))
    except DataRefused:
        return None
    return score.score(champion.model(), Passage(symbols, test.starts)).nats_per_character
