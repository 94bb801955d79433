import keras
import numpy as np
import pytest

from foreseq.errors import DataRefused
from foreseq.language import network, ngram, score, training
from foreseq.language.config import load_text_experiment
from foreseq.language.corpus import assemble, join, split
from foreseq.language.training import Listener
from foreseq.training import network_weights
from foreseq.training import optimizer as optimizers

SMALL = [
    "network.cells.units=[24]", "network.embedding=8", "training.chunk=16", "training.streams=4",
    "training.jit=false", "training.ema=0.9", "training.learning_rate=0.01",
]  # fmt: skip


@pytest.fixture(scope="module")
def corpus():
    """Return words whose last letter was determined by the first, six letters before."""
    rng = np.random.default_rng(3)
    words = [f"{'xy'[tail]}abcde{'xy'[tail]}" for tail in rng.integers(0, 2, 300)]
    return assemble(["".join(words)])


@pytest.fixture(scope="module")
def parts(corpus):
    return split(corpus.passage, 0.1, 0.1)


def fit(parts, *overrides, symbols=10, **options):
    return training.fit(parts, symbols, load_text_experiment(None, [*SMALL, *overrides]), **options)


@pytest.fixture(scope="module")
def fitted(parts):
    overrides = ["training.epochs=20", "training.patience=20", "network.cells.forget_bias=1"]
    return fit(parts, *overrides, "training.learning_rate=0.02")


def test_a_network_remembers_what_an_n_gram_cannot(fitted, parts, corpus):
    counted = ngram.fit(parts.train, corpus.vocabulary.size, 5)
    assert score.score(fitted.model, parts.test).nats_per_character < 0.8 * ngram.nats(
        counted, parts.test
    )


def test_the_weights_are_those_of_the_best_epoch(fitted, parts):
    best = min(fitted.curve, key=lambda point: point.validation)
    assert fitted.best_epoch == best.step
    again = score.estimate(fitted.model, parts.validation, streams=4)
    assert again.nats_per_character == pytest.approx(best.validation, abs=1e-6)


def test_the_same_seed_gives_the_same_weights(parts):
    one, other = (
        network_weights.get_weights(fit(parts, "training.epochs=2").model) for _ in range(2)
    )
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_training_that_was_stopped_ends_with_the_very_same_weights(parts, tmp_path):
    overrides = ["training.epochs=3", "network.dropout=0.2", "network.cells.dropout=0.1"]
    whole = fit(parts, *overrides)

    def stop(point, _):
        if point.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(parts, *overrides, listener=Listener(validated=stop), checkpoint=tmp_path / "state.npz")
    resumed = fit(parts, *overrides, checkpoint=tmp_path / "state.npz")
    assert resumed.curve == whole.curve
    for first, second in zip(
        network_weights.get_weights(resumed.model),
        network_weights.get_weights(whole.model),
        strict=True,
    ):
        np.testing.assert_array_equal(first, second)


def test_validation_changes_no_weight(parts):
    def validate(_, model):
        score.score(model, parts.validation)

    plain, watched = (
        fit(parts, "training.epochs=2"),
        fit(parts, "training.epochs=2", listener=Listener(validated=validate)),
    )
    assert plain.curve == watched.curve


def test_training_stops_when_patience_ends(parts):
    fitted = fit(parts, "training.epochs=9", "training.learning_rate=1e-30", "training.patience=2")
    assert (fitted.best_epoch, len(fitted.curve)) == (1, 3)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "nadam"])
@pytest.mark.parametrize("clip_by", ["global_norm", "norm", "value"])
def test_every_optimizer_takes_every_way_to_clip(optimizer, clip_by):
    config = load_text_experiment(
        None, [f"training.optimizer={optimizer}", f"training.clip_by={clip_by}"]
    ).training
    built, _ = optimizers.build(config)
    assert type(built).__name__.lower() == optimizer
    limits = {
        "global_norm": built.global_clipnorm,
        "norm": built.clipnorm,
        "value": built.clipvalue,
    }
    assert {name for name, limit in limits.items() if limit is not None} == {clip_by}


def test_one_rmsprop_step_is_the_one_worked_by_hand():
    config = load_text_experiment(
        None, ["training.learning_rate=0.1", "training.ema=0", "training.clip=100"]
    ).training
    value = keras.Variable(10.0)
    built, schedule = optimizers.build(config)
    schedule.start(config.learning_rate, 10**9)
    built.apply([np.float32(10.0)], [value])
    assert float(value) == pytest.approx(9.683772, abs=1e-5)


def test_progress_ends_with_each_epoch(parts):
    progress = []
    fit(parts, "training.epochs=2", listener=Listener(progressed=progress.append))
    assert [step.epoch for step in progress if step.done == 1] == [1, 2]
    assert all(0 < step.done <= 1 for step in progress)


def test_a_text_shorter_than_a_chunk_is_refused(corpus):
    short = split(assemble(["abcdefghij" * 3]).passage, 0.2, 0.2)
    with pytest.raises(DataRefused, match="more than one chunk of 16"):
        fit(short._replace(train=short.test))


def test_the_right_letter_needs_the_whole_word():
    words = ["rosebud", "phosebut"]  # "ebu" goes on either way
    whole = assemble(words * 150)
    fitted = fit(split(whole.passage, 0.1, 0.1), "training.epochs=8", symbols=whole.vocabulary.size)

    def following(prompt):
        encoded = whole.vocabulary.encode(prompt)[None]
        logits, _ = network.read(fitted.model, encoded, network.zero_state(fitted.model, 1))
        return whole.vocabulary.symbols[int(logits[0, -1].argmax())]

    assert [following(word[:-1]) for word in words] == [word[-1] for word in words]
    cut_to_3 = ngram.fit(whole.passage, whole.vocabulary.size, 4)
    texts = [whole.vocabulary.encode(f"{word[:-1]}d") for word in words]
    likely = [ngram.probabilities(cut_to_3, join([text]))[-1] for text in texts]
    assert likely[0] == likely[1]
