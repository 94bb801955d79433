"""`foreseq serve`, as a user starts it: schedules fire, each interval is carried out once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from foreseq.forecasting import writer
from foreseq.pipelines.flows.scheduled import STAMP, Interval
from foreseq.pipelines.runtime import server
from foreseq.series import examples

FORESEQ = Path(sys.executable).with_name("foreseq")
EVERY = timedelta(seconds=20)
PATIENCE = 540
SHOP = """
dataset: {name: shop, source: shop.csv, horizon: 7}
auto: {time_budget: 0}
training: {max_steps: 20, validations: 2}
network: {cells: {units: [8]}}
statistical_baselines: {windows: 1}
gate: {min_skill: -9, confidence: 0.5}
"""


@pytest.mark.slow
def test_a_schedule_fires_three_times_and_another_request_gets_the_same(tmp_path, serving, first):
    schedule(tmp_path)
    with serving() as process:
        (started,) = first(1)
        when = (started.logical + EVERY).strftime("%Y-%m-%dT%H:%M:%S")  # due, or being carried out
        asked = ("backfill", "often.yaml", "--from", when, "--to", when, "--json")
        other = json.loads(foreseq(tmp_path, *asked))
        intervals = first(3)
        assert process.poll() is None
    assert Interval.model_validate(other) in intervals
    gaps = [later.logical - sooner.logical for sooner, later in pairwise(intervals)]
    assert not any(gap % EVERY for gap in gaps)  # more than one, where the machine is busy
    assert all(interval.logical <= interval.ended for interval in intervals)
    assert {interval.model_version for interval in intervals} == {
        "shop/1"
    }  # no new data, one training
    assert len({interval.forecast for interval in intervals}) == 3
    tables = [writer.read(interval.forecast) for interval in intervals]
    assert all(table.equals(tables[0]) for table in tables)


@pytest.mark.slow
def test_when_a_worker_is_killed_amid_a_run_another_takes_it_over(
    tmp_path, serving, prefect, first, wait_for
):
    schedule(tmp_path, SHOP.replace("steps: 20, validations: 2", "steps: 6000, validations: 20"))
    with serving(PREFECT_API_URL=prefect) as one, serving(PREFECT_API_URL=prefect) as other:
        unfinished = tmp_path / "data" / "unfinished"
        wait_for(
            lambda: [*unfinished.rglob("member-0.npz")], "a training has started", patience=PATIENCE
        )
        (interval,) = unfinished.glob("often-*/")
        victim = next(each for each in (one, other) if is_at(each, interval.with_suffix(".lock")))
        os.killpg(victim.pid, signal.SIGKILL)
        (taken,) = first(1)
        assert f"{taken.logical:{STAMP}}" == interval.name.removeprefix("often-")
        intervals = first(2)
    assert {each.model_version for each in intervals} == {"shop/1"}
    assert not interval.exists()
    log = (tmp_path / ".state" / "foreseq.log").read_text()
    assert (
        f"interval often {interval.name.removeprefix('often-')}: resumed, it was left unfinished"
        in log
    )


@pytest.fixture
def serving(tmp_path, running):
    """Return what serves the schedule, against a server that the environment may name."""

    def serve(**server: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        variables = settings(tmp_path) | {"PREFECT_RUNNER_POLL_FREQUENCY": "1"} | server
        words = (FORESEQ, "serve", "often.yaml")
        return running(*words, cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL)

    return serve


@pytest.fixture
def prefect(tmp_path, running, free_port) -> Iterator[str]:
    """Start a server, as one does for several workers; yield the address of its API."""
    port = free_port()
    program = FORESEQ.with_name("prefect")
    words = (program, "--no-prompt", "server", "start", "--port", str(port))
    with running(*words, env=settings(tmp_path), stdout=subprocess.DEVNULL) as process:
        server.wait(f"http://127.0.0.1:{port}/api", process)
        yield f"http://127.0.0.1:{port}/api"


def schedule(place: Path, shop: str = SHOP) -> None:
    """Write a schedule that is due every 20 s, and what it needs."""
    examples.write(place / "shop.csv", series=4, freq="D", length=120, seed=1)
    (place / "shop.yaml").write_text(shop, encoding="utf-8")
    (place / "often.yaml").write_text("config: shop.yaml\nevery: 20s\n", encoding="utf-8")


def is_at(worker: subprocess.Popen[bytes], lock: Path) -> bool:
    """Return whether a process that a worker started holds a file open."""
    started = psutil.Process(worker.pid).children(recursive=True)
    return any(lock == Path(file.path) for each in started for file in each.open_files())


def carried_out(place: Path) -> list[Interval]:
    """Return the intervals so far, the oldest first."""
    records = sorted((place / "data" / "schedules" / "often").glob("2*.json"))
    return [Interval.model_validate_json(file.read_bytes()) for file in records]


@pytest.fixture
def first(tmp_path, wait_for) -> Callable[[int], list[Interval]]:
    """Return what waits for the first intervals that are carried out."""

    def wait(count: int) -> list[Interval]:
        log = tmp_path / ".state" / "foreseq.log"
        wait_for(
            lambda: len(carried_out(tmp_path)) >= count, f"{count} done", log, patience=PATIENCE
        )
        return carried_out(tmp_path)[:count]

    return wait


def foreseq(place: Path, *words: str) -> str:
    ran = subprocess.run(  # noqa: S603 our own command
        [FORESEQ, *words],
        cwd=place,
        env=settings(place),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def settings(place: Path) -> dict[str, str]:
    """Name no server and a home of one's own, as on a user's machine."""
    variables = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    return variables | {"PREFECT_HOME": str(place / "prefect")}
