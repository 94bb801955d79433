"""The loops of LSTM and GRU with gradients written out, for processors without fused kernels.

Differentiating a loop adds the gradient of the recurrent weights up step by step, each time through
a product too thin for the processor and a pass over the whole matrix. Here the way back only
gathers what each step's sums owe; one wide product over all steps turns that into the gradient, as
fused kernels do on GPUs.

Sequences are (time, batch, ...) here; gates lie side by side in the order of Keras's weights.
"""

from collections.abc import Callable, Sequence
from typing import Any

from keras import KerasTensor, ops

Step = Callable[[Sequence[KerasTensor], Sequence[KerasTensor]], list[KerasTensor]]

FEW = 4
"""Steps up to which a loop is written out: it is traced and run sooner than one that counts."""


def lstm(
    sums: KerasTensor, weights: KerasTensor, hidden: KerasTensor, memory: KerasTensor
) -> tuple[KerasTensor, KerasTensor]:
    """Run an LSTM.

    Args:
        sums: What the inputs add to the gates i, f, g, o, bias included, (time, batch, 4 units).
        weights: Of the state, shape (units, 4 units).
        hidden: First h, shape (batch, units).
        memory: First c, shape (batch, units).

    Returns:
        Every h, shape (time, batch, units), and the last c.
    """
    return _lstm(sums, weights, hidden, memory)  # type: ignore[no-any-return]


def gru(
    sums: KerasTensor, weights: KerasTensor, bias: KerasTensor, hidden: KerasTensor
) -> KerasTensor:
    """Run a GRU whose reset gate acts after the product of state and weights.

    Args:
        sums: What the inputs add to z, r, g, their bias included, (time, batch, 3 units).
        weights: Of the state, shape (units, 3 units).
        bias: Added to that product, shape (3 units,).
        hidden: First h, shape (batch, units).

    Returns:
        Every h, shape (time, batch, units).
    """
    return _gru(sums, weights, bias, hidden)


@ops.custom_gradient  # type: ignore[untyped-decorator]
def _lstm(sums: Any, weights: Any, hidden: Any, memory: Any) -> Any:
    blank = ops.zeros_like(hidden)

    def forth(state: Sequence[KerasTensor], at: Sequence[KerasTensor]) -> list[KerasTensor]:
        h, c, *_ = state
        i, f, g, o = ops.split(at[0] + ops.matmul(h, weights), 4, axis=-1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), ops.tanh(g), _sigmoid(o)
        c = f * c + i * g
        bent = ops.tanh(c)
        return [o * bent, c, i, f, g, o, bent]

    h, c, *gates = _loop(forth, [hidden, memory, *[blank] * 5], [sums])

    def gradient(owed_h: Any, owed_c: Any) -> tuple[Any, ...]:
        across = ops.transpose(weights)

        def back(state: Sequence[KerasTensor], at: Sequence[KerasTensor]) -> list[KerasTensor]:
            dh, dc, _ = state
            owed, before, i, f, g, o, bent = at
            dh = dh + owed
            dc = dc + dh * o * (1 - bent * bent)
            of_i, of_f = dc * g * i * (1 - i), dc * before * f * (1 - f)
            of_g, of_o = dc * i * (1 - g * g), dh * bent * o * (1 - o)
            inner = ops.concatenate([of_i, of_f, of_g, of_o], axis=-1)
            return [ops.matmul(inner, across), dc * f, inner]

        first = [blank, owed_c, ops.zeros_like(sums[0])]
        at = [owed_h, _shifted(memory, c), *gates]
        dh, dc, inner = _loop(back, first, at, reverse=True)
        return inner, _outer(_shifted(hidden, h), inner), dh[0], dc[0]

    return (h, c[-1]), gradient


@ops.custom_gradient  # type: ignore[untyped-decorator]
def _gru(sums: Any, weights: Any, bias: Any, hidden: Any) -> Any:
    blank = ops.zeros_like(hidden)

    def forth(state: Sequence[KerasTensor], at: Sequence[KerasTensor]) -> list[KerasTensor]:
        h, *_ = state
        of_z, of_r, of_g = ops.split(at[0], 3, axis=-1)
        to_z, to_r, to_g = ops.split(ops.matmul(h, weights) + bias, 3, axis=-1)
        z, r = _sigmoid(of_z + to_z), _sigmoid(of_r + to_r)
        g = ops.tanh(of_g + r * to_g)
        return [z * h + (1 - z) * g, z, r, g, to_g]

    h, *gates = _loop(forth, [hidden, *[blank] * 4], [sums])

    def gradient(owed_h: Any) -> tuple[Any, ...]:
        across = ops.transpose(weights)

        def back(state: Sequence[KerasTensor], at: Sequence[KerasTensor]) -> list[KerasTensor]:
            dh, *_ = state
            owed, before, z, r, g, to_g = at
            dh = dh + owed
            of_g = dh * (1 - z) * (1 - g * g)
            of_z = dh * (before - g) * z * (1 - z)
            of_r = of_g * to_g * r * (1 - r)
            inner = ops.concatenate([of_z, of_r, of_g * r], axis=-1)
            return [dh * z + ops.matmul(inner, across), inner, of_g]

        before = _shifted(hidden, h)
        first = [blank, ops.zeros_like(sums[0]), blank]
        dh, inner, of_g = _loop(back, first, [owed_h, before, *gates], reverse=True)
        outer = ops.concatenate([inner[..., : 2 * hidden.shape[-1]], of_g], axis=-1)
        return outer, _outer(before, inner), ops.sum(inner, axis=(0, 1)), dh[0]

    return h, gradient


def _sigmoid(x: KerasTensor) -> KerasTensor:
    """Return the logistic function, by way of tanh: the compiler makes less work of it."""
    return 0.5 * ops.tanh(0.5 * x) + 0.5


def _loop(
    step: Step, first: list[KerasTensor], over: Sequence[KerasTensor], *, reverse: bool = False
) -> list[KerasTensor]:
    """Return what each step made of its part of `over`, in the order of time: (time, ...) each."""
    count = over[0].shape[0]
    if count is None or count > FEW:
        return list(ops.scan(lambda *told: [step(*told)] * 2, first, over, reverse=reverse)[1])
    states = [first]
    for number in reversed(range(count)) if reverse else range(count):
        states.append(step(states[-1], [each[number] for each in over]))
    made = states[:0:-1] if reverse else states[1:]
    return [ops.stack(each) for each in zip(*made, strict=True)]


def _shifted(first: KerasTensor, every: KerasTensor) -> KerasTensor:
    """Return what each step began with."""
    return ops.concatenate([first[None], every[:-1]])


def _outer(states: KerasTensor, owed: KerasTensor) -> KerasTensor:
    """Return the gradient of the weights between states and sums, all steps in one product."""
    rows = ops.reshape(states, (-1, states.shape[-1]))
    return ops.matmul(ops.transpose(rows), ops.reshape(owed, (-1, owed.shape[-1])))
