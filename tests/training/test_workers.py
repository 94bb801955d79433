import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.durable import files
from foreseq.errors import SeriesTooShort, Unavailable
from foreseq.selection.choose import by_rules
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows
from foreseq.training import fitting, workers
from foreseq.training.fitting import Task

HORIZON, STEPS, VALIDATIONS, MEMBERS = 4, 8, 2, 3


class StoppedError(Exception):
    """Ends a training from outside."""


def make_panel(length=60):
    rng = np.random.default_rng(1)
    wave = np.resize([23.0, 29.0, 26.0, 24.0], length)
    return from_series({name: wave + rng.normal(size=length) for name in "abc"}, freq="1", season=4)


def make_experiment(*overrides):
    fields = {"dataset": {"source": "memory", "horizon": HORIZON}}
    training = {
        "max_steps": STEPS,
        "validations": VALIDATIONS,
        "members": MEMBERS,
        "workers": 2,
        "batch_size": 8,
    }
    small = [f"training.{name}={value}" for name, value in training.items()]
    more = ("training.synthetic=0", "network.cells.units=[8]", "network.cells.dropout=0.1")
    return by_rules(build_experiment(fields, [*small, *more, *overrides]), make_panel()).experiment


def make_task(length=60):
    panel = make_panel(length)
    ends = panel.lengths - HORIZON
    return Task(panel, ends, Windows(np.arange(3), ends), STEPS)


def bits(members):
    return [[weight.tobytes() for weight in member.weights] for member in members]


@pytest.fixture(scope="module", autouse=True)
def no_worker_is_left_at_the_end():
    yield
    workers.shutdown()
    assert not workers._pool


@pytest.fixture(scope="module")
def fitted():
    """Return three members that two workers fitted, and the progress they reported."""
    progress = []
    return workers.fit(make_task(), make_experiment(), report=progress.append), progress


def test_workers_fit_the_members_that_one_process_fits(fitted):
    members, _ = fitted
    here = fitting.fit(make_task(), make_experiment())
    assert bits(members) == bits(here)
    assert [member.curve for member in members] == [member.curve for member in here]


def test_workers_report_every_validation_of_every_member(fitted):
    members, reports = fitted
    for number, member in enumerate(members):
        own = [progress for progress in reports if progress.member == number]
        assert tuple(progress.point for progress in own) == member.curve
        assert [progress.ended for progress in own] == [False] * (VALIDATIONS - 1) + [True]


def test_an_error_in_a_worker_is_raised_in_the_parent(fitted):
    with pytest.raises(SeriesTooShort, match=r"needs \d+ steps, found"):
        workers.fit(make_task(length=9)._replace(validation=None), make_experiment())


def test_one_member_needs_no_worker():
    workers.shutdown()
    workers.fit(make_task(), make_experiment("training.members=1"))
    assert not workers._pool


@pytest.mark.slow
def test_stopped_workers_resume_from_their_checkpoints(fitted, tmp_path):
    seen = []

    def stop(progress):
        seen.append(progress)
        if len(seen) == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        workers.fit(make_task(), make_experiment(), checkpoint=tmp_path, report=stop)
    assert not workers._pool
    again = workers.fit(make_task(), make_experiment(), checkpoint=tmp_path)
    assert bits(again) == bits(fitted[0])


@pytest.mark.slow
def test_a_worker_that_dies_is_an_error_and_is_replaced(fitted):
    def kill(_progress):
        workers._pool[0].process.kill()
        workers._pool[0].process.wait()

    with pytest.raises(Unavailable, match=r"died.*training.workers=1"):
        workers.fit(make_task(), make_experiment(), report=kill)
    assert bits(workers.fit(make_task(), make_experiment())) == bits(fitted[0])


@pytest.mark.slow
def test_workers_end_with_a_killed_parent():
    code = "from foreseq.training import workers as w;"
    code += "print(w._start_worker().process.pid, flush=True);input()"
    parent = subprocess.Popen(  # noqa: S603 constant code
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    worker = int(parent.stdout.readline())
    time.sleep(5)  # it is importing
    assert files.is_alive(worker)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    until = time.monotonic() + 60
    while files.is_alive(worker) and time.monotonic() < until:
        time.sleep(0.2)
    assert not files.is_alive(worker)
