"""The server of a command is there when its flow begins, and gone when the command is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foreseq.errors import ForeseqError
from foreseq.pipelines.runtime import server
from foreseq.pipelines.runtime.server import answers

HOLDS = """
import os, time
from foreseq.pipelines.runtime import server
server.start()()
print(os.environ["PREFECT_API_URL"], flush=True)
time.sleep(300)
"""


@pytest.fixture
def nowhere(tmp_path, monkeypatch) -> Path:
    """Name no server, neither in the environment nor in a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("PREFECT_API_URL", "restored after the test")
    monkeypatch.delenv("PREFECT_API_URL")
    return tmp_path


def test_a_server_answers_when_waited_for_and_ends_with_its_command(nowhere):
    command = subprocess.Popen(  # noqa: S603 our own words
        [sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True, cwd=nowhere
    )
    assert command.stdout is not None
    with command.stdout as output:
        address = output.readline().strip()
        assert answers(f"{address}/health")
        command.send_signal(signal.SIGKILL)
        command.wait()
    deadline = time.monotonic() + 30
    while answers(f"{address}/health") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not answers(f"{address}/health")


def test_a_server_that_is_named_is_the_one_used(nowhere, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://somewhere/api")
    monkeypatch.setattr(server, "NAMED_PATIENCE", 0)
    with pytest.raises(ForeseqError, match="server http://somewhere/api does not answer"):
        server.start()
    assert os.environ["PREFECT_API_URL"] == "http://somewhere/api"


@pytest.mark.parametrize("file", ["prefect/profiles.toml", "prefect.toml", ".env"])
def test_files_of_prefects_may_name_a_server_too(nowhere, file):
    (nowhere / "prefect").mkdir()
    (nowhere / file).touch()
    server.start()()
    assert "PREFECT_API_URL" not in os.environ


@pytest.mark.slow
def test_a_server_that_dies_is_not_waited_for(nowhere, monkeypatch):
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:////nowhere/db")
    ready = server.start()
    with pytest.raises(ForeseqError, match="ended with code"):
        ready()
