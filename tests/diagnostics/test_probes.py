import numpy as np
import pytest

from foreseq.config import ResolvedCells
from foreseq.diagnostics import probes
from foreseq.diagnostics.probes import ProbeConfig, sequence_network
from foreseq.errors import ConfigError


def test_the_two_marks_stand_in_different_halves(rng):
    inputs, _ = probes.adding(50, 9, rng)
    marks = inputs[..., 1]
    assert (marks[:, :4].sum(axis=1) == 1).all()
    assert (marks[:, 4:].sum(axis=1) == 1).all()


def test_always_predicting_1_errs_by_a_sixth(rng):
    _, targets = probes.adding(100_000, 4, rng)
    assert np.square(targets - 1).mean() == pytest.approx(probes.ADDING_BLIND, abs=3e-3)


def test_a_copy_is_asked_for_after_the_signal(rng):
    inputs, targets = probes.copy(5, 30, rng)
    numbers = inputs.argmax(axis=2)
    assert (numbers[:, 39] == probes.ALPHABET + 1).all()
    assert (numbers[:, 10:39] == 0).all()
    assert (numbers[:, 40:] == 0).all()
    np.testing.assert_array_equal(targets[:, 40:], numbers[:, :10])
    assert (targets[:, :40] == 0).all()


def test_examples_are_a_pure_function_of_seed_and_number():
    probe = ProbeConfig(length=8)
    np.testing.assert_array_equal(
        probes.examples(probe, 3).inputs, probes.examples(probe, 3).inputs
    )
    assert (probes.examples(probe, 3).inputs != probes.examples(probe, 4).inputs).any()


@pytest.mark.parametrize("task", ["adding", "copy"])
def test_a_short_task_is_learned(task):
    probe = ProbeConfig(task=task, length=6, steps=150, learning_rate=5e-3)
    losses = probes.train(ResolvedCells(kind="gru", units=(24,)), probe).losses
    assert losses[-10:].mean() < 0.7 * losses[:10].mean()


@pytest.mark.slow
def test_gates_remember_what_simple_cells_forget():
    probe = ProbeConfig(length=40, steps=1500, learning_rate=5e-3)
    losses = {
        kind: probes.train(ResolvedCells(kind=kind, units=(32,)), probe).losses[-50:].mean()
        for kind in ("simple", "lstm")
    }
    assert losses["lstm"] < probes.ADDING_BLIND / 10 < losses["simple"]


@pytest.mark.parametrize("kind", ["simple", "lstm", "gru"])
@pytest.mark.parametrize(
    ("shape", "needed"),
    [
        ("sequence to sequence", (2, 7, 4)),
        ("sequence to one", (2, 4)),
        ("one to sequence", (2, 7, 4)),
    ],
)
def test_a_network_has_the_shape_asked_for(kind, shape, needed, rng):
    cells = ResolvedCells(kind=kind, units=(6, 5))
    network = sequence_network(cells, shape=shape, outputs=4, steps=7, seed=1)
    x = rng.normal(size=(2, 3) if shape.startswith("one") else (2, 7, 3))
    assert network(x).shape == needed


def test_one_to_one_is_refused_because_nothing_would_recur():
    with pytest.raises(ConfigError, match="nothing could recur"):
        sequence_network(ResolvedCells(units=(1,)), shape="one to one", outputs=1, steps=1, seed=1)
