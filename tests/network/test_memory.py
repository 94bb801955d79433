"""What cannot fit into memory is refused before it is taken."""

import pytest
from builders import resolved

from foreseq.config import ResolvedCells
from foreseq.errors import ConfigError
from foreseq.language.config import load_text_experiment
from foreseq.language.corpus import Parts, assemble
from foreseq.language.training import Learner
from foreseq.network import memory
from foreseq.network.build import forecaster
from foreseq.training import model_cache
from foreseq.training.losses import NO_UNITS

FIELDS = {"dataset": {"source": "memory", "horizon": 3, "freq": "1", "season": 4}}


@pytest.mark.parametrize("kind", ["simple", "gru", "lstm"])
def test_the_estimate_of_weights_is_close_and_never_too_high(kind):
    cells = {"kind": kind, "units": (32, 16)}
    experiment = resolved({**FIELDS, "network": {"cells": cells}})
    built = forecaster(experiment.network, horizon=3, season=4, dates=0, seed=1)
    estimated = memory.weights(ResolvedCells(**cells), inputs=1)
    assert built.count_params() / 2 < estimated < built.count_params()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("training.batch_size", 100_000_000),
        ("network.context", 10**9),
        ("network.cells.units", "[10000000]"),
    ],
)
def test_a_forecaster_larger_than_memory_is_refused_with_the_field_to_lower(field, value):
    experiment = resolved(FIELDS, [f"{field}={value}"])
    with pytest.raises(ConfigError, match=rf"needs at least [\d,]+ GB of memory, .*lower.*{field}"):
        model_cache.CompiledModel(model_cache.compile_key(experiment), NO_UNITS)


@pytest.mark.parametrize("setting", ["training.streams=10000000", "network.cells.units=[10000000]"])
def test_a_language_model_larger_than_memory_is_refused_with_the_field_to_lower(setting):
    corpus = assemble(["steep"])
    parts = Parts(corpus.passage, corpus.passage, corpus.passage)
    experiment = load_text_experiment(None, [setting])
    with pytest.raises(ConfigError, match=rf"lower .*{setting.partition('=')[0]}"):
        Learner(parts, corpus.vocabulary.size, experiment)


def test_the_limit_is_at_most_the_memory_of_the_machine():
    assert 1e8 < memory.limit() < 1e15
