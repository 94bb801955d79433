import json
import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import yaml

from foreseq.config import build_experiment, load_experiment
from foreseq.errors import ConfigError
from foreseq.selection import tuning
from foreseq.selection.choose import by_rules
from foreseq.selection.space import Space
from foreseq.selection.tuning import Study
from foreseq.series.panel import from_series

TOLD = {
    "dataset": {"source": "memory", "horizon": 4},
    "network": {"cells": {"units": [4]}, "naive_lags": [4], "context": 8, "patch": 4},
    "training": {"max_steps": 8, "batch_size": 4, "validations": 4},
}
SPACE = Space.model_validate(
    {
        "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "training.batch_size": {"one_of": [2, 4, 8], "ordered": True},
        "network.cells.kind": {"one_of": ["gru", "simple"]},
    }
)


@pytest.fixture(scope="module")
def panel():
    """Return two series with a season and some noise."""
    rng = np.random.default_rng(1)
    wave = np.tile([3.0, 9.0, 6.0, 4.0], 15)
    series = {name: 20 + wave + rng.normal(0, 1, 60) for name in "ab"}
    return from_series(series, freq="1", season=4)


@pytest.fixture
def begin(tmp_path, panel):
    """Return what makes a study in a storage of its own."""

    def make(name="s", **given):
        experiment = by_rules(build_experiment(TOLD), given.pop("panel", panel)).experiment
        return Study(name, tmp_path / "studies.db", experiment, SPACE, **{"trials": 6, **given})

    return make


class Silent:
    """Keeps how a trial went."""

    def __init__(self):
        self.looks = []

    def report(self, stage, progress):
        self.looks.append((stage, progress.point))

    def conclude(self, tried):
        self.tried = tried


@contextmanager
def unrecorded(number, experiment):
    yield Silent()


def work(study, panel):
    with tuning.opened(study, panel):
        return list(iter(lambda: tuning.attempt(study, panel, unrecorded), None))


@pytest.fixture(scope="module")
def worked(panel, tmp_path_factory):
    """Return a study and its four trials, made in two calls."""
    experiment, _, _, _ = by_rules(build_experiment(TOLD), panel)
    study = Study("s", tmp_path_factory.mktemp("study") / "studies.db", experiment, SPACE)
    first = work(replace(study, trials=2), panel)
    return replace(study, trials=4), first + work(replace(study, trials=4), panel)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", tuning.SAMPLERS)
def test_a_study_resumed_tries_what_an_undisturbed_one_tries(begin, panel, sampler):
    whole = work(begin("whole", sampler=sampler, trials=12), panel)
    halves = work(begin("halves", sampler=sampler, trials=7), panel)
    halves += work(begin("halves", sampler=sampler, trials=12), panel)
    assert halves == whole
    assert len({str(tried.values) for tried in whole}) > 6


def test_a_study_counts_the_trials_of_earlier_calls(worked):
    assert [tried.number for tried in worked[1]] == list(range(4))


def test_the_first_trial_is_what_the_rules_have(worked):
    assert worked[1][0].values == {
        "training.learning_rate": 1e-3,
        "training.batch_size": 4,
        "network.cells.kind": "gru",
    }


def test_nothing_of_the_test_span_is_seen(worked, begin, panel):
    altered = panel.values.copy()
    for end in panel.offsets[1:]:
        altered[end - 4 : end] *= 100
    other = type(panel)(**{**vars(panel), "values": altered})
    assert work(begin(trials=1, panel=other), other) == worked[1][:1]


def test_the_best_trial_is_the_one_of_least_error(worked):
    study, tried = worked
    assert tuning.best(study).error == min(each.error for each in tried if not each.pruned)


def test_what_does_worse_than_most_is_cut_short(begin, panel):
    study = begin(trials=5)
    with tuning.opened(study, panel):
        stored = tuning._load(study)
        for _ in range(4):
            good = tuning._claim(study, stored)
            for step in (2, 4, 6, 8):
                good.report(1e-6, step)
            stored.tell(good, 1e-6)
        tried = tuning.attempt(study, panel, unrecorded)
    assert tried.pruned
    assert tuning.best(study).pruned == 1


@pytest.mark.parametrize("sampler", tuning.SAMPLERS)
def test_every_sampler_draws_other_values_for_other_trials(begin, panel, sampler):
    study = begin(sampler=sampler, trials=6)
    with tuning.opened(study, panel):
        stored = tuning._load(study)
        drawn = []
        for error in range(6):
            trial = tuning._claim(study, stored)
            drawn.append(trial.user_attrs["values"])
            stored.tell(trial, error)
    assert len(set(drawn)) > 3


def test_no_trial_is_lost_or_doubled_among_workers(begin, panel):
    study = begin(trials=8)
    claimed = []

    def worker():
        while (trial := tuning._claim(study, tuning._load(study))) is not None:
            claimed.append(trial.number)

    with tuning.opened(study, panel):
        threads = [threading.Thread(target=worker) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(claimed) == list(range(8))


def test_what_was_under_way_when_its_process_died_is_tried_again(begin, panel):
    study = begin(trials=3)
    with tuning.opened(study, panel):
        lost = tuning._claim(study, tuning._load(study))  # and no one ever tells how it ended
        values = json.loads(lost.user_attrs["values"])
    with tuning.opened(study, panel):
        again = tuning._claim(study, tuning._load(study))
    assert again.number > lost.number
    assert json.loads(again.user_attrs["values"]) == values


def test_a_study_is_open_to_one_caller_at_a_time(begin, panel):
    with (
        tuning.opened(begin(), panel),
        pytest.raises(ConfigError, match="tuned by another"),
        tuning.opened(begin(), panel),
    ):
        pass


def test_a_study_of_other_data_is_refused(begin, panel):
    with tuning.opened(begin(), panel):
        pass
    other = type(panel)(**{**vars(panel), "values": panel.values + 1})
    with (
        pytest.raises(ConfigError, match="started with other data"),
        tuning.opened(begin(panel=other), other),
    ):
        pass


def test_time_that_is_over_leaves_one_whole_trial(begin, panel):
    study = begin(deadline=0.0)
    assert work(study, panel) == []
    with pytest.raises(ConfigError, match="no completed trial"):
        tuning.best(study)


def test_values_that_do_not_go_together_are_passed_over(begin, panel):
    space = Space.model_validate({"network.context": {"one_of": [7]}})
    (tried,) = work(replace(begin(trials=1), space=space), panel)
    assert tried.pruned
    assert np.isnan(tried.error)


def test_the_best_config_says_only_what_differs_and_can_be_run(worked, tmp_path):
    study, given = worked[0], build_experiment(TOLD)
    written = tuning.write_best(study, given, tmp_path / "best.yaml")
    read = load_experiment(tmp_path / "best.yaml")
    assert read == written
    plain = yaml.safe_load((tmp_path / "best.yaml").read_text())
    assert plain == read.model_dump(mode="json", exclude_defaults=True)
    best = tuning.best(study)
    assert read.training.learning_rate == best.values["training.learning_rate"]
    assert read.training.members is None
    assert read.split == given.split
    assert read.network.log == study.experiment.network.log


def test_a_trial_that_failed_does_not_count(begin, panel):
    study = begin(trials=2)

    @contextmanager
    def broken(number, experiment):
        raise OSError("no room")
        yield

    with tuning.opened(study, panel):
        with pytest.raises(OSError, match="no room"):
            tuning.attempt(study, panel, broken)
        taken = [tuning._claim(study, tuning._load(study)) for _ in range(3)]
    assert [trial and trial.number for trial in taken] == [1, 2, None]
