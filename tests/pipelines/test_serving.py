"""`foreseq serve`, as a user starts it: schedules fire, each interval is carried out once."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from foreseq import batch, examples
from pipelines.scheduled import Interval

FORESEQ = Path(sys.executable).with_name("foreseq")
EVERY = timedelta(seconds=20)
PATIENCE = 540
SHOP = """
dataset: {name: shop, source: shop.csv, horizon: 7}
auto: {time_budget: 0}
training: {steps: 20, looks: 2}
network: {cells: {units: [8]}}
classics: {windows: 1}
gate: {min_skill: -9, confidence: 0.5}
"""


@pytest.mark.slow
def test_a_schedule_fires_three_times_and_whoever_else_asks_gets_the_same(tmp_path):
    examples.write(tmp_path / "shop.csv", series=4, freq="D", length=120, seed=1)
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    often = tmp_path / "often.yaml"
    often.write_text("config: shop.yaml\nevery: 20s\n", encoding="utf-8")
    with serving(often):
        first, *_ = wait_for(tmp_path, 1)
        when = (first.logical + EVERY).strftime("%Y-%m-%dT%H:%M:%S")  # due, or being carried out
        asked = ("backfill", "often.yaml", "--from", when, "--to", when, "--json")
        other = json.loads(foreseq(tmp_path, *asked))
        found = wait_for(tmp_path, 3)
    assert Interval.model_validate(other) in found
    gaps = [later.logical - sooner.logical for sooner, later in pairwise(found)]
    assert not any(gap % EVERY for gap in gaps)  # more than one, where the machine is busy
    assert all(interval.logical <= interval.ended for interval in found)
    assert {interval.model_version for interval in found} == {"shop/1"}  # no new data, one training
    assert len({interval.forecast for interval in found}) == 3
    tables = [batch.read(interval.forecast) for interval in found]
    assert all(table.equals(tables[0]) for table in tables)


def wait_for(place: Path, count: int) -> list[Interval]:
    """Return the first intervals that were carried out."""
    deadline = time.monotonic() + PATIENCE
    while True:
        records = sorted((place / "data" / "schedules" / "often").glob("2*.json"))
        if len(records) >= count:
            return [Interval.model_validate_json(file.read_bytes()) for file in records[:count]]
        said = (place / ".state" / "foreseq.log").read_text() if deadline < time.monotonic() else ""
        assert not said, said[-3000:]
        time.sleep(0.3)


@contextmanager
def serving(schedule: Path):
    process = subprocess.Popen(  # noqa: S603 our own command
        [FORESEQ, "serve", schedule.name],
        cwd=schedule.parent,
        env=settings(schedule.parent) | {"PREFECT_RUNNER_POLL_FREQUENCY": "1"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
        assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


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
    told = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    return told | {"PREFECT_HOME": str(place / "prefect")}
