"""How far back a recurrent stack can learn from: the gradient of its last state at each lag.

Backpropagation multiplies by one Jacobian a step. Where the product vanishes, nothing is learned
from early inputs; where it explodes, one batch can ruin all weights.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import pandas as pd
from keras import ops
from matplotlib.figure import Figure
from numpy.typing import NDArray

from foreseq.config import ResolvedCells
from foreseq.diagnostics import probes
from foreseq.diagnostics.probes import ProbeConfig

VANISHED, EXPLODED = 1e-5, 1e3
"""Bounds of the gradient at the longest lag, relative to lag 0, outside of which to warn."""
KINDS: tuple[Literal["simple", "lstm", "gru"], ...] = ("simple", "lstm", "gru")
STAGES = ("untrained", "trained", "trained without clipping")
COLOURS = {"simple": "#d55e00", "lstm": "#0072b2", "gru": "#009e73"}
DASHES = dict(zip(STAGES, (":", "-", "--"), strict=True))


class Flow(NamedTuple):
    """How strongly the last state depends on the inputs before it."""

    kind: str
    stage: str
    norms: NDArray[np.float64]
    """Gradient of the last state along a random direction, root mean square over sequences, by
    lag: element k is for the input k steps before the last; shape (time,)."""

    @property
    def verdict(self) -> str:
        """Whether the gradient `vanishes`, `explodes` or `flows` up to the longest lag.

        Example:
            >>> Flow("simple", "untrained", np.array([1.0, 1e-3, 1e-6])).verdict
            'vanishes'
        """
        if not np.isfinite(self.norms).all():
            return "explodes"
        share = self.norms[-1] / max(self.norms[0], np.finfo(float).tiny)
        if share < VANISHED:
            return "vanishes"
        return "explodes" if share > EXPLODED else "flows"


def gradient_norms(
    stack: keras.Layer, sequences: NDArray[np.float32], *, seed: int
) -> NDArray[np.float64]:
    """Return the norms of a `Flow`, shape (time,).

    Why by a training step: Keras has no other gradient that works with all its backends. Zeros are
    added to the input as if they were weights; one step of gradient descent at rate 1 turns them
    into the negative gradient.

    Args:
        stack: Maps (batch, time, features) to the last state, (batch, units); is not changed.
        sequences: Shape (batch, time, features).
        seed: Of the directions, one for each sequence.
    """
    inputs = keras.Input(sequences.shape[1:], batch_size=len(sequences))
    nudged = _Nudged(stack, sequences.shape)
    states = nudged(inputs)
    direction = np.random.default_rng(seed).normal(size=states.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    trainable, stack.trainable = stack.trainable, False
    try:
        probe = keras.Model(inputs, states)
        probe.compile(keras.optimizers.SGD(1.0), loss=_along)
        probe.train_on_batch(sequences, direction.astype(keras.config.floatx()))
    finally:
        stack.trainable = trainable
    gradient = -np.array(nudged.zeros, np.float64)  # (batch, time, features)
    squares = np.square(gradient).sum(axis=2).mean(axis=0)
    return np.asarray(np.sqrt(squares)[::-1])


def gradient_flow(cells: ResolvedCells, probe: ProbeConfig) -> list[Flow]:
    """Compare the three cells before and after training on a task, with clipping and without.

    Options of the stack that only its own cell has are left out for the other two.
    """
    inputs = probes.examples(probe, probe.steps).inputs
    flows = []
    for kind in KINDS:
        own = _of_kind(cells, kind)
        networks = (
            probes.build(own, probe),
            probes.train(own, probe).network,
            probes.train(own, probe.model_copy(update={"clip": None})).network,
        )
        flows += [
            Flow(kind, stage, gradient_norms(network.layers[0], inputs, seed=probe.seed))
            for stage, network in zip(STAGES, networks, strict=True)
        ]
    return flows


def table(flows: Sequence[Flow]) -> pd.DataFrame:
    """Return a table with columns `cell`, `stage`, `lag` and `norm`."""
    tables = [
        pd.DataFrame({"lag": np.arange(len(flow.norms)), "norm": flow.norms}).assign(
            cell=flow.kind, stage=flow.stage
        )
        for flow in flows
    ]
    return pd.concat(tables, ignore_index=True)[["cell", "stage", "lag", "norm"]]


def warnings(flows: Sequence[Flow]) -> list[str]:
    """Return a sentence for each flow that vanishes or explodes."""
    return [
        f"{flow.kind}, {flow.stage}: the gradient {flow.verdict}, from {flow.norms[0]:.1e} at lag 0"
        f" to {flow.norms[-1]:.1e} at lag {len(flow.norms) - 1}; {_remedy(flow)}"
        for flow in flows
        if flow.verdict != "flows"
    ]


def gradient_figure(flows: Sequence[Flow]) -> Figure:
    """Draw norms by lag, a line for each cell and stage."""
    figure = Figure(figsize=(10, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for flow in flows:
        axes.plot(
            np.maximum(flow.norms, np.finfo(float).tiny),
            color=COLOURS[flow.kind],
            linestyle=DASHES[flow.stage],
            label=f"{flow.kind}, {flow.stage}",
        )
    axes.set_yscale("log")
    axes.set_xlabel("lag in steps")
    axes.set_ylabel("gradient of the last state")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def _remedy(flow: Flow) -> str:
    if flow.verdict == "explodes":
        return "clip it, or begin with smaller weights"
    if flow.kind == "simple":
        return "take lstm or gru cells, or fold steps with a larger patch"
    return "give its gates a larger forget_bias, or fold steps with a larger patch"


def _of_kind(cells: ResolvedCells, kind: Literal["simple", "lstm", "gru"]) -> ResolvedCells:
    if cells.kind == kind:
        return cells
    only_some = {"reset_after", "activation", "initializer", "forget_bias"}
    return ResolvedCells.model_validate({**cells.model_dump(exclude=only_some), "kind": kind})


def _along(direction: Any, states: Any) -> Any:
    """Return the states' components in a direction, times the batch size Keras divides by."""
    return ops.sum(direction * states, axis=1) * ops.cast(ops.shape(states)[0], states.dtype)


class _Nudged(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Adds trainable zeros to the input of a stack."""

    def __init__(self, stack: keras.Layer, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.stack = stack
        self.zeros = self.add_weight(shape, initializer="zeros")
        self.built = True

    def call(self, sequence: Any) -> Any:
        return self.stack(sequence + self.zeros, training=False)
