import json
import os
import subprocess
import sys

import numpy as np
import pytest

from foreseq.durable import manifest
from foreseq.errors import ConfigError
from foreseq.evaluation.decision import Decision
from foreseq.language import bundle, training
from foreseq.language.bundle import Alphabet, LanguageBundle
from foreseq.language.config import load_text_experiment
from foreseq.language.corpus import assemble
from foreseq.tracking import language as tracking
from foreseq.tracking import registry, store
from foreseq.tracking import run as runs
from foreseq.training import network_weights
from foreseq.training.loop import CurvePoint


@pytest.fixture(scope="module")
def experiment():
    return load_text_experiment(None, ["network.cells.units=[6]", "corpus.name=tiny"])


@pytest.fixture(scope="module")
def corpus():
    return assemble(["to be or not to be"])


@pytest.fixture(scope="module")
def folder(experiment, corpus, tmp_path_factory):
    """Save an untrained model: its scores do not matter."""
    model = training.build(experiment, corpus.vocabulary.size)
    alphabet = Alphabet(symbols=corpus.vocabulary.symbols, unknown="", corpus=corpus.fingerprint())
    weights = network_weights.get_weights(model)
    made = LanguageBundle(experiment, alphabet, weights)
    return bundle.save(made, tmp_path_factory.mktemp("text") / "bundle")


@pytest.fixture(scope="module")
def run(experiment, corpus, folder):
    with tracking.begin(experiment, corpus) as started:
        tracking.log_epoch(started, CurvePoint(1, 2.0, 3.0), "first")
        tracking.log_epoch(started, CurvePoint(2, 1.0, np.log(2)), "second")
        tracking.log_bundle(started, bundle.load(folder))
        scores = {"challenger": 1.5, "ngram": 1.4}
        decision = Decision(False, "no improvement", scores)
        tracking.log_decision(started, decision, registry.register(started.id, started.model))
    return started


def artifact(run, name):
    client = store.open_store()
    place = client.download_artifacts(run.id, name)
    with open(place, encoding="utf-8") as stream:  # noqa: PTH123 MLflow hands out a str
        return stream.read()


def test_a_run_has_curves_parameters_and_corpus(run):
    logged = store.get_run(run.id)
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics["training/validation"] == pytest.approx(np.log(2))
    assert logged.data.metrics["training/validation_bits"] == pytest.approx(1)
    assert logged.data.metrics["versus/ngram/nats"] == 1.4
    assert logged.data.params["network.cells.units"] == "6"
    assert "corpus.copy_at" not in logged.data.params
    assert logged.data.tags["gate"] == "rejected"
    (given,) = logged.inputs.dataset_inputs
    assert json.loads(given.dataset.profile)["characters"] == 18


def test_each_epoch_leaves_a_sample_in_which_the_text_improves(run):
    assert "first" in artifact(run, "samples/epoch-001.txt")
    assert artifact(run, "sample.txt").startswith("after epoch 2")


def test_a_bundle_can_be_registered_and_fetched(run, folder):
    version = registry.register(run.id, run.model)
    assert manifest.digest(registry.fetch(version)) == manifest.digest(folder)
    assert bundle.load(registry.fetch(version)).alphabet.symbols == " benort"


@pytest.mark.slow
def test_plain_mlflow_writes_with_the_model_in_a_new_process(run):
    registry.promote(version := registry.register(run.id, run.model), expected=None)
    code = (
        "import mlflow, pandas as pd, sys; mlflow.set_tracking_uri(sys.argv[1]);"
        f"model = mlflow.pyfunc.load_model('models:/{version.name}@champion');"
        "frame = pd.DataFrame({'prompt': ['to be', 'or']});"
        "texts = model.predict(frame, params={'length': 9, 'temperature': 0.5});"
        "print(texts['text'].str.len().tolist())"
    )
    done = subprocess.run(  # noqa: S603 our own interpreter
        [sys.executable, "-c", code, store.address()],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
    )
    assert done.stdout.strip().endswith("[9, 9]"), done.stderr


def test_an_ended_run_can_be_reopened(run):
    assert runs.find(run.id) == run
    with pytest.raises(ConfigError, match="no such run"):
        runs.find("0" * 32)


def test_a_run_whose_block_fails_has_failed(experiment, corpus):
    with pytest.raises(ZeroDivisionError), tracking.begin(experiment, corpus) as started:
        1 / 0  # noqa: B018 fails on purpose
    assert store.get_run(started.id).info.status == "FAILED"
