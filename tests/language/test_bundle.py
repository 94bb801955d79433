import json
import subprocess
import sys

import numpy as np
import pytest

from foreseq.errors import BundleRefused
from foreseq.language import bundle, score, training
from foreseq.language.bundle import Alphabet, LanguageBundle
from foreseq.language.config import load_text_experiment
from foreseq.language.corpus import Passage
from foreseq.training import network_weights


@pytest.fixture(scope="module")
def made():
    experiment = load_text_experiment(None, ["network.cells.units=[6]", "network.embedding=4"])
    weights = network_weights.get_weights(training.build(experiment, 5))
    return LanguageBundle(
        experiment, Alphabet(symbols="\nabcé", unknown="", corpus="0" * 64), weights
    )


@pytest.fixture
def folder(made, tmp_path):
    return bundle.save(made, tmp_path / "bundle")


def test_what_is_loaded_scores_as_what_was_saved(made, folder):
    text = Passage(np.array([0, 4, 2, 3, 1, 1], np.int32), np.array([0]))
    loaded = bundle.load(folder)
    assert loaded.alphabet == made.alphabet
    assert score.score(loaded.model(), text) == score.score(made.model(), text)


@pytest.mark.slow
def test_a_new_process_scores_bit_for_bit_alike(made, folder):
    code = (
        "import sys, numpy as np; from pathlib import Path;"
        "from foreseq.language import bundle, score; from foreseq.language.corpus import Passage;"
        "text = Passage(np.arange(5, dtype=np.int32), np.array([0]));"
        "print(score.score(bundle.load(Path(sys.argv[1])).model(), text).nats.hex())"
    )
    done = subprocess.run(  # noqa: S603 constant code
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    text = Passage(np.arange(5, dtype=np.int32), np.array([0]))
    assert done.stdout.strip() == score.score(made.model(), text).nats.hex()


def test_the_same_bundle_gives_the_same_bytes(made, folder, tmp_path):
    again = bundle.save(made, tmp_path / "again")
    for name in (*bundle.PARTS, "manifest.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("part", bundle.PARTS)
def test_an_altered_byte_is_noticed(folder, part):
    content = bytearray((folder / part).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / part).write_bytes(bytes(content))
    with pytest.raises(BundleRefused, match=f"{part}: differs"):
        bundle.load(folder)


@pytest.mark.parametrize("part", [*bundle.PARTS, "manifest.json"])
def test_a_missing_file_is_noticed(folder, part):
    (folder / part).unlink()
    with pytest.raises(BundleRefused, match=part):
        bundle.load(folder)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("holds", "forecaster", "found a forecaster"),
        ("format", 99, "format 2 is needed, found format 99"),
    ],
)
def test_a_bundle_of_another_kind_is_refused(folder, field, value, message):
    file = folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    with pytest.raises(BundleRefused, match=message):
        bundle.load(folder)
