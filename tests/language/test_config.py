from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from foreseq.errors import ConfigError
from foreseq.language.config import CorpusConfig, load_text_experiment

EXPERIMENTS = sorted((Path(__file__).parents[2] / "configs" / "text").glob("*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_yaml_says_only_what_differs_from_the_default(path):
    experiment = load_text_experiment(path).model_dump(mode="json", exclude_defaults=True)
    assert yaml.safe_load(path.read_text()) == experiment


def test_a_field_can_be_overridden():
    experiment = load_text_experiment(None, ["training.chunk=7", "corpus.name=raven"])
    assert (experiment.training.chunk, experiment.model) == (7, "text-raven")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.chunk=0", "greater than 0"),
        ("network.dropout=1", "less than 1"),
        ("corpus.test=1.0", "less than 1"),
        ("corpus.unknown=ab", "at most 1"),
        ("training.optimiser=adam", "no such field"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_name(override, words):
    with pytest.raises(ConfigError, match=words) as refused:
        load_text_experiment(None, [override])
    assert override.partition("=")[0] in str(refused.value)


def test_something_must_be_left_to_learn_from():
    with pytest.raises(ValidationError, match="less than the whole"):
        CorpusConfig(validation=0.6, test=0.4)
