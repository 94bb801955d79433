"""The pinned versions really run Prefect: a set that breaks its server passes every other check."""

import json
import os
import subprocess
import sys
from functools import partial
from urllib.request import Request, urlopen

from foreseq.pipelines.runtime.server import answers

SERVED = """
from datetime import timedelta

from prefect import flow


@flow
def tick() -> None:
    pass


if __name__ == "__main__":
    tick.serve(name="often", interval=timedelta(seconds=3), limit=1)
"""


def test_a_schedule_fires_and_its_flow_completes(tmp_path, free_port, running, wait_for):
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    served = tmp_path / "served.py"
    served.write_text(SERVED, encoding="utf-8")
    settings = os.environ | {
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    }
    wait = partial(wait_for, patience=120)
    python = partial(running, sys.executable, env=settings, stderr=subprocess.STDOUT)
    logs = tmp_path / "server.log", tmp_path / "served.log"
    words = ("-m", "prefect", "--no-prompt", "server", "start", "--port", str(port))
    with logs[0].open("wb") as log, python(*words, stdout=log):
        wait(lambda: answers(f"{api}/health"), "the server is healthy", logs[0])
        with logs[1].open("wb") as other, python(served, stdout=other):
            wait(lambda: completed_by_schedule(api), "a scheduled run completes", *logs)


def completed_by_schedule(api: str) -> bool:
    wanted = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    request = Request(  # noqa: S310 our own server
        f"{api}/flow_runs/filter",
        data=json.dumps(wanted).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=10) as answer:  # noqa: S310 our own server
        return any(run["auto_scheduled"] for run in json.load(answer))
