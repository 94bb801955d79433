import keras
import numpy as np
import pytest

from foreseq.errors import BundleRefused
from foreseq.training import network_weights


def make_network(width: int) -> tuple[keras.Model, keras.optimizers.Optimizer]:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(width)])
    optimizer = keras.optimizers.RMSprop(0.01)
    model.compile(optimizer, loss="mse")
    optimizer.build(model.trainable_variables)
    return model, optimizer


def step(model: keras.Model) -> None:
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 4)))


def test_training_goes_on_from_what_was_kept_as_if_nothing_had_stopped_it(tmp_path):
    model, optimizer = make_network(4)
    step(model)
    best, file = network_weights.get_weights(model), tmp_path / "kept.npz"
    kept = network_weights.Checkpoint(best, 3, [[1.0, 0.5]])
    network_weights.save_checkpoint(file, model, optimizer, kept)
    step(model)

    later, its_optimizer = make_network(4)
    loaded = network_weights.load_checkpoint(file, later, its_optimizer)
    for before, after in zip(best, loaded.best, strict=True):
        np.testing.assert_array_equal(before, after)
    assert (loaded.best_step, loaded.curve) == (3, [[1.0, 0.5]])
    step(later)
    for whole, resumed in zip(
        network_weights.get_weights(model), network_weights.get_weights(later), strict=True
    ):
        np.testing.assert_array_equal(whole, resumed)


def test_weights_of_another_network_are_refused():
    (small, _), (large, _) = make_network(4), make_network(5)
    with pytest.raises(BundleRefused, match=r"do not fit .* train it again"):
        network_weights.set_weights(large, network_weights.get_weights(small))
