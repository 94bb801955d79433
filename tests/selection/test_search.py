import numpy as np
import pytest

from foreseq.config import build_experiment, change
from foreseq.durable.resume import ResumeLog
from foreseq.selection import budget, rules
from foreseq.selection.choose import by_rules, choose, facts_of
from foreseq.selection.search import Candidate, _begin, _fields, _synthetic_shares, search
from foreseq.series.panel import from_series
from foreseq.training.fitting import Pace

SEASON = 4
UNAIDED = ("training.synthetic", 0.0)


class StoppedError(Exception):
    """What ends a search from outside."""


@pytest.fixture(scope="module")
def panel():
    """Return series with a season that a network must not miss, at levels far apart."""
    rng = np.random.default_rng(1)
    wave = np.tile([3.0, 9.0, 6.0, 4.0], 20)
    series = {f"s{i}": 10.0**i * (20 + wave + rng.normal(0, 0.3, 80)) for i in range(3)}
    return from_series(series, freq="1", season=SEASON)


def make_experiment(*overrides):
    given = {
        "dataset": {"source": "memory", "horizon": 4},
        "network": {"cells": {"units": [8]}},
        "training": {"max_steps": 60, "batch_size": 8, "loss": "mase", "synthetic": 0.0},
    }
    return build_experiment(given, overrides)


def by_rules_of(panel, *overrides):
    experiment = make_experiment(*overrides)
    return rules.resolve(experiment, facts_of(experiment, panel))


def test_without_time_the_rules_stand(panel):
    experiment = make_experiment("auto.time_budget=0")
    chosen, ruled = choose(experiment, panel), by_rules(experiment, panel)
    assert (chosen.experiment, chosen.choices, chosen.candidates) == (
        ruled.experiment, ruled.choices, [])  # fmt: skip


@pytest.fixture(scope="module")
def found(panel):
    """Search where the user has said something."""
    return choose(make_experiment("network.naive_lags=[4]", "network.log=false"), panel)


def test_what_the_user_said_is_not_tried(found):
    assert {each.field for each in found.candidates} == {"", "network.context"}
    assert found.experiment.network.naive_lags == (4,)


def test_a_change_that_lowers_the_validation_error_is_made(panel):
    resolved = by_rules_of(panel, "network.log=false", "network.context=16")
    poor = change(resolved.experiment, {"network.naive_lags": [1]})
    given: list[Candidate] = []
    facts = facts_of(poor, panel)
    better, candidates = search(
        resolved._replace(experiment=poor), facts, ResumeLog(), given.append
    )
    assert given == candidates
    assert SEASON in better.experiment.network.naive_lags
    reason = next(each.reason for each in better.choices if each.field == "network.naive_lags")
    assert "validation error" in reason


def test_the_time_left_makes_members(found):
    assert 1 < found.experiment.training.members <= 6


def test_little_time_shortens_the_training():
    rng = np.random.default_rng(1)
    panel = from_series({"a": rng.normal(10, 1, 300)}, freq="1", season=SEASON)
    given = {"dataset": {"source": "memory", "horizon": 4}, "auto": {"time_budget": 1e-3}}
    told_experiment = build_experiment(given, ["network.cells.units=[8]"])
    experiment = by_rules(told_experiment, panel).experiment
    found = choose(told_experiment, panel)
    reasons = {choice.field: choice.reason for choice in found.choices}
    assert found.experiment.training.max_steps == 100 < experiment.training.max_steps
    assert "time budget allows" in reasons["training.max_steps"]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("auto.time_budget=1", id="no-time-for-another"),
        pytest.param("network.context=16", id="nothing-to-vary"),
    ],
)
def test_a_short_training_that_would_be_alone_is_not_made(panel, given):
    known = ("network.naive_lags=[4]", "network.log=false")
    found = choose(make_experiment(*known, given), panel)
    assert found.candidates == []


@pytest.mark.slow
def test_a_search_taken_up_again_finds_what_it_would_have_found(panel, tmp_path):
    experiment = make_experiment("network.naive_lags=[4]", "network.log=false")
    file = tmp_path / "search.json"

    def stop_at_the_second(candidate):
        given.append(candidate)
        if len(given) == 2:
            raise StoppedError

    given: list[Candidate] = []
    with pytest.raises(StoppedError):
        choose(experiment, panel, log=ResumeLog(file), report=stop_at_the_second)
    whole = choose(experiment, panel, log=ResumeLog(file))
    assert whole.candidates[:2] == given
    again = choose(experiment, panel, log=ResumeLog(file))
    assert (again.experiment, again.candidates) == (whole.experiment, whole.candidates)


def test_nothing_of_the_test_span_is_seen(panel, found):
    lengths = panel.lengths
    altered = panel.values.copy()
    for start, length in zip(panel.offsets, lengths, strict=False):
        altered[start + length - 4 : start + length] *= 100
    other = type(panel)(**{**vars(panel), "values": altered})
    again = choose(make_experiment("network.naive_lags=[4]", "network.log=false"), other)
    assert [c.error for c in found.candidates] == [c.error for c in again.candidates]


def five_steps(seed):
    """Return a series with a rhythm of its own, which no series has that is made up."""
    return 10 + np.tile(np.random.default_rng(seed).normal(size=5), 32)


def wander(seed):
    rng = np.random.default_rng(seed)
    return 100 + rng.normal(size=60).cumsum() + np.tile([0, 5, 2, 1], 15)


@pytest.mark.parametrize(
    ("series", "kept"),
    [
        pytest.param([five_steps(n) for n in range(16)], False, id="five-steps"),
        pytest.param([wander(n) for n in range(6)], True, id="wandering-seasons"),
    ],
)
def test_made_up_series_stay_unless_the_real_ones_teach_clearly_more(series, kept):
    panel = from_series({f"s{n}": each for n, each in enumerate(series)}, freq="1", season=SEASON)
    given = {
        "dataset": {"source": "memory", "horizon": 4},
        "network": {"cells": {"units": [8]}, "context": 16, "log": False, "naive_lags": [1, 4, 8]},
        "training": {
            "max_steps": 1000,
            "batch_size": 64,
            "loss": "mase",
            "members": 1,
            "workers": 1,
            "jit": False,
        },
        "auto": {"time_budget": 600},
    }
    told_experiment = build_experiment(given)
    experiment = by_rules(told_experiment, panel).experiment
    assert experiment.training.synthetic > 0
    found = choose(told_experiment, panel)
    assert [(each.field, each.value) for each in found.candidates] == [("", None), UNAIDED]
    assert (found.experiment.training.synthetic > 0) is kept
    assert found.experiment.network.cells.units == (8,)
    chosen = {choice.field: choice.value for choice in found.choices}
    assert chosen["training.synthetic"] == found.experiment.training.synthetic


def test_what_lies_far_behind_is_not_varied():
    series = {f"s{n}": wander(n)[:24] for n in range(4)}
    panel = from_series(series, freq="1", season=SEASON)
    given = {
        "dataset": {"source": "memory", "horizon": 4},
        "network": {"cells": {"units": [8]}, "log": False},
        "training": {"batch_size": 32, "max_steps": 1000, "workers": 1, "jit": False},
        "split": {"test_windows": 1},
    }
    told_experiment = build_experiment(given)
    found = choose(told_experiment, panel)
    errors = {(each.field, each.value): each.error for each in found.candidates}
    assert errors[UNAIDED] > 1.5 * min(errors.values())
    assert (found.candidates[-1].field, found.candidates[-1].value) == UNAIDED
    assert ("training.loss", "owa") in errors


def test_doing_without_made_up_series_reopens_what_the_rules_chose_and_nothing_else(panel):
    given = {"dataset": {"source": "memory", "horizon": 4}, "training": {"learning_rate": 0.02}}
    experiment = build_experiment(given)
    facts = facts_of(experiment, panel)
    synthetic = rules.resolve(experiment, facts)
    alone, choices = rules.without_synthetic(synthetic, facts)
    assert synthetic.experiment.network.decoder == "segment"
    assert alone == by_rules(build_experiment(given, ["training.synthetic=0"]), panel).experiment
    assert alone.training.learning_rate == 0.02
    assert {choice.field for choice in choices} == {choice.field for choice in synthetic.choices}


def test_where_time_is_too_short_for_made_up_series_there_are_none(panel):
    given = {
        "dataset": {"source": "memory", "horizon": 4},
        "network": {"cells": {"units": [8]}},
        "training": {"batch_size": 8},
        "auto": {"time_budget": 0.5},
    }
    told_experiment = build_experiment(given)
    experiment = by_rules(told_experiment, panel).experiment
    assert experiment.training.synthetic > 0
    found = choose(told_experiment, panel)
    assert found.experiment.training.synthetic == 0
    assert UNAIDED not in [(each.field, each.value) for each in found.candidates]
    (reason,) = [each.reason for each in found.choices if each.field == "training.synthetic"]
    assert reason.endswith("steps are too few to learn from synthetic series")


def test_up_and_down_are_alike_unless_windows_tell_otherwise():
    rng = np.random.default_rng(1)
    wander = [100 + rng.normal(size=120).cumsum() for _ in range(6)]
    rise = [each + 2 * np.arange(120) for each in wander]
    for series, mirrored in ((wander, True), (rise, False)):
        panel = from_series({f"s{n}": each for n, each in enumerate(series)}, freq="1", season=1)
        given = ("training.max_steps=200", "training.batch_size=32", "network.log=false")
        found = choose(make_experiment("network.context=8", *given), panel)
        assert ("training.sign_flip", False) in [
            (each.field, each.value) for each in found.candidates
        ]
        assert found.experiment.training.sign_flip is mirrored


def test_few_long_series_are_also_tried_beside_made_up_ones():
    rng = np.random.default_rng(1)
    rhythm = np.tile([3.0, 9.0, 6.0, 4.0], 900)
    panel = from_series(
        {f"s{n}": rhythm + rng.normal(size=3600) for n in range(3)}, freq="1", season=SEASON
    )
    given = {
        "dataset": {"source": "memory", "horizon": 4},
        "network": {"cells": {"units": [8]}, "context": 16, "log": False, "naive_lags": [1, 4]},
        "training": {
            "max_steps": 1000,
            "batch_size": 8,
            "loss": "mase",
            "members": 1,
            "workers": 1,
        },
    }
    told_experiment = build_experiment(given)
    experiment = by_rules(told_experiment, panel).experiment
    found = choose(told_experiment, panel)
    beside = ("training.synthetic", rules.SEARCHED_SHARE)
    assert beside in [(each.field, each.value) for each in found.candidates]
    assert found.experiment.network == experiment.network
    few = facts_of(experiment, panel)
    many = from_series({f"s{n}": range(3600) for n in range(101)}, freq="1", season=SEASON)
    assert not list(_synthetic_shares(facts_of(experiment, many), experiment))
    assert list(_synthetic_shares(few, experiment)) == [rules.SEARCHED_SHARE]


def test_many_short_series_of_days_are_also_tried_beside_made_up_ones():
    series = {f"s{n}": range(200) for n in range(101)}
    panel = from_series(series, freq="D", season=7, start="2020-01-01")
    given = {"dataset": {"source": "memory", "horizon": 7}}
    experiment, _, _, _ = by_rules(build_experiment(given), panel)
    assert experiment.training.synthetic == 0
    assert list(_synthetic_shares(facts_of(experiment, panel), experiment)) == [
        rules.SEARCHED_SHARE
    ]


@pytest.mark.parametrize(("share", "varied"), [(0.0, True), (rules.SEARCHED_SHARE, False)])
def test_lags_are_not_varied_where_the_user_asks_for_made_up_series(panel, share, varied):
    begun = _begin(by_rules_of(panel, f"training.synthetic={share}"), Pace(1.0, 0.0, 0.01))
    assert ("network.naive_lags" in _fields(begun)) is varied


@pytest.mark.parametrize(
    ("given", "left", "steps"),
    [
        ((), 50, 375),  # a third of them again, after the test
        ((), 1000, 600),
        ((), 1, 100),
        (("training.refit=false",), 50, 500),
        (("training.members=3", "training.workers=2"), 50, 187),  # one after the other
    ],
)
def test_steps_are_those_of_the_rules_or_as_many_as_there_is_time_for(panel, given, left, steps):
    experiment = by_rules_of(panel, *given).experiment
    ruled = rules.Choice("training.max_steps", 600, "by rule")
    changed, choice = budget.choose_steps(experiment, ruled, Pace(1.0, 0.0, 0.1), left)
    assert changed.training.max_steps == choice.value == steps
    assert (choice == ruled) is (steps == 600)


def test_more_workers_than_members_are_worth_still_fit_one_each(panel):
    experiment = by_rules_of(panel, "training.workers=8").experiment
    changed, _ = budget.choose_members(experiment, Pace(1.0, 0.0, 1.0), 1e6)
    assert changed.training.members == 8
