import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.durable import files
from foreseq.errors import ForeseqError, SeriesTooShort
from foreseq.selection.choose import by_rules
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows
from foreseq.training import fitting, workers
from foreseq.training.fitting import Task

HORIZON, STEPS, LOOKS, MEMBERS = 4, 8, 2, 3


class StoppedError(Exception):
    """What ends a training from outside."""


def make_panel(length=60):
    rng = np.random.default_rng(1)
    wave = np.resize([23.0, 29.0, 26.0, 24.0], length)
    return from_series({name: wave + rng.normal(size=length) for name in "abc"}, freq="1", season=4)


def make_experiment(*overrides):
    told = {"dataset": {"source": "memory", "horizon": HORIZON}}
    training = {
        "max_steps": STEPS,
        "validations": LOOKS,
        "members": MEMBERS,
        "workers": 2,
        "batch_size": 8,
    }
    small = [f"training.{name}={value}" for name, value in training.items()]
    more = ("training.synthetic=0", "network.cells.units=[8]", "network.cells.dropout=0.1")
    return by_rules(build_experiment(told, [*small, *more, *overrides]), make_panel()).experiment


def make_task(length=60):
    panel = make_panel(length)
    ends = panel.lengths - HORIZON
    return Task(panel, ends, Windows(np.arange(3), ends), STEPS)


def bits(members):
    return [[weight.tobytes() for weight in member.weights] for member in members]


@pytest.fixture(scope="module", autouse=True)
def at_the_end_nobody_is_left():
    yield
    workers.dismiss()
    assert not workers._crew


@pytest.fixture(scope="module")
def fitted():
    """Return what two workers made of three members, and what they told meanwhile."""
    told = []
    return workers.fit(make_task(), make_experiment(), report=told.append), told


def test_workers_fit_the_members_that_one_process_fits(fitted):
    members, _ = fitted
    here = fitting.fit(make_task(), make_experiment())
    assert bits(members) == bits(here)
    assert [member.curve for member in members] == [member.curve for member in here]


def test_workers_tell_every_look_of_every_member(fitted):
    members, told = fitted
    for number, member in enumerate(members):
        own = [progress for progress in told if progress.member == number]
        assert tuple(progress.point for progress in own) == member.curve
        assert [progress.ended for progress in own] == [False] * (LOOKS - 1) + [True]


def test_what_a_worker_refuses_is_refused_here(fitted):
    with pytest.raises(SeriesTooShort, match=r"needs \d+ steps, found"):
        workers.fit(make_task(length=9)._replace(validation=None), make_experiment())


def test_one_member_needs_no_worker():
    workers.dismiss()
    workers.fit(make_task(), make_experiment("training.members=1"))
    assert not workers._crew


@pytest.mark.slow
def test_workers_that_were_stopped_go_on_from_their_checkpoints(fitted, tmp_path):
    seen = []

    def stop(progress):
        seen.append(progress)
        if len(seen) == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        workers.fit(make_task(), make_experiment(), checkpoint=tmp_path, report=stop)
    assert not workers._crew
    again = workers.fit(make_task(), make_experiment(), checkpoint=tmp_path)
    assert bits(again) == bits(fitted[0])


@pytest.mark.slow
def test_a_worker_that_dies_is_told_of_and_replaced(fitted):
    def kill(_progress):
        workers._crew[0].process.kill()
        workers._crew[0].process.wait()

    with pytest.raises(ForeseqError, match=r"died.*training.workers=1"):
        workers.fit(make_task(), make_experiment(), report=kill)
    assert bits(workers.fit(make_task(), make_experiment())) == bits(fitted[0])


@pytest.mark.slow
def test_workers_end_with_whoever_gives_them_work():
    code = (
        "from foreseq.training.workers import _hire;print(_hire().process.pid, flush=True);input()"
    )
    parent = subprocess.Popen(  # noqa: S603 our own words
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
