from dataclasses import replace

import numpy as np
import pytest
from builders import resolved

from foreseq.errors import BundleRefused, SeriesTooShort
from foreseq.network import predict
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows
from foreseq.training import fitting, model_cache, network_weights
from foreseq.training.fitting import Task

HORIZON, STEPS = 4, 20


class StoppedError(Exception):
    """What ends a training from outside."""


def make_experiment(*overrides):
    """Return a resolved experiment that is tiny and drops inputs, so that every seed matters."""
    fields = {
        "dataset": {"source": "memory", "horizon": HORIZON, "freq": "1", "season": 4},
        "network": {
            "cells": {"kind": "gru", "units": [8], "dropout": 0.1},
            "context": 16,
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
            "max_steps": STEPS,
            "batch_size": 8,
            "cutoffs_per_window": 1,
            "validations": 4,
            "learning_rate": 0.01,
            "ema": 0.8,
            "synthetic": 0.0,
            "sign_flip": False,
            "jit": False,
            "members": 1,
        },
    }
    return resolved(fields, overrides)


def make_panel(*, seed=1):
    rng = np.random.default_rng(seed)
    season = np.tile([3.0, 9.0, 6.0, 4.0], 15)
    series = {name: 20 + season + rng.normal(size=60) for name in "abcdef"}
    return from_series(series, freq="1", season=4)


def make_task(panel, *, validated=True, **options):
    ends = panel.lengths - 2 * HORIZON
    validation = Windows(np.arange(panel.n_series), ends) if validated else None
    return Task(panel, ends, validation, STEPS, **options)


def altered_from(panel, step):
    values, observed = panel.values.copy(), panel.observed.copy()
    for start, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
        values[start + step : end] *= -7
        observed[start + step : end : 2] ^= True
    return replace(panel, values=values, observed=observed)


def bits(members):
    return [[weight.tobytes() for weight in member.weights] for member in members]


@pytest.fixture(scope="module")
def fitted():
    """Return two members of one ensemble, and the experiment and task they come from."""
    experiment, task = make_experiment("training.members=2"), make_task(make_panel())
    return experiment, task, fitting.fit(task, experiment)


def test_same_seed_same_weights_bit_for_bit(fitted):
    experiment, task, members = fitted
    again = fitting.fit(task, experiment)
    assert bits(again) == bits(members)
    assert [member.curve for member in again] == [member.curve for member in members]


def test_what_a_network_learned_before_changes_nothing(fitted):
    experiment, task, members = fitted
    fitting.fit(task._replace(steps=7), make_experiment("training.learning_rate=0.5"))
    after = fitting.fit(task, experiment)
    model_cache.release()
    assert bits(after) == bits(fitting.fit(task, experiment)) == bits(members)


def test_members_differ(fitted):
    one, other = bits(fitted[2])
    assert all(first != second for first, second in zip(one, other, strict=True))


def test_alternating_members_are_those_of_either_scale(fitted):
    _, task, _ = fitted
    sets = "training.members=2", "network.fixed_scale=[20,25,30]"
    alternating, fixed, mean = (
        bits(fitting.fit(task, make_experiment(*sets, f"network.scale={scale}")))
        for scale in ("alternating", "fixed", "mean")
    )
    assert alternating == [fixed[0], mean[1]]


def test_other_seed_other_weights(fitted):
    _, task, members = fitted
    other = fitting.fit(task, make_experiment("training.seed=2"))
    assert bits(other)[0] != bits(members)[0]


def test_nothing_after_the_ends_changes_the_weights():
    panel = make_panel()
    task = make_task(panel, validated=False)
    other = make_task(altered_from(panel, 60 - 2 * HORIZON), validated=False)
    one, two = (fitting.fit(each, make_experiment()) for each in (task, other))
    assert bits(one) == bits(two)


def test_training_taken_up_again_ends_as_if_never_stopped(fitted, tmp_path):
    experiment, task, members = fitted
    seen = []

    def stop(progress):
        seen.append(progress)
        if len(seen) == 6:  # in the second member
            raise StoppedError

    with pytest.raises(StoppedError):
        fitting.fit(task, experiment, checkpoint=tmp_path, report=stop)
    after = []
    resumed = fitting.fit(task, experiment, checkpoint=tmp_path, report=after.append)
    assert [progress.point for progress in after] == [
        look for member in members for look in member.curve
    ]
    assert after[: len(seen)] == seen
    assert bits(resumed) == bits(members)
    assert [member.curve for member in resumed] == [member.curve for member in members]


def test_a_finished_training_is_not_done_again(fitted, tmp_path):
    _, task, _ = fitted
    first = fitting.fit(task, make_experiment(), checkpoint=tmp_path)
    kept = (tmp_path / "member-0.npz").stat().st_mtime_ns
    again = fitting.fit(task, make_experiment(), checkpoint=tmp_path)
    assert bits(again) == bits(first)
    assert (tmp_path / "member-0.npz").stat().st_mtime_ns == kept


def test_a_checkpoint_holds_no_pickle(fitted, tmp_path):
    fitting.fit(fitted[1], make_experiment(), checkpoint=tmp_path)
    with np.load(tmp_path / "member-0.npz", allow_pickle=False) as state:
        assert all(state[name].dtype != object for name in state.files)


def test_the_best_look_gives_the_weights(fitted):
    for member in fitted[2]:
        errors = [look.validation for look in member.curve]
        assert member.best_step == member.curve[int(np.argmin(errors))].step


def test_without_validation_the_last_weights_are_taken(fitted):
    panel = fitted[1].panel
    (member,) = fitting.fit(make_task(panel, validated=False), make_experiment())
    assert member.best_step == member.curve[-1].step == STEPS
    assert np.isnan(member.curve[-1].validation)


def test_members_go_on_from_where_they_start(fitted):
    start = tuple(member.weights for member in fitted[2])
    still = make_experiment(f"training.members={len(start)}", "training.learning_rate=1e-30")
    again = fitting.fit(make_task(fitted[1].panel, validated=False, start=start), still)
    for member, first in zip(again, start, strict=True):
        for weight, before in zip(member.weights, first, strict=True):
            np.testing.assert_allclose(weight, before, rtol=1e-5)


def test_training_ends_when_looks_no_longer_improve():
    experiment = make_experiment("training.learning_rate=1e-30", "training.patience=2")
    (member,) = fitting.fit(make_task(make_panel()), experiment)
    assert member.best_step == 0
    assert [look.step for look in member.curve] == [5, 10]


def test_training_goes_to_its_end_although_an_early_look_was_best():
    experiment = make_experiment("training.learning_rate=1e-30", "network.quantiles=[0.1,0.5,0.9]")
    (member,) = fitting.fit(make_task(make_panel()), experiment)
    assert (member.best_step, member.curve[-1].step) == (5, STEPS)


def test_a_network_that_earns_nothing_is_left_as_it_was_born():
    panel = from_series({"a": [3.0, 9.0, 6.0, 4.0] * 15}, freq="1", season=4)
    experiment = make_experiment("network.naive_lags=[4]")
    (member,) = fitting.fit(make_task(panel), experiment)
    assert member.best_step == 0
    assert member.curve[-1].step == STEPS
    born = model_cache.build(experiment)
    for weight, first in zip(member.weights, born.trainable_variables, strict=True):
        np.testing.assert_array_equal(weight, first)


def test_a_look_tells_the_mean_loss_since_the_look_before(fitted):
    task = fitted[1]
    often, seldom = (
        fitting.fit(
            task, make_experiment("network.cells.dropout=0", f"training.validations={validations}")
        )
        for validations in (4, 2)
    )
    losses = np.array([look.loss for look in often[0].curve]).reshape(2, 2).mean(axis=1)
    np.testing.assert_allclose([look.loss for look in seldom[0].curve], losses, rtol=1e-5)


def test_training_lowers_the_error_of_what_can_be_learned():
    panel = from_series({"a": [1.0, 5.0, 2.0, 8.0] * 30}, freq="1", season=2)
    experiment = make_experiment("dataset.season=2", "training.ema=0", "training.batch_size=32")
    (member,) = fitting.fit(make_task(panel), experiment)
    assert member.curve[-1].loss < 0.8 * member.curve[0].loss
    assert member.curve[-1].validation < member.curve[0].validation


@pytest.mark.parametrize("loss", ["mase", "mae", "huber", "smape", "owa"])
def test_constant_and_unobserved_series_leave_finite_weights(loss):
    series = {"flat": [2.0] * 60, "empty": [np.nan] * 60, "zero": [0.0] * 60}
    panel = from_series(series, freq="1", season=4)
    (member,) = fitting.fit(make_task(panel), make_experiment(f"training.loss={loss}"))
    assert all(np.isfinite(weight).all() for weight in member.weights)


def test_quantiles_learn_to_spread_around_the_median():
    experiment = make_experiment("network.quantiles=[0.1,0.5,0.9]", "training.ema=0")
    panel = make_panel()
    (member,) = fitting.fit(make_task(panel), experiment)
    model = model_cache.build(experiment)
    network_weights.set_weights(model, member.weights)
    answers = predict.predict(model, panel, windows.newest(panel))
    assert (np.diff(answers).mean(axis=(0, 1)) > 0).all()


def test_weights_of_another_network_are_refused(fitted):
    model = model_cache.build(make_experiment("network.cells.units=[9]"))
    with pytest.raises(BundleRefused, match="do not fit the network"):
        network_weights.set_weights(model, fitted[2][0].weights)


def test_too_short_a_training_span_is_refused():
    panel = from_series({"a": range(13)}, freq="1", season=4)
    with pytest.raises(SeriesTooShort, match="needs 6 steps, found 5"):
        fitting.fit(make_task(panel, validated=False), make_experiment())


def make_followers():
    """Return noise, and a series that repeats it four steps later."""
    leader = np.random.default_rng(1).normal(size=400)
    return from_series({"a": leader, "b": np.roll(leader, HORIZON)}, freq="1", season=1)


@pytest.mark.parametrize(
    ("together", "least", "most"),
    [("[]", 0.9, 1.2), ("[a,b]", 0.0, 0.5)],
    ids=["apart", "together"],
)
def test_what_one_series_foretells_of_another_is_learned_only_together(together, least, most):
    panel = make_followers()
    options = ("naive_lags=[]", "cells.dropout=0.0", f"multivariate={together}")
    experiment = make_experiment(
        *(f"network.{option}" for option in options),
        "dataset.season=1",
        "training.max_steps=300",
        "training.batch_size=32",
    )
    ends = panel.lengths - 60
    followed = Windows(np.ones(50, np.int64), np.arange(345, 395))
    (member,) = fitting.fit(Task(panel, ends, None, 300), experiment)
    model = model_cache.build(experiment)
    network_weights.set_weights(model, member.weights)
    forecast = predict.predict(model, panel, followed)[..., 0]
    missed = np.abs(forecast - windows.futures(panel, followed, HORIZON)).mean()
    blind = np.abs(windows.futures(panel, followed, HORIZON)).mean()
    assert least < missed / blind < most


def test_several_cutoffs_in_a_pass_teach_the_network_that_is_judged_on_one():
    panel = make_panel()
    experiment, task = make_experiment("training.cutoffs_per_window=3"), make_task(panel)
    (member,) = fitting.fit(task, experiment)
    best = min(member.curve, key=lambda look: look.validation)
    assert best.validation < member.curve[0].validation
    model = model_cache.build(experiment)
    network_weights.set_weights(model, member.weights)
    forecast = predict.predict(model, panel, task.validation)[..., 0]
    actual = windows.futures(panel, task.validation, HORIZON)
    naive = [np.abs(np.diff(panel.series(i)[:52].reshape(-1, 4), axis=0)).mean() for i in range(6)]
    mase = np.abs(forecast - actual).mean(axis=1) / naive
    assert mase.mean() == pytest.approx(best.validation, rel=1e-5)


def test_bfloat16_learns_about_the_same_and_leaves_float32(fitted):
    members = [
        fitting.fit(fitted[1], make_experiment(f"training.precision={name}"))[0]
        for name in ("float32", "bfloat16")
    ]
    exact, rough = ([point.loss for point in member.curve] for member in members)
    assert exact != rough
    np.testing.assert_allclose(rough, exact, rtol=0.05)
    assert {weight.dtype.name for weight in members[1].weights} == {"float32"}


def test_a_compiled_step_teaches_the_same(fitted):
    (plain,), (with_xla,) = (
        fitting.fit(fitted[1], make_experiment("network.cells.dropout=0", f"training.jit={jit}"))
        for jit in ("false", "true")
    )
    losses, others = ([look.loss for look in member.curve] for member in (plain, with_xla))
    assert losses != others
    np.testing.assert_allclose(others, losses, rtol=1e-3)


@pytest.mark.parametrize(
    ("kind", "decoder"), [("gru", "direct"), ("lstm", "segment"), ("simple", "recursive")]
)
def test_only_cells_that_learn_compute_in_bfloat16(kind, decoder):
    experiment = make_experiment(f"network.cells.kind={kind}", f"network.decoder={decoder}")
    model = model_cache.build(experiment, policy=model_cache.POLICIES["bfloat16"])
    computed = {layer.name.rpartition("_")[2]: layer.compute_dtype for layer in model.layers}
    assert (computed["stack"], computed["horizon"]) == ("bfloat16", "float32")
    assert model.output.dtype == "float64"
    assert model_cache.build(experiment).layers[-1].compute_dtype == "float32"
