"""The recurrent stack that forecasts and text share.

The equations, with x the input and h the state of a step, sigma the logistic function:

    simple   h' = phi(x W + h U + b)
    lstm     i, f, o = sigma(x W + h U + b);  g = tanh(x W + h U + b)
             c' = f c + i g;  h' = o tanh(c')
    gru      z, r = sigma(x W + h U + b);  g = tanh(x W + (r h) U + b)
             h' = z h + (1 - z) g

Two traps. The GRU's z keeps the old state, as in Keras; many textbooks write 1 - z for it, which is
the same family with z's weights negated. And `reset_after=True`, the default, computes
g = tanh(x W + b + r (h U + b')), as GPU kernels do: another function than the one above, with a
second bias.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from foreseq.config import ResolvedCells
from foreseq.network import initializers, recurrence


def recurrent_stack(
    cells: ResolvedCells, *, every_step: bool, seed: int, carry: bool = False
) -> "RecurrentStack":
    """Build the layers that turn a sequence into states.

    Args:
        cells: Cell, widths and dropout.
        every_step: Whether to map (batch, time, features) to the states at every step, (batch,
            time, units), as for text, or to the last state, (batch, units), as for forecasts.
        seed: Of initial weights and dropout.
        carry: Whether the stack also takes first states and returns the last ones.
    """
    return RecurrentStack(cells, every_step=every_step, seed=seed, carry=carry)


def state_widths(cells: ResolvedCells) -> tuple[int, ...]:
    """Return the width of each carried state, from the first layer upwards.

    Example:
        >>> state_widths(ResolvedCells(kind="lstm", units=(8, 4)))
        (8, 8, 4, 4)
    """
    return tuple(units for units in cells.units for _ in range(_states_per_layer(cells)))


class RecurrentStack(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Layers of one cell, one on top of the other."""

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
        """Create the weights for inputs of shape (batch, time, features)."""
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
        """Return the shapes of what `call` returns, which Keras would otherwise trace."""
        batch, time, _ = sequence.shape
        widths = state_widths(self.cells)

        def states(width: int, at_every_step: bool) -> keras.KerasTensor:
            shape = (batch, time, width) if at_every_step else (batch, width)
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
            first: First states, as wide as `state_widths`, (batch, width) each; None: zeros.
            training: Whether to apply dropout.
            every: Whether to return the states of all layers after every step, (batch, time, width)
                each, instead of the last ones; not for LSTM, which returns its last memory only.
        """
        last: list[Any] = []
        count = _states_per_layer(self.cells)
        for depth, layer in enumerate(self.recurrences):
            begin = None if first is None else list(first[count * depth : count * (depth + 1)])
            below = self.norms[depth - 1](sequence) if depth and self.norms else sequence
            above, *states = layer(below, initial_state=begin, training=training)
            last.extend([above] if every else states)
            if depth and self.cells.residual:
                above = above + (sequence if layer.return_sequences else sequence[:, -1])
            sequence = above
        return (sequence, last) if self.carry else sequence


class _WeightDropped:
    """A recurrent layer with dropout of its recurrent weights, one mask for a batch.

    Why not `recurrent_dropout`: it changes the loop, which fused kernels do not allow. This changes
    the matrix they are given.
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
        """Run the loop: of `recurrence` if it has the cell and there is no GPU, else of Keras."""
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
        """Return a function from x W to all h and the other last states; None: use Keras."""
        return None


class _SimpleRNN(_WeightDropped, keras.layers.SimpleRNN):  # type: ignore[misc]
    """Simple cells."""


class _LSTM(_WeightDropped, keras.layers.LSTM):  # type: ignore[misc]
    """LSTM cells."""

    def loop(self, first: Any) -> Callable[[Any], tuple[Any, list[Any]]]:
        cell, (hidden, memory) = self.cell, first

        def run(sums: Any) -> tuple[Any, list[Any]]:
            weights = ops.copy(cell.recurrent_kernel)  # a custom gradient needs a value
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
            weights = ops.copy(cell.recurrent_kernel)  # a custom gradient needs a value
            outer, inner = ops.unstack(ops.convert_to_tensor(cell.bias))
            return recurrence.gru(sums + outer, weights, inner, hidden), []

        return run


def has_gpu() -> bool:
    """Return whether there is a GPU; its fused cells need neither `recurrence` nor XLA."""
    return bool(keras.distribution.list_devices("gpu"))


def _recurrence(
    cells: ResolvedCells, depth: int, *, every_step: bool, seed: int
) -> keras.layers.RNN:
    """Build one layer."""
    draw = seed + 2 * depth
    kernel, recurrent = initializers.kernels(cells, draw)
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
        layer = _LSTM(
            units, bias_initializer=initializers.bias(cells), unit_forget_bias=False, **options
        )
    else:
        layer = _GRU(
            units,
            bias_initializer=initializers.bias(cells),
            reset_after=cells.reset_after,
            **options,
        )
    layer.drop_weights(cells.weight_dropout, draw + 1)
    return layer


def _states_per_layer(cells: ResolvedCells) -> int:
    return 2 if cells.kind == "lstm" else 1
