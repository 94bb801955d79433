"""First weights of recurrent layers."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from foreseq.config import ResolvedCells

GATES = {"simple": 1, "lstm": 4, "gru": 3}
"""Number of gates, whose blocks are side by side in Keras's weights: i, f, g, o and z, r, g."""
MEMORY_GATE = {"lstm": 1, "gru": 0}
"""Position of the gate that keeps the old state."""
DEFAULT_BIAS = {"lstm": 1.0, "gru": 0.0}
"""Of the memory gate, as Keras has it."""
SEED_STRIDE = 10_007
"""Distance of the seeds of two gates: more than separates layers and members of an ensemble."""


class GateByGate(keras.initializers.Initializer):  # type: ignore[misc]  # Keras ships no types
    """Draws the block of each gate by itself."""

    def __init__(self, blocks: Sequence[keras.initializers.Initializer]) -> None:
        self.blocks = blocks

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return a weight matrix."""
        *rows, columns = shape
        block = (*rows, columns // len(self.blocks))
        return ops.concatenate([draw(block, dtype=dtype) for draw in self.blocks], axis=-1)


class GateBias(keras.initializers.Initializer):  # type: ignore[misc]
    """Fills the block of one gate, of a GRU's two biases only the input's; the rest is zero."""

    def __init__(self, value: float, gate: int, gates: int) -> None:
        self.value, self.gate, self.gates = value, gate, gates

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return a bias, of shape (columns,) or (2, columns)."""
        width = shape[-1] // self.gates
        column = ops.arange(shape[-1]) // width == self.gate
        row = ops.cast(column, dtype) * self.value
        if len(shape) == 1:
            return row
        return ops.stack([row, ops.zeros_like(row)])


def bias(cells: ResolvedCells) -> keras.initializers.Initializer:
    """Return the initializer of the biases of LSTM or GRU cells."""
    value = DEFAULT_BIAS[cells.kind] if cells.forget_bias is None else cells.forget_bias
    return GateBias(value, MEMORY_GATE[cells.kind], GATES[cells.kind])


def kernels(
    cells: ResolvedCells, seed: int
) -> tuple[keras.initializers.Initializer, keras.initializers.Initializer]:
    """Return the initializers of the weights of the input and of the state."""
    glorot, orthogonal = keras.initializers.GlorotUniform, keras.initializers.Orthogonal
    if cells.initializer == "joint":
        return glorot(seed=seed), orthogonal(seed=seed + 1)
    if cells.initializer == "identity":
        return glorot(seed=seed), keras.initializers.Identity()
    recurrent = glorot if cells.initializer == "glorot" else orthogonal
    offsets = [SEED_STRIDE * gate for gate in range(GATES[cells.kind])]
    return (
        GateByGate([glorot(seed=seed + offset) for offset in offsets]),
        GateByGate([recurrent(seed=seed + 1 + offset) for offset in offsets]),
    )
