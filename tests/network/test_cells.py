"""The cells against float64 NumPy versions written from the equations alone."""

import keras
import numpy as np
import pytest
from keras import ops
from pydantic import ValidationError
from tensorflow import GradientTape  # the one backend that tests run on

from foreseq.config import CellsConfig, ResolvedCells
from foreseq.network.cells import recurrent_stack, state_widths

KINDS = ("simple", "lstm", "gru")
STEPS, FEATURES, UNITS = 60, 3, 5


@pytest.fixture
def double():
    """Compute in float64, and in float32 again afterwards."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def sigma(x):
    return 1 / (1 + np.exp(-x))


def simple(x, kernel, recurrent, bias):
    h = np.zeros((len(x), len(recurrent)))
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent + bias)
        yield h


def lstm(x, kernel, recurrent, bias):
    h = c = np.zeros((len(x), len(recurrent)))
    w, u, b = (np.split(part, 4, axis=-1) for part in (kernel, recurrent, bias))
    for t in range(x.shape[1]):
        i, f, o = (sigma(x[:, t] @ w[n] + h @ u[n] + b[n]) for n in (0, 1, 3))
        g = np.tanh(x[:, t] @ w[2] + h @ u[2] + b[2])
        c = f * c + i * g
        h = o * np.tanh(c)
        yield h


def textbook_gru(x, kernel, recurrent, bias):
    """Return h = (1 - z) h + z g, with the reset gate before the product."""
    h = np.zeros((len(x), len(recurrent)))
    w, u, b = (np.split(part, 3, axis=-1) for part in (kernel, recurrent, bias))
    for t in range(x.shape[1]):
        z, r = (sigma(x[:, t] @ w[n] + h @ u[n] + b[n]) for n in (0, 1))
        g = np.tanh(x[:, t] @ w[2] + (r * h) @ u[2] + b[2])
        h = (1 - z) * h + z * g
        yield h


def fused_gru(x, kernel, recurrent, bias):
    """Return what GPUs compute: z keeps, the reset gate comes after the product."""
    h = np.zeros((len(x), len(recurrent)))
    w, u, b, d = (np.split(part, 3, axis=-1) for part in (kernel, recurrent, *bias))
    for t in range(x.shape[1]):
        z, r = (sigma(x[:, t] @ w[n] + b[n] + h @ u[n] + d[n]) for n in (0, 1))
        g = np.tanh(x[:, t] @ w[2] + b[2] + r * (h @ u[2] + d[2]))
        h = z * h + (1 - z) * g
        yield h


def stack(every_step=True, carry=False, seed=1, features=FEATURES, **options):
    """Build a stack for inputs of so many features."""
    options.setdefault("units", (UNITS,))
    built = recurrent_stack(ResolvedCells(**options), every_step=every_step, seed=seed, carry=carry)
    built.build((None, None, features))
    return built


def randomise(layer, rng):
    """Give a layer weights of all sizes, biases too."""
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=0.6, size=weight.shape))
    return [np.array(weight) for weight in layer.trainable_weights]


def states(layer, x, **options):
    return ops.convert_to_numpy(layer(x, **options))


EQUATIONS = {
    "simple": ({"kind": "simple"}, simple),
    "lstm": ({"kind": "lstm"}, lstm),
    "gru-after": ({"kind": "gru"}, fused_gru),
}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("options", "equations"), EQUATIONS.values(), ids=EQUATIONS)
def test_a_cell_is_what_its_equations_say(options, equations, rng):
    cell = stack(**options)
    weights = randomise(cell, rng)
    x = rng.normal(size=(4, STEPS, FEATURES))
    expected = np.stack(list(equations(x, *weights)), axis=1)
    np.testing.assert_allclose(states(cell, x), expected, rtol=0, atol=1e-10)


@pytest.mark.usefixtures("double")
def test_the_textbook_gru_is_reset_before_with_the_update_gate_negated(rng):
    cell = stack(kind="gru", reset_after=False)
    weights = randomise(cell, rng)
    negated = [weight * np.repeat([-1, 1, 1], UNITS) for weight in weights]
    x = rng.normal(size=(4, STEPS, FEATURES))
    expected = np.stack(list(textbook_gru(x, *negated)), axis=1)
    np.testing.assert_allclose(states(cell, x), expected, rtol=0, atol=1e-10)


@pytest.mark.usefixtures("double")
def test_resetting_before_or_after_the_product_gives_two_functions(rng):
    after, before = stack(kind="gru"), stack(kind="gru", reset_after=False)
    kernel, recurrent, bias = randomise(after, rng)
    after.set_weights([kernel, recurrent, 0 * bias, *after.get_weights()[3:]])
    before.set_weights([kernel, recurrent, 0 * bias[0], *before.get_weights()[3:]])
    x = rng.normal(size=(2, 8, FEATURES))
    assert np.abs(states(after, x) - states(before, x)).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"kind": "simple"}, (FEATURES + UNITS + 1) * UNITS),
        ({"kind": "lstm"}, 4 * (FEATURES + UNITS + 1) * UNITS),
        ({"kind": "gru"}, 3 * (FEATURES + UNITS + 2) * UNITS),
        ({"kind": "gru", "reset_after": False}, 3 * (FEATURES + UNITS + 1) * UNITS),
    ],
)
def test_a_cell_has_the_parameters_of_its_equations(options, count):
    assert sum(np.prod(weight.shape) for weight in stack(**options).trainable_weights) == count


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_slopes_that_finite_differences_give(kind, rng):
    cell = stack(kind=kind, units=(4, 3), every_step=False)
    randomise(cell, rng)
    x = rng.normal(size=(2, 12, FEATURES))
    with GradientTape() as tape:
        loss = ops.sum(ops.square(cell(x)))
    gradients = tape.gradient(loss, [w.value for w in cell.trainable_weights])
    for weight, gradient in zip(cell.trainable_weights, gradients, strict=True):
        value = np.array(weight)
        spot = tuple(rng.integers(0, size) for size in value.shape)
        losses = []
        for nudge in (1e-5, -1e-5):
            nudged = value.copy()
            nudged[spot] += nudge
            weight.assign(nudged)
            losses.append(float(ops.sum(ops.square(cell(x)))))
        weight.assign(value)
        slope = (losses[0] - losses[1]) / 2e-5
        assert float(gradient.numpy()[spot]) == pytest.approx(slope, rel=1e-5, abs=1e-8)


def gates(cell, **biases):
    """Drown an LSTM's weights in biases that hold its gates open (1) or shut (0)."""
    kernel, recurrent, bias = cell.trainable_weights
    recurrent.assign(0 * np.array(recurrent))
    kernel.assign(np.hstack([0 * np.ones((FEATURES, 2 * UNITS)), np.array(kernel)[:, 2 * UNITS :]]))
    blocks = [200 * biases.get(gate, 0.5) - 100 for gate in "if"] + [0.0, 200 * biases["o"] - 100]
    bias.assign(np.repeat(blocks, UNITS))


def memory_after(rng, **biases):
    """Return what an LSTM holds after some steps of noise, and what it held before."""
    cell = stack(kind="lstm", carry=True)
    gates(cell, **biases)
    before = rng.normal(size=(1, UNITS)).astype("float32")
    x = rng.normal(size=(1, 7, FEATURES))
    _, (h, c) = cell(x, first=[np.zeros_like(before), before])
    return ops.convert_to_numpy(h), ops.convert_to_numpy(c), before


def test_open_forget_gate_and_shut_input_gate_keep_the_memory(rng):
    _, c, before = memory_after(rng, f=1, i=0, o=1)
    np.testing.assert_array_equal(c, before)


def test_both_gates_shut_clear_the_memory(rng):
    _, c, _ = memory_after(rng, f=0, i=0, o=1)
    np.testing.assert_allclose(c, 0, atol=1e-30)


def test_shut_output_gate_silences_the_state(rng):
    h, c, _ = memory_after(rng, f=1, i=1, o=0)
    assert np.abs(c).max() > 1
    np.testing.assert_allclose(h, 0, atol=1e-30)


@pytest.mark.parametrize("kind", KINDS)
def test_carrying_states_over_a_cut_equals_one_pass(kind, rng):
    cells = stack(kind=kind, units=(4, 6), carry=True)
    x = rng.normal(size=(3, 20, FEATURES)).astype("float32")
    whole, last = cells(x)
    first, states = cells(x[:, :13])
    second, ends = cells(x[:, 13:], first=states)
    np.testing.assert_allclose(whole, np.concatenate([first, second], axis=1), atol=1e-6)
    assert tuple(state.shape[-1] for state in ends) == state_widths(cells.cells)
    for end, at_once in zip(ends, last, strict=True):
        np.testing.assert_allclose(end, at_once, atol=1e-6)


@pytest.mark.parametrize("rate", [1.0, 1.5, -0.1, float("nan")])
@pytest.mark.parametrize("field", ["dropout", "recurrent_dropout", "weight_dropout"])
def test_a_rate_outside_0_to_1_is_refused(field, rate):
    with pytest.raises(ValidationError):
        CellsConfig(**{field: rate})


def test_input_dropout_drops_the_same_features_at_every_step():
    cell = stack(kind="simple", units=(64,), dropout=0.5, features=64)
    cell.trainable_weights[0].assign(np.eye(64))
    cell.trainable_weights[1].assign(np.zeros((64, 64)))
    dropped = states(cell, np.ones((2, 30, 64)), training=True) == 0
    assert (dropped == dropped[:, :1]).all()
    assert 0.2 < dropped.mean() < 0.8
    assert not (dropped[0] == dropped[1]).all()


@pytest.mark.parametrize("field", ["dropout", "recurrent_dropout", "weight_dropout"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_dropped_in_training_is_there_in_use(kind, field, rng):
    x = rng.normal(size=(2, 9, FEATURES)).astype("float32")
    plain, dropping = stack(kind=kind), stack(kind=kind, **{field: 0.5})
    np.testing.assert_allclose(states(plain, x), states(dropping, x), atol=1e-6)
    assert np.abs(states(plain, x) - states(dropping, x, training=True)).max() > 1e-3


def test_weight_dropout_thins_the_recurrent_matrix_once_for_the_batch():
    cell = stack(kind="simple", units=(40,), weight_dropout=0.25, carry=False)
    kernel, recurrent, _ = cell.trainable_weights
    kernel.assign(np.zeros(kernel.shape))
    recurrent.assign(np.full(recurrent.shape, 0.01))
    x = np.zeros((3, 1, FEATURES))
    state = [np.eye(3, 40, dtype="float32")]  # each window shows one row of the matrix
    rows = np.arctanh(states(cell, x, first=state, training=True)[:, 0])
    assert set(np.round(75 * rows.ravel(), 3).tolist()) == {0.0, 1.0}
    repeated = [np.ones((3, 40), "float32")]
    sums = states(cell, x, first=repeated, training=True)[:, 0]
    np.testing.assert_array_equal(sums[0], sums[1])
    np.testing.assert_array_equal(np.array(recurrent), np.full((40, 40), 0.01, "float32"))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_gates_begin_with_orthogonal_matrices_of_their_own(kind):
    recurrent = np.array(stack(kind=kind, initializer="orthogonal").trainable_weights[1])
    blocks = np.split(recurrent, recurrent.shape[1] // UNITS, axis=1)
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(UNITS), atol=1e-5)
    assert np.abs(blocks[0] - blocks[1]).max() > 0.1


def test_gates_begin_within_glorots_bounds_of_their_own():
    kernel, recurrent, _ = stack(kind="lstm", units=(50,), initializer="glorot").trainable_weights
    for weight in (np.array(kernel), np.array(recurrent)):
        bound = np.sqrt(6 / (len(weight) + 50))
        assert 0.95 * bound < np.abs(weight).max() <= bound


def test_a_relu_cell_that_begins_as_the_identity_adds_up_what_it_reads():
    cell = stack(kind="simple", activation="relu", initializer="identity", every_step=False)
    cell.trainable_weights[0].assign(np.ones((FEATURES, UNITS)))
    x = np.ones((1, 100, FEATURES))
    np.testing.assert_allclose(states(cell, x), 300.0)


@pytest.mark.parametrize(
    ("options", "bias"),
    [
        ({"kind": "lstm"}, [0, 1, 0, 0]),
        ({"kind": "lstm", "forget_bias": 3}, [0, 3, 0, 0]),
        ({"kind": "gru", "reset_after": False, "forget_bias": 2}, [2, 0, 0]),
        ({"kind": "gru", "forget_bias": 2}, [[2, 0, 0], [0, 0, 0]]),
    ],
)
def test_forget_bias_is_that_of_the_gate_that_keeps(options, bias):
    initial = np.array(stack(**options).trainable_weights[2])
    np.testing.assert_array_equal(initial, np.repeat(bias, UNITS, axis=-1))


def test_the_default_stack_begins_as_plain_keras_layers_do(rng):
    x = rng.normal(size=(2, 6, FEATURES)).astype("float32")
    for kind, layer in (("lstm", keras.layers.LSTM), ("gru", keras.layers.GRU)):
        plain = layer(
            UNITS,
            kernel_initializer=keras.initializers.GlorotUniform(seed=1),
            recurrent_initializer=keras.initializers.Orthogonal(seed=2),
        )
        ours = states(stack(every_step=False, kind=kind), x)
        np.testing.assert_allclose(ours, plain(x), rtol=1e-5, atol=1e-7)


def test_residual_layers_of_zero_weights_return_their_input(rng):
    cells = stack(kind="gru", units=(UNITS, UNITS), residual=True)
    lower = stack(kind="gru", units=(UNITS,))
    for weight in cells.recurrences[1].trainable_weights:
        weight.assign(np.zeros(weight.shape))
    x = rng.normal(size=(2, 6, FEATURES)).astype("float32")
    np.testing.assert_allclose(states(cells, x), states(lower, x), atol=1e-7)


def test_normalisation_undoes_the_scale_of_the_layer_below(rng):
    cells = stack(kind="simple", units=(UNITS, UNITS), layer_norm=True, activation="relu")
    for weight in cells.recurrences[0].trainable_weights[1:]:
        weight.assign(np.zeros(weight.shape))
    x = 1 + rng.random(size=(2, 6, FEATURES)).astype("float32")
    np.testing.assert_allclose(states(cells, x), states(cells, 50 * x), atol=1e-2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"kind": "lstm", "activation": "relu"}, "simple cells"),
        ({"kind": "gru", "initializer": "identity"}, "simple cells"),
        ({"kind": "simple", "forget_bias": 1.0}, "no"),
        ({"kind": "lstm", "reset_after": False}, "gru cells"),
        ({"residual": True, "units": (4, 8)}, "equally wide"),
        ({"kind": "lstm", "forget_bias": float("inf")}, "finite"),
    ],
)
def test_options_that_do_not_suit_the_cell_are_refused(options, reason):
    with pytest.raises(ValidationError, match=reason):
        CellsConfig(**options)
