"""Who set up the automations of `pipelines/README.md` is told of a failure and of an alarm."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from foreseq.pipelines.runtime.server import answers
from foreseq.series import examples

FORESEQ = Path(sys.executable).with_name("foreseq")
SHOP = """
dataset: {name: shop, source: shop.csv, horizon: 7}
auto: {time_budget: 0}
training: {max_steps: 5, validations: 1}
network: {cells: {units: [4]}}
statistical_baselines: {windows: 1}
gate: {min_skill: 0.99}
"""

WEBHOOK = "https://chat.example.org/hooks/foreseq"
"""Of the page."""

pytestmark = pytest.mark.slow


@pytest.fixture
def received() -> Iterator[tuple[str, list[str]]]:
    """Listen to whatever is posted; yield the address, and what has come."""
    bodies: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=receiver.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{receiver.server_port}/", bodies
    receiver.shutdown()
    receiver.server_close()


@pytest.fixture
def settings(tmp_path, free_port, running, wait_for) -> Iterator[dict[str, str]]:
    """Start a Prefect server of its own; yield the environment that names it."""
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    named = os.environ | {"PREFECT_API_URL": api, "PREFECT_HOME": str(tmp_path / "prefect")}
    log = tmp_path / "server.log"
    words = ("-m", "prefect", "--no-prompt", "server", "start", "--port", str(port))
    with log.open("wb") as output, running(sys.executable, *words, env=named, stdout=output):
        wait_for(lambda: answers(f"{api}/health"), "the server is healthy", log)
        yield named


def test_failures_and_alarms_of_schedules_are_told_as_documented(
    tmp_path, blocks, settings, received, wait_for
):
    url, bodies = received
    (lines,) = blocks("Notifications of failures and alarms", "python")
    assert WEBHOOK in lines
    for name, text in (("shop", SHOP), ("gone", SHOP.replace("shop", "gone"))):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        schedule = f'config: {name}.yaml\ncron: "0 3 * * *"\n'
        (tmp_path / f"{name}-nightly.yaml").write_text(schedule, encoding="utf-8")
    examples.write(tmp_path / "shop.csv", series=3, freq="D", length=120, seed=1)
    run = partial(subprocess.run, cwd=tmp_path, env=settings, timeout=400)
    run([sys.executable, "-c", lines.replace(WEBHOOK, url)], check=True)
    night = ("--from", "2000-04-20T03:00", "--to", "2000-04-20T03:00")
    for name in ("gone", "shop"):
        run([FORESEQ, "backfill", f"{name}-nightly.yaml", *night], check=False)
    wait_for(lambda: len(bodies) > 1, "both are told", patience=60)
    failure, alarm = bodies[0], bodies[1]
    assert failure.startswith('{"text":"gone gone-nightly 2000-04-20: ')
    assert "gone.csv" in failure
    assert alarm.startswith('{"text":"shop: no champion')
