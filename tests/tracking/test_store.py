"""The store is created once, whole, by the first process that needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from foreseq.errors import ConfigError
from foreseq.tracking import store

TOGETHER = """
import os
from foreseq.tracking import store

children = []
for name in ("a", "b", "c", "d"):
    children.append(os.fork())
    if not children[-1]:
        store.open_store().create_experiment(name)
        os._exit(0)
ended = [os.waitpid(child, 0)[1] for child in children]
raise SystemExit(any(ended))
"""


def test_four_processes_may_create_the_store_at_once_and_print_nothing(tmp_path):
    ran = subprocess.run(  # noqa: S603 our own interpreter and words
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", TOGETHER],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlruns"]
    assert sorted(path.name for path in (tmp_path / "mlruns").iterdir()) == [".lock", "mlflow.db"]


def test_store_is_under_mlruns_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert store.address() == f"sqlite:///{(tmp_path / 'mlruns' / 'mlflow.db').as_posix()}"
    assert store.home() == tmp_path / "mlruns"
    assert store.artifact_location("air") == (tmp_path / "mlruns" / "artifacts" / "air").as_uri()


def test_a_server_decides_itself_where_files_go(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    assert store.artifact_location("air") is None
    assert store.home() == Path.cwd() / "mlruns"


def test_a_uri_that_mlflow_does_not_accept_is_refused_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "runs"))
    with pytest.raises(ConfigError, match=r"sqlite:///runs\.db"):
        store.open_store()


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path, monkeypatch):
    file = tmp_path / "notes.db"
    file.write_text("not a database")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file.as_posix()}")
    with pytest.raises(ConfigError, match="cannot be used"):
        store.open_store()
    assert file.read_text() == "not a database"
