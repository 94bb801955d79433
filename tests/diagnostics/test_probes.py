import numpy as np
import pytest

from foreseq.config import ResolvedCells
from foreseq.diagnostics import probes
from foreseq.diagnostics.probes import ProbeConfig


def test_the_two_marks_stand_in_different_halves(rng):
    read, _ = probes.adding(50, 9, rng)
    marks = read[..., 1]
    assert (marks[:, :4].sum(axis=1) == 1).all()
    assert (marks[:, 4:].sum(axis=1) == 1).all()


def test_always_answering_1_errs_by_a_sixth(rng):
    _, answers = probes.adding(100_000, 4, rng)
    assert np.square(answers - 1).mean() == pytest.approx(probes.ADDING_BLIND, abs=3e-3)


def test_a_copy_is_asked_for_after_the_signal(rng):
    read, answers = probes.copy(5, 30, rng)
    numbers = read.argmax(axis=2)
    assert (numbers[:, 39] == probes.ALPHABET + 1).all()
    assert (numbers[:, 10:39] == 0).all()
    assert (numbers[:, 40:] == 0).all()
    np.testing.assert_array_equal(answers[:, 40:], numbers[:, :10])
    assert (answers[:, :40] == 0).all()


def test_examples_are_a_pure_function_of_seed_and_number():
    probe = ProbeConfig(length=8)
    np.testing.assert_array_equal(probes.examples(probe, 3).read, probes.examples(probe, 3).read)
    assert (probes.examples(probe, 3).read != probes.examples(probe, 4).read).any()


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
