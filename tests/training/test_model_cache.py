import numpy as np
import pytest
from builders import resolved

from foreseq.config import TrainingConfig
from foreseq.training import losses, model_cache, optimizer


def make_experiment(*overrides):
    """Return a resolved experiment that is tiny and drops inputs, so that dropout has a state."""
    fields = {
        "dataset": {"source": "memory", "horizon": 2, "freq": "1", "season": 4},
        "network": {
            "cells": {"units": [3], "dropout": 0.1},
            "context": 8,
            "patch": 4,
            "log": False,
            "naive_lags": [],
            "recent_inputs": 8,
            "decoder": "direct",
            "calendar": False,
            "covariates": [],
        },
        "training": {
            "loss": "mase",
            "batch_size": 4,
            "cutoffs_per_window": 1,
            "learning_rate": 0.01,
            "ema": 0.8,
            "jit": False,
        },
    }
    return resolved(fields, overrides)


def take(experiment, naive=losses.NO_UNITS):
    """Return the network that is borrowed for an experiment."""
    with model_cache.borrow(experiment, naive) as ready:
        return ready


def state(ready):
    """Return all that the next step depends on."""
    variables = [*ready.model.variables, *ready.optimizer.variables]
    return [np.array(variable).tobytes() for variable in variables]


@pytest.fixture(autouse=True)
def keep_none():
    """Begin and end without a network that is kept."""
    model_cache.release()
    yield
    model_cache.release()


@pytest.mark.parametrize(
    "override",
    [
        "training.max_steps=7",
        "training.learning_rate=0.5",
        "training.validations=3",
        "training.members=3",
        "training.sign_flip=true",
        "split.stride=2",
        "auto.time_budget=5",
        "dataset.source=elsewhere",
    ],
)
def test_trainings_of_one_kind_share_a_network(override):
    assert take(make_experiment()) is take(make_experiment(override))


@pytest.mark.parametrize(
    "override",
    [
        "dataset.horizon=3",
        "dataset.season=2",
        "network.cells.units=[4]",
        "network.context=4",
        "training.loss=huber",
        "training.batch_size=5",
        "training.cutoffs_per_window=2",
        "training.clip=2",
        "training.weight_decay=0.1",
        "training.ema=0",
        "training.seed=2",
        "training.jit=true",
        "training.precision=bfloat16",
    ],
)
def test_another_kind_has_a_network_of_its_own(override):
    one, other = (
        make_experiment("network.recent_inputs=4"),
        make_experiment("network.recent_inputs=4", override),
    )
    assert take(one) is not take(other)


@pytest.mark.parametrize("field", TrainingConfig.model_fields)
def test_every_training_field_is_part_of_the_key_or_named_as_shared(field):
    training = make_experiment("training.members=2").training
    kept = getattr(model_cache.compile_key(make_experiment("training.members=2")).training, field)
    if field in model_cache.SHARED:
        assert kept == model_cache.SHARED[field]
    else:
        assert kept == getattr(training, field)


def test_other_units_of_the_loss_are_another_kind():
    assert take(make_experiment()) is not take(make_experiment(), losses.NaiveErrors(2.0, 1.0))


@pytest.mark.parametrize("member", [0, 1])
def test_a_network_that_has_learned_is_renewed_as_if_it_were_new(member):
    ready = take(make_experiment())
    ready.reset(member, 0.1, 5)
    new = state(ready)
    inputs = {name: np.ones([4, *spec.shape[1:]]) for name, spec in ready.model.input.items()}
    ready.model.train_on_batch(inputs, np.ones([4, *ready.model.output.shape[1:-1], 2]))
    assert state(ready) != new
    ready.reset(member, 0.1, 5)
    assert state(ready) == new


def test_a_training_that_failed_leaves_no_network():
    with (
        pytest.raises(RuntimeError),
        model_cache.borrow(make_experiment(), losses.NO_UNITS) as ready,
    ):
        raise RuntimeError
    assert take(make_experiment()) is not ready


def test_a_borrowed_network_is_not_lent_again():
    with (
        model_cache.borrow(make_experiment(), losses.NO_UNITS) as one,
        model_cache.borrow(make_experiment(), losses.NO_UNITS) as other,
    ):
        assert one is not other


def to_forecast(*overrides):
    """Return the network that is borrowed for forecasts."""
    with model_cache.borrow_network(make_experiment(*overrides)) as network:
        return network


def test_forecasts_of_one_kind_share_a_network():
    assert to_forecast() is to_forecast("training.loss=huber", "training.seed=2", "split.stride=2")


@pytest.mark.parametrize(
    "override", ["dataset.horizon=3", "dataset.season=2", "network.cells.units=[4]"]
)
def test_forecasts_of_another_kind_have_a_network_of_their_own(override):
    smaller = "network.recent_inputs=4"
    assert to_forecast(smaller) is not to_forecast(smaller, override)


def test_a_network_that_forecasts_is_not_lent_again():
    with model_cache.borrow_network(make_experiment()) as one:
        assert to_forecast() is not one


def test_the_networks_that_forecast_last_are_kept():
    kinds = [f"network.cells.units=[{units}]" for units in range(1, 2 + model_cache.MOST_IDLE)]
    first, *last = [to_forecast(kind) for kind in kinds]
    assert [to_forecast(kind) for kind in kinds[1:]] == last
    assert to_forecast(kinds[0]) is not first


def test_members_of_one_network_are_born_different():
    ready = take(make_experiment())
    ready.reset(0, 0.1, 5)
    first = state(ready)
    ready.reset(1, 0.1, 5)
    assert state(ready) != first


def test_the_rate_falls_along_a_cosine_to_a_hundredth():
    ready = take(make_experiment())
    for rate, steps in ((0.5, 4), (0.2, 10)):
        ready.reset(0, rate, steps)
        shares = []
        for done in (0, steps // 2, steps, 2 * steps):
            ready.optimizer.iterations.assign(done)
            shares.append(float(ready.optimizer.learning_rate) / rate)
        np.testing.assert_allclose(
            shares, [1, (1 + optimizer.LAST_RATE) / 2, 0.01, 0.01], rtol=1e-5
        )
