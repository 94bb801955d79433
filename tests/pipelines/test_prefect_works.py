"""The pinned versions really run Prefect: a set that breaks its server passes every other check."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from pipelines.server import answers

PATIENCE = 120
SERVED = """
from datetime import timedelta

from prefect import flow


@flow
def tick() -> None:
    pass


if __name__ == "__main__":
    tick.serve(name="often", interval=timedelta(seconds=3), limit=1)
"""


def test_a_schedule_fires_and_its_flow_completes(tmp_path, free_port):
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
    server = ["-m", "prefect", "--no-prompt", "server", "start", "--port", str(port)]
    with running(server, settings, tmp_path / "server.log") as server_log:
        wait_for(lambda: answers(f"{api}/health"), "the server is healthy", server_log)
        with running([str(served)], settings, tmp_path / "served.log") as served_log:
            wait_for(
                lambda: completed_by_schedule(api),
                "a scheduled run completes",
                server_log,
                served_log,
            )


def completed_by_schedule(api: str) -> bool:
    wanted = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    request = Request(  # noqa: S310 our own server
        f"{api}/flow_runs/filter",
        data=json.dumps(wanted).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=10) as answer:  # noqa: S310 our own server
        return any(run["auto_scheduled"] for run in json.load(answer))


def wait_for(happened: Callable[[], bool], what: str, *logs: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            ends = "\n".join(log.read_text(errors="replace")[-3000:] for log in logs)
            raise AssertionError(f"waited {PATIENCE} s, but not yet true: {what}\n{ends}")
        time.sleep(0.3)


@contextmanager
def running(arguments: list[str], settings: Mapping[str, str], log: Path) -> Iterator[Path]:
    """Run Python beside the test, with all that it starts; yield where its output goes."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 our own words
            [sys.executable, *arguments],
            cwd=log.parent,
            env=settings,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield log
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
