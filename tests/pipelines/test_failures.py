"""What foreseq needs may fail: one sentence, the exit code of a refusal, no traceback."""

import errno
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
import requests

from foreseq.errors import ConfigError, Unavailable
from foreseq.pipelines.runtime import console, failures, server


@pytest.fixture
def silent(monkeypatch) -> Iterator[str]:
    """Return the address of a server that takes connections and never answers."""
    monkeypatch.setattr(server, "NAMED_PATIENCE", 0.2)
    with socket.socket() as ear:
        ear.bind(("127.0.0.1", 0))
        ear.listen()
        yield f"http://user:secret@127.0.0.1:{ear.getsockname()[1]}"


@pytest.fixture
def absent(monkeypatch, free_port) -> str:
    """Return an address where nothing listens."""
    monkeypatch.setattr(server, "NAMED_PATIENCE", 0.2)
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--data", "shop.csv", "--horizon", "7"),
        ("forecast", "--model", "shop", "--output", "out"),
        ("monitor", "--model", "shop"),
        ("rollback", "shop"),
        ("text", "score", "shop.csv"),
        ("ui",),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_a_server_of_mlflow_that_does_not_answer_ends_a_command(
    inside, shop, silent, monkeypatch, command
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", silent)
    ended = inside(*command)
    assert ended.returncode == 6
    assert "MLflow's server http://127.0.0.1" in ended.stderr
    assert "unset MLFLOW_TRACKING_URI" in ended.stderr
    assert "secret" not in ended.stderr
    assert not (shop.parent / "data").exists()


@pytest.mark.parametrize("command", [("ingest", "--data", "shop.csv"), ("doctor",)], ids=" ".join)
def test_a_server_of_prefect_that_is_not_there_ends_a_command(
    inside, shop, absent, monkeypatch, command
):
    monkeypatch.setenv("PREFECT_API_URL", f"{absent}/api")
    ended = inside(*command)
    assert ended.returncode == 6
    assert f"Prefect's server {absent}/api does not answer" in ended.stderr
    assert not (shop.parent / "data").exists()


@pytest.mark.parametrize(("code", "there"), [(200, True), (401, True), (404, True), (503, False)])
def test_a_server_that_asks_for_a_password_is_there_and_a_failing_one_is_not(code, there):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_):
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as answering:
        threading.Thread(target=answering.handle_request).start()
        assert server.is_there(f"http://127.0.0.1:{answering.server_port}/api") is there


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left", "data/a.npz"), "data/a.npz: No space left"),
        (PermissionError(errno.EACCES, "denied", "data"), "data: Permission denied; change its"),
        (FileExistsError(errno.EEXIST, "exists", "data"), "data: File exists; a folder is needed"),
        (MemoryError("cannot allocate"), "not enough memory"),
        (httpx.ConnectError("refused"), "Prefect's server"),
        (requests.ConnectionError("refused"), "MLflow's server"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_failures_from_outside_are_no_defects(error, words, capfd):
    raised = RuntimeError("a library gave up")
    raised.__cause__ = error
    code = console.say_failure(raised)
    said = capfd.readouterr().err
    assert words in said
    assert code in (2, 6)
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_a_store_on_a_full_or_locked_disk_is_no_defect(tmp_path):
    file = tmp_path / "store.db"
    with (
        closing(sqlite3.connect(file)) as first,
        closing(sqlite3.connect(file, timeout=0)) as second,
    ):
        first.execute("CREATE TABLE t (x)")
        first.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as locked:
            second.execute("INSERT INTO t VALUES (1)")
        first.commit()
        first.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as full:
            first.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert isinstance(failures.expected(locked.value), Unavailable)
    assert "free some space" in str(failures.expected(full.value))


def test_what_may_pass_is_what_is_not_of_config_or_data():
    assert failures.may_pass(OSError(errno.EFBIG, "File too large", "data/a.npz"))
    assert failures.may_pass(Unavailable("a worker was killed"))
    assert not failures.may_pass(ConfigError("no such field"))
    assert not failures.may_pass(ZeroDivisionError())


def test_a_defect_says_where_its_traceback_is(capfd):
    assert console.say_failure(ZeroDivisionError("division by zero")) == 1
    said = capfd.readouterr().err
    assert said.rstrip().endswith("its traceback is above")
    assert failures.expected(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))) is None


def test_a_line_for_people_is_one_line(capfd):
    console.say("data     1 series: shop\x1b[2K\nforeseq: fine :skull: [red]")
    said = capfd.readouterr().err
    assert said == "data     1 series: shop\\x1b[2K\\nforeseq: fine :skull: [red]\n"
