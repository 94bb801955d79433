import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foreseq.config import ExperimentConfig, build_experiment
from foreseq.errors import ConfigError, SeriesTooShort
from foreseq.selection import rules, start
from foreseq.selection.choose import facts_of
from foreseq.selection.facts import repeated_cycles
from foreseq.series import windows
from foreseq.series.covariates import Column, Covariates
from foreseq.series.panel import OPEN, from_series
from foreseq.training import pretrained, workers

AIR = Path(__file__).parents[2] / "data" / "examples" / "air-passengers.csv"


def resolve(panel, *overrides, horizon=12):
    """Resolve an experiment whose networks begin with random weights."""
    return resolve_open(panel, "training.start=random", *overrides, horizon=horizon)


def resolve_open(panel, *overrides, horizon=12):
    given = {"dataset": {"source": "memory", "horizon": horizon}}
    once = build_experiment(given, ["split.test_windows=1", *overrides])
    return rules.resolve(build_experiment(given, overrides), facts_of(once, panel))


def resolve_alone(panel, *overrides, horizon=12):
    """Resolve an experiment that learns from the data alone."""
    return resolve(panel, "training.synthetic=0", *overrides, horizon=horizon)


def make_panel(length=200, *, freq="MS", season=12, series=3, level=20.0):
    rng = np.random.default_rng(1)
    wave = 5 * np.sin(2 * np.pi * np.arange(length) / season)
    values = {f"s{i}": level + wave + rng.normal(size=length) for i in range(series)}
    return from_series(values, freq=freq, season=season, start="2000-01-01" if freq != "1" else 0)


@pytest.fixture(scope="module")
def air():
    return from_series(
        {"AirPassengers": pd.read_csv(AIR)["y"]}, freq="MS", season=12, start="1949-01-01"
    )


@pytest.mark.parametrize("absurd", [1e30, -1e9, 0.0])
def test_values_after_the_training_span_change_no_choice(air, absurd):
    unread = replace(air, season=OPEN)
    experiment, choices = resolve(unread)
    assert experiment.dataset.season == 12
    values = np.array(air.values)
    values[facts_of(experiment, air).split.train_ends[0] :] = absurd
    assert resolve(replace(unread, values=values)) == (experiment, choices)


def open_fields(experiment):
    """Return the fields that are None where None means that the data decide."""
    return [
        f"{section}.{name}"
        for section in ("dataset", "network", "training", "split")
        for name, value in getattr(experiment, section)
        if value is None and name not in {"as_of", "max_gap"}
    ]


def test_air_passengers_settles_on_log_seasonal_twelve(air):
    experiment, choices = resolve_alone(air)
    network, split = experiment.network, experiment.split
    assert (network.log, network.naive_lags, network.patch) == (True, (1, 12, 24, 36, 48), 12)
    assert (network.context, network.recent_inputs, network.calendar) == (48, 24, True)
    assert (split.stride, split.validation_windows, split.validation_stride) == (12, 5, 3)
    assert {choice.field for choice in choices} == set(rules.RULES) - {
        "training.synthetic",
        rules.COVARIATES,
    }
    assert all(choice.reason for choice in choices)


def test_made_up_series_teach_air_passengers(air):
    experiment, choices = resolve(air)
    network, training = experiment.network, experiment.training
    assert (training.synthetic, training.max_steps, training.learning_rate) == (0.99, 18_000, 6e-3)
    assert (network.cells.units, network.decoder, network.patch) == ((64, 64), "segment", 12)
    assert (network.context, network.recent_inputs) == (120, 12)
    assert network.naive_lags == (1, *range(12, 121, 12))
    assert {choice.field for choice in choices} == set(rules.RULES) - {rules.COVARIATES}


@pytest.mark.parametrize(
    ("length", "share"),
    [(100, 0.99), (1500, 0.98), (3000, 0.96), (6000, 0.0), (50_000, 0.0)],
)
def test_the_more_observations_the_fewer_series_are_made_up(length, share):
    given = resolve(make_panel(length, freq="h", season=24))[0]
    assert given.training.synthetic == pytest.approx(share, abs=0.01)


def test_many_short_series_teach_less_than_few_long_ones():
    short = resolve(make_panel(270, series=100), horizon=6)[0]
    assert short.training.synthetic == pytest.approx(0.89, abs=0.02)
    assert resolve(make_panel(270, series=2000), horizon=6)[0].training.synthetic == 0.8
    assert resolve(make_panel(9000, freq="h", season=24))[0].training.synthetic == 0


@pytest.mark.parametrize(
    ("freq", "alone"), [("h", True), ("D", True), ("W", True), ("MS", False), ("QS", False)]
)
def test_days_and_weeks_teach_sooner_than_months_and_years(freq, alone):
    given, choices = resolve(make_panel(150, freq=freq, season=4, series=60), horizon=6)
    assert (given.training.synthetic == 0) is alone
    assert ("over 12 steps a year" in choices[0].reason) is alone
    few = resolve(make_panel(150, freq=freq, season=4, series=30), horizon=6)[0]
    assert few.training.synthetic > 0


def test_series_that_learn_alone_learn_how_far_seasons_before_are_moved(air):
    alone, beside = resolve(air, "training.synthetic=0")[0], resolve(air)[0]
    assert (alone.network.level_adjustment, beside.network.level_adjustment) == ("learned", True)


def test_where_series_are_made_up_is_the_users_choice(air):
    given = resolve(air, "training.synthetic=0.3")[0]
    assert (given.training.synthetic, given.network.decoder) == (0.3, "segment")
    assert resolve_alone(air)[0].network.decoder == "direct"


@pytest.mark.parametrize("freq", ["h", "D", "MS", "1"])
def test_nothing_open_is_left_open(freq):
    experiment, _ = resolve(make_panel(freq=freq), horizon=6)
    assert open_fields(experiment) == []
    assert (experiment.dataset.freq, experiment.dataset.season) == (freq, 12)


def test_what_the_user_said_stays(air):
    said = {
        "dataset.season": 12, "network.patch": 3, "network.context": 33, "network.log": False,
        "network.recent_inputs": 5,
        "network.naive_lags": [1], "network.calendar": False, "network.covariates": [],
        "training.max_steps": 7,
        "split.test_windows": 1, "split.stride": 2, "split.validation_windows": 2,
        "split.validation_stride": 5,
        "training.members": 2, "training.loss": "huber", "training.synthetic": 0.5,
        "training.start": "random", "training.half_life": 5, "network.cold_start": [],
        "training.learning_rate": 0.01, "network.decoder": "recursive",
        "network.cells.units": [7], "network.level_adjustment": False, "training.batch_size": 9,
        "training.cutoffs_per_window": 1, "training.workers": 2, "training.sign_flip": True,
        "network.output_domain": "nonnegative",
        "network.shrunken_trend": True, "training.jit": True, "network.scale": "last",
        "network.fixed_scale": [],
    }  # fmt: skip
    given = [f"{field}={value}" for field, value in said.items()]
    before = build_experiment({"dataset": {"source": "memory", "horizon": 12}}, given)
    experiment, choices = resolve(air, *given)
    assert choices == []
    assert set(said) == {*rules.RULES, start.START}
    known = before.dataset.model_copy(update={"freq": "MS", "season": 12, "covariates": "none"})
    assert experiment.model_dump() == before.model_copy(update={"dataset": known}).model_dump()


def test_settling_again_changes_nothing(air):
    experiment, _ = resolve(air)
    assert rules.resolve(experiment, facts_of(experiment, air)) == (experiment, [])


def test_choices_do_not_depend_on_anything_after_the_training_span(air):
    experiment, choices = resolve(air)
    (end,) = windows.split(air, 12, experiment.split).train_ends
    values, observed = air.values.copy(), air.observed.copy()
    values[end:], observed[end::3] = -1e9, False
    assert resolve(replace(air, values=values, observed=observed)) == (experiment, choices)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 0, 3, 1], "integer"),
        ([0, 0, 3.5, 1], "nonnegative"),
        ([0, 0, 3, -1], "real"),
        ([2, 5, 3, 1], "nonnegative"),  # few may come as halves, but none below zero
        ([2, 5, 3, -1], "real"),
    ],
)
def test_forecasts_keep_to_what_the_series_can_be(values, kind):
    panel = from_series({"a": values * 30, "b": values[::-1] * 30}, freq="D", season=1)
    assert resolve(panel, horizon=4)[0].network.output_domain == kind


def test_few_exceptions_do_not_tell_what_series_can_be():
    def kind_of(**others):
        sold = {f"s{n:02}": [0.0, 0, 3, 1] * 30 for n in range(20)} | others
        panel = from_series(sold, freq="D", season=1)
        return resolve(panel, horizon=4)[0].network.output_domain

    assert kind_of(returned=[0.0, -1, 3, 1] * 30) == "integer"
    assert kind_of(**{f"weighed{n}": [0.0, 0, 2.5, 1] * 30 for n in range(5)}) == "nonnegative"


def test_a_value_that_is_not_positive_forbids_the_logarithm(air):
    series = {"air": air.values, "zero": np.r_[0.0, air.values[1:]]}
    panel = from_series(series, freq="MS", season=12, start="1949-01-01")
    assert resolve(panel)[0].network.log is False


def test_a_missing_value_does_not_forbid_the_logarithm(air):
    values = air.values.copy()
    values[5] = np.nan
    panel = from_series({"air": values}, freq="MS", season=12, start="1949-01-01")
    assert resolve(panel)[0].network.log is True


def test_swings_that_do_not_grow_with_the_level_need_no_logarithm():
    rising = np.linspace(100, 600, 144) + np.tile(10 * np.sin(np.arange(12)), 12)
    panel = from_series({"a": rising}, freq="MS", season=12, start="2000-01-01")
    assert resolve(panel)[0].network.log is False


def test_a_constant_series_needs_no_logarithm():
    panel = from_series({"a": [5.0] * 100}, freq="MS", season=12, start="2000-01-01")
    assert resolve(panel)[0].network.log is False


@pytest.mark.parametrize(
    ("season", "horizon", "patch"),
    [
        pytest.param(1, 12, 4, id="no-season"),
        pytest.param(1, 2, 2, id="no-season-short-horizon"),
        pytest.param(12, 12, 12, id="one-season"),
        pytest.param(168, 12, 42, id="a-divisor"),
        pytest.param(52, 12, 13, id="a-quarter"),
        pytest.param(53, 12, 4, id="a-long-prime"),
        pytest.param(132, 12, 33, id="eleven-years"),
    ],
)
def test_patch_folds_a_season_or_an_even_part_of_it(season, horizon, patch):
    panel = make_panel(1000, freq="1", season=season)
    assert resolve(panel, horizon=horizon)[0].network.patch == patch


def test_a_given_context_is_folded_evenly():
    experiment, _ = resolve(make_panel(), "network.context=30")
    assert (experiment.network.context, experiment.network.patch) == (30, 10)


def test_context_holds_two_of_the_longest_cycle():
    hours = make_panel(1000, freq="h", season=24)
    assert resolve_alone(hours, horizon=48)[0].network.context == 336  # two weeks


def test_context_holds_ten_seasons_and_of_long_ones_three():
    assert resolve_alone(make_panel(450))[0].network.context == 120
    assert resolve(make_panel(2000, freq="D", season=100))[0].network.context == 300


def test_where_the_series_alone_teach_context_is_a_third_of_a_typical_history():
    assert resolve_alone(make_panel(272))[0].network.context == 72
    assert resolve(make_panel(272))[0].network.context == 120


def test_context_is_whole_patches_within_a_short_history():
    network = resolve_alone(make_panel(60))[0].network
    assert network.context % network.patch == 0
    assert network.context == 24


def test_beside_made_up_series_all_of_a_short_history_is_read():
    assert resolve(make_panel(60))[0].network.context == 60
    assert resolve(make_panel(22, season=1, freq="1"), horizon=6)[0].network.context == 24


def test_the_baseline_weighs_the_newest_value_and_the_seasons_before():
    assert resolve_alone(make_panel(450))[0].network.naive_lags == (
        1,
        *range(12, 121, 12),
    )
    assert resolve_alone(make_panel(season=1, freq="1"), horizon=4)[0].network.naive_lags == (1,)


def test_the_baseline_is_the_last_value_where_the_context_holds_no_season():
    weeks = make_panel(39, freq="W", season=52)
    experiment, _ = resolve(weeks, horizon=8)
    assert experiment.network.context < 52
    assert experiment.network.naive_lags == (1,)
    assert resolve(make_panel(), "network.context=8")[0].network.naive_lags == (1,)


@pytest.mark.parametrize(
    ("freq", "length", "calendar"),
    [("MS", 200, True), ("MS", 40, False), ("1", 200, False), ("D", 1200, True), ("D", 500, False)],
)
def test_the_calendar_is_shown_where_three_years_can_teach_it(freq, length, calendar):
    assert resolve(make_panel(length, freq=freq), horizon=2)[0].network.calendar is calendar


@pytest.mark.parametrize(
    ("freq", "season", "context", "lags"),
    [
        pytest.param("h", 24, 336, (24, 168, 336), id="hours-and-weeks"),
        pytest.param("MS", 12, 48, (12, 24, 36, 48), id="years"),
        pytest.param("MS", 12, 240, tuple(range(12, 121, 12)), id="ten-years-at-most"),
        pytest.param("MS", 12, 8, (), id="no-room"),
        pytest.param("1", 1, 8, (), id="no-season"),
    ],
)
def test_the_longest_cycle_may_be_looked_back_on_several_times(freq, season, context, lags):
    panel = make_panel(1000, freq=freq, season=season)
    given = {"dataset": {"source": "memory", "horizon": 4}}
    assert repeated_cycles(facts_of(build_experiment(given), panel), context) == lags


def test_recent_is_two_seasons_within_the_context():
    assert resolve_alone(make_panel())[0].network.recent_inputs == 24
    assert resolve_alone(make_panel(), "network.context=16")[0].network.recent_inputs == 16


def test_more_observations_are_learned_from_longer():
    lengths = (100, 1000, 5000)
    steps = [resolve_alone(make_panel(length))[0].training.max_steps for length in lengths]
    assert steps == sorted(set(steps))
    assert steps[0] == 600


def test_a_history_too_short_is_refused():
    with pytest.raises(SeriesTooShort):
        resolve(make_panel(37))
    assert isinstance(resolve(make_panel(38))[0], ExperimentConfig)


def test_small_batches_with_several_cutoffs_teach_what_the_series_hold(air):
    def given(*options):
        training = resolve(air, *options)[0].training
        return training.batch_size, training.cutoffs_per_window

    assert given("training.synthetic=0") == (rules.BATCH, rules.CUTOFFS)
    assert given("training.synthetic=0", "network.decoder=segment") == (rules.BATCH, 1)
    assert given() == (rules.SYNTHETIC_BATCH, 1)


def test_too_few_steps_are_spent_on_the_series_themselves(air):
    assert resolve(air, "training.max_steps=249")[0].training.synthetic == 0
    assert resolve(air, "training.max_steps=250")[0].training.synthetic == 0.99


def test_series_to_be_read_together_are_listed_and_go_without_made_up_ones():
    experiment, choices = resolve(make_panel(), "network.multivariate=all")
    assert experiment.network.multivariate == ("s0", "s1", "s2")
    assert choices[0] == ("training.synthetic", 0.0, "synthetic series are univariate")


def test_several_cutoffs_of_an_lstm_have_the_direct_decoder(air):
    options = ("network.cells.kind=lstm", "training.cutoffs_per_window=2")
    decoders = [
        resolve(air, *given)[0].network.decoder for given in (options[:1], options[1:], options)
    ]
    assert decoders == ["segment", "segment", "direct"]


def test_a_series_too_short_to_train_on_may_forbid_the_logarithm():
    growing = np.exp(np.arange(300) / 50) * np.tile([1.0, 3.0, 2.0, 1.5], 75)
    series = {"a": growing, "b": 2 * growing}
    short = {"c": [0.0, 1.0, 3.0, 2.0] * 6}
    kept, forbidden = (
        resolve(from_series(given, freq="1", season=4), horizon=8)[0].network.log
        for given in (series, series | short)
    )
    assert (kept, forbidden) == (True, False)


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ((), 2),
        (("training.members=1",), 1),
        (("training.members=2",), 2),
        (("training.max_steps=999",), 1),
        (("auto.time_budget=100",), 1),
        (("training.workers=3",), 3),
    ],
)
def test_workers_are_as_many_as_cores_where_training_is_long(air, given, count, monkeypatch):
    monkeypatch.setattr(workers, "max_workers", lambda: 2)
    assert resolve(air, *given)[0].training.workers == count


@pytest.mark.parametrize(
    ("given", "platform", "compiled"),
    [
        ((), "linux", True),
        ((), "darwin", False),
        (("training.max_steps=999",), "linux", False),
        (("auto.time_budget=100",), "linux", False),
    ],
)
def test_long_trainings_are_compiled(air, given, platform, compiled, monkeypatch):
    monkeypatch.setattr(rules, "has_gpu", lambda: False)
    monkeypatch.setattr(sys, "platform", platform)
    assert resolve(air, *given)[0].training.jit is compiled


def test_data_of_which_copies_would_be_large_are_learned_in_one_process(air, monkeypatch):
    monkeypatch.setattr(workers, "max_workers", lambda: 2)
    monkeypatch.setattr(rules, "MOST_COPIED", 143)
    assert resolve(air)[0].training.workers == 1


def test_a_season_with_a_pretrained_network_begins_with_its_weights(air):
    experiment, choices = resolve_open(air)
    network, family = experiment.network, pretrained.needed(12)
    assert choices[0] == (
        "training.start",
        "pretrained",
        "it has learned from synthetic series of this season",
    )
    assert experiment.training.start == "pretrained"
    assert network.output_domain == "nonnegative"
    assert network.model_copy(update={"output_domain": "real"}) == family.network(log=True)
    assert experiment.levels == (0.1, 0.5, 0.9)
    assert open_fields(experiment) == []


@pytest.mark.parametrize(
    "override", ["network.cells.units=[64]", "network.context=24", "network.cells.kind=lstm"]
)
def test_a_field_that_asks_for_another_network_begins_with_random_weights(air, override):
    experiment, choices = resolve_open(air, override)
    assert experiment.training.start == "random"
    assert choices[0].reason == f"no pretrained network has this {override.split('=')[0]}"


def test_a_season_without_a_pretrained_network_begins_with_random_weights():
    experiment, _ = resolve_open(make_panel(400, freq="30min", season=48))
    assert experiment.training.start == "random"


def test_a_field_that_does_not_go_with_pretrained_weights_is_refused(air):
    with pytest.raises(ConfigError, match=r"network.patch=6 does not go with .* needs 12"):
        resolve_open(air, "training.start=pretrained", "network.patch=6")


def test_in_a_few_seconds_the_pretrained_network_stays_as_it_is(air):
    def steps(budget):
        return resolve_open(air, f"auto.time_budget={budget}")[0].training.max_steps

    assert (steps(10), steps(60) > 0, steps(0) > 0) == (0, True, True)


def test_a_random_start_leaves_nothing_of_the_pretrained_network(air):
    given = {"dataset": {"source": "memory", "horizon": 12}, "split": {"test_windows": 1}}
    facts = facts_of(build_experiment(given), air)
    again = rules.with_random_start(resolve_open(air), facts)
    assert again.experiment == resolve(air).experiment
    assert again.choices[0].field == "training.start"
    without = rules.without_synthetic(again, facts)
    assert without.experiment == resolve_alone(air).experiment
    assert [choice.field for choice in without.choices[:2]] == [
        "training.start",
        "training.synthetic",
    ]


def test_a_single_series_has_a_scale_of_its_training_span_and_several_have_none(air):
    network = resolve_alone(air).experiment.network
    assert network.scale == "mean"
    known = air.values[: len(air.values) // 2]
    assert known.min() < network.fixed_scale[1] < air.values.max()
    assert resolve(make_panel(120, series=2)).experiment.network.fixed_scale == ()


def test_beside_a_fixed_scale_there_are_no_synthetic_series(air):
    experiment, _ = resolve(air, "network.scale=fixed")
    assert (experiment.training.start, experiment.training.synthetic) == ("random", 0.0)


@pytest.mark.parametrize(("hours", "half_life"), [(6000, 1473), (3000, 0)])
def test_old_windows_count_less_in_long_histories_with_covariates(hours, half_life):
    panel = make_panel(hours, freq="h", season=24, series=1)
    rows = np.array([0, hours + 12])
    price = np.sin(np.arange(rows[1]) / 9)[:, None]
    columns = (Column("price", "future"),)
    beside = Covariates(columns, price, rows, np.empty((1, 0)))
    sets = ["split.test_windows=6", "split.validation_windows=3", "split.validation_stride=12"]
    with_price, _ = resolve(replace(panel, covariates=beside), *sets)
    assert with_price.training.half_life == half_life
    assert resolve(panel, *sets)[0].training.half_life == 0
