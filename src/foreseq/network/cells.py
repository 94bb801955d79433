"""Recurrent stacks: the part that forecasts and text share.

The equations, with x the input and h the state of a step, sigma the logistic function:

    simple   h' = phi(x W + h U + b)
    lstm     i, f, o = sigma(x W + h U + b);  g = tanh(x W + h U + b)
             c' = f c + i g;  h' = o tanh(c')
    gru      z, r = sigma(x W + h U + b);  g = tanh(x W + (r h) U + b)
             h' = z h + (1 - z) g

Two traps. The GRU's z keeps the old state, as Keras has it; many textbooks write 1 - z for it,
which is the same family with z's weights negated. And `reset_after=True`, the default, computes
g = tanh(x W + b + r (h U + b')): what GPU kernels do, a different function from the one above,
with a second bias.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
from keras import ops

from foreseq.config import ResolvedCells
from foreseq.errors import ConfigError
from foreseq.network import recurrence

GATES = {"simple": 1, "lstm": 4, "gru": 3}
"""Blocks side by side in the weights of one layer; lstm: i, f, g, o; gru: z, r, g."""
KEEPING = {"lstm": 1, "gru": 0}
"""Which of these blocks is the gate that keeps the old state."""
Shape = Literal["sequence to sequence", "sequence to one", "one to sequence", "one to one"]
"""What a recurrence reads and writes."""
APART = 10_007
"""Between the seeds of two gates: more than separates layers and members of an ensemble."""


def recurrent_stack(
    cells: ResolvedCells, *, every_step: bool, seed: int, carry: bool = False
) -> "RecurrentStack":
    """Build the layers that turn a sequence into states.

    Maps (batch, time, features) to (batch, time, units) when `every_step` is true, as text needs,
    and to (batch, units) when only the last state matters, as forecasts do.

    Args:
        cells: Which recurrence, how wide, how much is dropped.
        every_step: Whether the top layer answers at each step.
        seed: Of initial weights and of what is dropped; each layer draws its own.
        carry: Whether the stack also takes first states and returns the last ones.
    """
    return RecurrentStack(cells, every_step=every_step, seed=seed, carry=carry)


def state_widths(cells: ResolvedCells) -> tuple[int, ...]:
    """Return how wide each carried state is, from the first layer upwards.

    Example:
        >>> state_widths(ResolvedCells(kind="lstm", units=(8, 4)))
        (8, 8, 4, 4)
    """
    each = 2 if cells.kind == "lstm" else 1
    return tuple(units for units in cells.units for _ in range(each))


def sequence_network(
    cells: ResolvedCells,
    *,
    shape: Shape,
    outputs: int,
    steps: int,
    seed: int,
) -> keras.Sequential:
    """Build a small network of one of the three shapes a recurrence can serve.

    Args:
        cells: The recurrent stack.
        shape: What is read and what is written. A sequence is (batch, steps, features) or
            (batch, steps, outputs); one that is read, (batch, features), is shown at every step;
            one that is written, (batch, outputs), comes after the last step.
        outputs: Numbers answered at a time.
        steps: Steps of the sequence that is read or written.
        seed: Of initial weights and of what is dropped.

    Raises:
        ConfigError: If it would read one and write one.
    """
    if shape == "one to one":
        raise ConfigError(
            "one in, one out has no second step, so nothing could recur;"
            " use dense layers, or read or write a sequence"
        )
    return keras.Sequential(
        [
            *([keras.layers.RepeatVector(steps)] if shape == "one to sequence" else []),
            recurrent_stack(cells, every_step=shape != "sequence to one", seed=seed),
            keras.layers.Dense(
                outputs, kernel_initializer=keras.initializers.GlorotUniform(seed=seed + 99)
            ),
        ]
    )


class RecurrentStack(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Layers of one kind of cell, one on top of the other."""

    def __init__(self, cells: ResolvedCells, *, every_step: bool, seed: int, carry: bool) -> None:
        super().__init__(name=f"{cells.kind}_stack")
        self.cells, self.every_step, self.carry = cells, every_step, carry
        layers = len(cells.units)
        self.recurrences = [
            _recurrence(cells, depth, every_step=every_step or depth < layers - 1, seed=seed)
            for depth in range(layers)
        ]
        self.norms = [
            keras.layers.LayerNormalization(name=f"norm_{depth}")
            for depth in range(1, layers)
            if cells.layer_norm
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs of shape (batch, time, features)."""
        for depth, layer in enumerate(self.recurrences):
            if depth and self.norms:
                self.norms[depth - 1].build(shape)
            layer.build(shape)
            shape = (*shape[:2], layer.units)

    def compute_output_spec(
        self,
        sequence: Any,
        first: Sequence[Any] | None = None,  # noqa: ARG002 as `call` has them
        training: bool | None = None,  # noqa: ARG002
        every: bool = False,
    ) -> Any:
        """Tell what `call` returns, which Keras would find out by tracing all of it."""
        batch, time, _ = sequence.shape
        widths = state_widths(self.cells)

        def states(width: int, each: bool) -> keras.KerasTensor:
            shape = (batch, time, width) if each else (batch, width)
            return keras.KerasTensor(shape, self.compute_dtype)

        above = states(widths[-1], self.every_step)
        return (above, [states(width, every) for width in widths]) if self.carry else above

    def call(
        self,
        sequence: Any,
        first: Sequence[Any] | None = None,
        training: bool | None = None,
        every: bool = False,
    ) -> Any:
        """Return the states of the top layer; with `carry`, also the last states of all layers.

        Args:
            sequence: Shape (batch, time, features).
            first: States to begin with, as wide as `state_widths` says, shape (batch, width)
                each; zeros if left out.
            training: Whether to drop.
            every: Whether to return the states of all layers after every step, (batch, time, width)
                each, rather than the last ones. Not of LSTM, whose memory is known at the end only.
        """
        last: list[Any] = []
        each = 2 if self.cells.kind == "lstm" else 1
        for depth, layer in enumerate(self.recurrences):
            begin = None if first is None else list(first[each * depth : each * (depth + 1)])
            below = self.norms[depth - 1](sequence) if depth and self.norms else sequence
            above, *states = layer(below, initial_state=begin, training=training)
            last.extend([above] if every else states)
            if depth and self.cells.residual:
                above = above + (sequence if layer.return_sequences else sequence[:, -1])
            sequence = above
        return (sequence, last) if self.carry else sequence


class _WeightDropped:
    """A recurrence whose recurrent weights are dropped once for a batch.

    Why not `recurrent_dropout`: that one changes each step of the loop, which fused kernels cannot
    do. Here they are handed a thinned matrix and never know.
    """

    def drop_weights(self, rate: float, seed: int) -> None:
        self.weight_dropout = rate
        self.weight_seed = keras.random.SeedGenerator(seed)

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        cell = self.cell  # type: ignore[attr-defined]
        if not (training and self.weight_dropout):
            return self.walk(sequences, initial_state, mask, training=training)
        whole = cell.recurrent_kernel
        cell.recurrent_kernel = keras.random.dropout(
            ops.convert_to_tensor(whole), self.weight_dropout, seed=self.weight_seed
        )
        try:
            return self.walk(sequences, initial_state, mask, training=training)
        finally:
            cell.recurrent_kernel = whole

    def walk(self, sequences: Any, initial_state: Any, mask: Any, *, training: bool) -> Any:
        """Run the loop: ours where there is one for the cell and no fused kernel, else Keras's."""
        cell = self.cell  # type: ignore[attr-defined]
        run = self.loop(initial_state)
        if run is None or mask is not None or cell.recurrent_dropout or has_gpu():
            return super().inner_loop(sequences, initial_state, mask, training=training)  # type: ignore[misc]
        if training and cell.dropout:
            sequences = sequences * cell.get_dropout_mask(sequences[:, 0])[:, None]
        steps = ops.transpose(sequences, (1, 0, 2))
        every, last = run(ops.matmul(steps, ops.convert_to_tensor(cell.kernel)))
        wanted = ops.transpose(every, (1, 0, 2)) if self.return_sequences else every[-1]  # type: ignore[attr-defined]
        return every[-1], wanted, [every[-1], *last]

    def loop(self, _first: Any) -> Callable[[Any], tuple[Any, list[Any]]] | None:
        """Return what turns the sums of the inputs into every h and the other last states."""
        return None


class _SimpleRNN(_WeightDropped, keras.layers.SimpleRNN):  # type: ignore[misc]
    """Simple cells."""


class _LSTM(_WeightDropped, keras.layers.LSTM):  # type: ignore[misc]
    """LSTM cells."""

    def loop(self, first: Any) -> Callable[[Any], tuple[Any, list[Any]]]:
        cell, (hidden, memory) = self.cell, first

        def run(sums: Any) -> tuple[Any, list[Any]]:
            weights = ops.copy(cell.recurrent_kernel)  # a custom gradient wants a value
            every, last = recurrence.lstm(sums + cell.bias, weights, hidden, memory)
            return every, [last]

        return run


class _GRU(_WeightDropped, keras.layers.GRU):  # type: ignore[misc]
    """GRU cells."""

    def loop(self, first: Any) -> Callable[[Any], tuple[Any, list[Any]]] | None:
        cell = self.cell
        if not cell.reset_after:
            return None
        (hidden,) = first

        def run(sums: Any) -> tuple[Any, list[Any]]:
            weights = ops.copy(cell.recurrent_kernel)  # a custom gradient wants a value
            outer, inner = ops.unstack(ops.convert_to_tensor(cell.bias))
            return recurrence.gru(sums + outer, weights, inner, hidden), []

        return run


def has_gpu() -> bool:
    """Tell whether there is a GPU, whose fused cells need no loop of ours and no XLA."""
    return bool(keras.distribution.list_devices("gpu"))


class _GateByGate(keras.initializers.Initializer):  # type: ignore[misc]
    """Draws each gate's block of a weight matrix by itself."""

    def __init__(self, blocks: Sequence[keras.initializers.Initializer]) -> None:
        self.blocks = blocks

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        *rows, columns = shape
        block = (*rows, columns // len(self.blocks))
        return ops.concatenate([draw(block, dtype=dtype) for draw in self.blocks], axis=-1)


class _FirstRow(keras.initializers.Initializer):  # type: ignore[misc]
    """Fills one gate's block of a bias; of a GRU's two biases only the input's."""

    def __init__(self, value: float, gate: int, gates: int) -> None:
        self.value, self.gate, self.gates = value, gate, gates

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        width = shape[-1] // self.gates
        column = ops.arange(shape[-1]) // width == self.gate
        row = ops.cast(column, dtype) * self.value
        if len(shape) == 1:
            return row
        return ops.stack([row, ops.zeros_like(row)])


def _recurrence(
    cells: ResolvedCells, depth: int, *, every_step: bool, seed: int
) -> keras.layers.RNN:
    """Build one layer."""
    draw = seed + 2 * depth
    kernel, recurrent = _first_weights(cells, draw)
    options = {
        "dropout": cells.dropout,
        "recurrent_dropout": cells.recurrent_dropout,
        "kernel_initializer": kernel,
        "recurrent_initializer": recurrent,
        "seed": draw,
        "return_sequences": every_step,
        "return_state": True,
        "name": f"{cells.kind}_{depth}",
    }
    units = cells.units[depth]
    if cells.kind == "simple":
        layer = _SimpleRNN(units, activation=cells.activation, **options)
    elif cells.kind == "lstm":
        bias = _first_bias(cells, 1.0)
        layer = _LSTM(units, bias_initializer=bias, unit_forget_bias=False, **options)
    else:
        bias = _first_bias(cells, 0.0)
        layer = _GRU(units, bias_initializer=bias, reset_after=cells.reset_after, **options)
    layer.drop_weights(cells.weight_dropout, draw + 1)
    return layer


def _first_bias(cells: ResolvedCells, usual: float) -> keras.initializers.Initializer:
    value = usual if cells.forget_bias is None else cells.forget_bias
    return _FirstRow(value, KEEPING[cells.kind], GATES[cells.kind])


def _first_weights(
    cells: ResolvedCells, seed: int
) -> tuple[keras.initializers.Initializer, keras.initializers.Initializer]:
    """Return what draws the weights of the input and of the state."""
    glorot, orthogonal = keras.initializers.GlorotUniform, keras.initializers.Orthogonal
    if cells.initializer == "joint":
        return glorot(seed=seed), orthogonal(seed=seed + 1)
    if cells.initializer == "identity":
        return glorot(seed=seed), keras.initializers.Identity()
    gates = range(GATES[cells.kind])
    own = glorot if cells.initializer == "glorot" else orthogonal
    return (
        _GateByGate([glorot(seed=seed + APART * gate) for gate in gates]),
        _GateByGate([own(seed=seed + 1 + APART * gate) for gate in gates]),
    )
