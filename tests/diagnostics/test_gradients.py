import numpy as np
import pytest

from foreseq.config import ResolvedCells
from foreseq.diagnostics import gradients
from foreseq.diagnostics.gradients import Flow, gradient_norms
from foreseq.diagnostics.probes import ProbeConfig
from foreseq.network.cells import recurrent_stack

UNITS = 6


def linear(rho, rng):
    """Return h = x + rho Q h, as a relu cell that never leaves the positive side."""
    cells = ResolvedCells(kind="simple", units=(UNITS,), activation="relu")
    stack = recurrent_stack(cells, every_step=False, seed=1)
    stack.build((None, None, UNITS))
    shift = np.roll(np.eye(UNITS), 1, axis=1)  # a permutation: orthogonal and positive
    for weight, value in zip(
        stack.trainable_weights, (np.eye(UNITS), rho * shift, np.ones(UNITS)), strict=True
    ):
        weight.assign(value)
    return stack


@pytest.mark.parametrize("rho", [0.5, 0.9, 1.0, 1.1])
def test_a_linear_recurrence_carries_rho_to_the_power_of_the_lag(rho, rng):
    read = rng.random((4, 30, UNITS)).astype(np.float32)
    norms = gradient_norms(linear(rho, rng), read, seed=1)
    np.testing.assert_allclose(norms, rho ** np.arange(30), rtol=1e-5)


def test_measuring_leaves_the_stack_as_it_was(rng):
    stack = linear(0.9, rng)
    before = [np.array(weight) for weight in stack.weights]
    gradient_norms(stack, rng.random((4, 10, UNITS)).astype(np.float32), seed=1)
    for weight, kept in zip(stack.weights, before, strict=True):
        np.testing.assert_array_equal(np.array(weight), kept)
    assert len(stack.trainable_weights) == 3


@pytest.mark.parametrize("kind", ["simple", "lstm", "gru"])
def test_norms_are_the_slopes_that_finite_differences_give(kind, rng):
    stack = recurrent_stack(ResolvedCells(kind=kind, units=(5,)), every_step=False, seed=1)
    read = rng.normal(size=(1, 8, 1)).astype(np.float32)
    norms = gradient_norms(stack, read, seed=3)
    direction = np.random.default_rng(3).normal(size=(1, 5))
    direction /= np.linalg.norm(direction)
    for lag in (0, 3):
        ends = []
        for nudge in (1e-2, -1e-2):
            nudged = read.copy()
            nudged[0, -1 - lag, 0] += nudge
            ends.append((direction * np.array(stack(nudged))).sum())
        assert norms[lag] == pytest.approx(abs(ends[0] - ends[1]) / 2e-2, rel=2e-2, abs=1e-5)


def test_a_larger_forget_bias_carries_further(rng):
    def far(bias):
        cells = ResolvedCells(kind="lstm", units=(16,), forget_bias=bias)
        stack = recurrent_stack(cells, every_step=False, seed=1)
        return gradient_norms(stack, rng.normal(size=(8, 40, 2)).astype(np.float32), seed=1)[-1]

    assert far(3.0) > 100 * far(1.0)


@pytest.mark.parametrize(
    ("norms", "verdict"),
    [
        ([1.0, 0.5], "flows"),
        ([1.0, 1e-6], "vanishes"),
        ([1e-3, 10.0], "explodes"),
        ([1.0, np.nan], "explodes"),
        ([0.0, 0.0], "vanishes"),
    ],
)
def test_the_verdict_compares_the_ends(norms, verdict):
    assert Flow("gru", "trained", np.array(norms)).verdict == verdict


@pytest.mark.slow
def test_a_comparison_holds_every_cell_at_every_stage():
    cells = ResolvedCells(kind="lstm", units=(4,), forget_bias=2.0)
    probe = ProbeConfig(length=12, steps=3, batch=4)
    flows = gradients.gradient_flow(cells, probe)
    assert {(flow.kind, flow.stage) for flow in flows} == {
        (kind, stage) for kind in gradients.KINDS for stage in gradients.STAGES
    }
    shown = gradients.table(flows)
    assert shown.columns.tolist() == ["cell", "stage", "lag", "norm"]
    assert len(shown) == 9 * 12
    assert (shown["norm"] > 0).all()
    assert len(gradients.gradient_figure(flows).axes[0].lines) == 9


def test_warnings_name_cell_stage_lag_and_remedy():
    dead = Flow("simple", "untrained", np.geomspace(1, 1e-9, 51))
    fine = Flow("lstm", "trained", np.ones(51))
    (warning,) = gradients.warnings([dead, fine])
    assert warning.startswith("simple, untrained: the gradient vanishes, from 1.0e+00 at lag 0 to")
    assert "1.0e-09 at lag 50; take lstm" in warning
