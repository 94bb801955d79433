"""A store that was moved or copied has its own files, and touches no others."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from foreseq.tracking import moves, store

TOGETHER = """
import os
from foreseq.tracking import store

def use():
    client = store.open_store()
    run = client.search_runs([client.get_experiment_by_name("air").experiment_id])[0]
    client.log_text(run.info.run_id, "new", "new.txt")

children = []
for _ in range(4):
    children.append(os.fork())
    if not children[-1]:
        use()
        os._exit(0)
raise SystemExit(any([os.waitpid(child, 0)[1] for child in children]))
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return a project whose store holds a run with a file, a model and a version."""
    folder = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        client = store.open_store()
        air = client.create_experiment("air", store.artifact_location("air"))
        run = client.create_run(air).info.run_id
        client.log_text(run, "old", "old.txt")
        location = client.create_logged_model(air, "forecaster", source_run_id=run)
        client.create_registered_model("air")
        client.create_model_version("air", source=location.artifact_location)
    return folder


@pytest.fixture
def copy(original, tmp_path, monkeypatch):
    """Return a copy that was not used yet, as the working folder."""
    folder = Path(shutil.copytree(original, tmp_path / "a copy"))
    monkeypatch.chdir(folder)
    return folder


def locations(folder: Path) -> list[str]:
    """Return every location in a project's store, besides that of MLflow's own experiment."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as rows:
        found = [
            rows.execute(f"SELECT {column} FROM {table}").fetchall()  # noqa: S608 our own names
            for table, column in moves.LOCATIONS
        ]
    return [str(one[0]) for table in found for one in table if not str(one[0]).endswith("/0")]


def content(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder."""
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_copy_has_its_own_files_and_leaves_the_original_alone(original, copy):
    before = content(original)
    client = store.open_store()
    run = client.search_runs([client.get_experiment_by_name("air").experiment_id])[0].info
    client.log_text(client.create_run(run.experiment_id).info.run_id, "new", "new.txt")
    assert store.local(run.artifact_uri).is_relative_to(copy / "mlruns")
    assert len(list(copy.rglob("new.txt"))) == 1
    assert content(original) == before
    assert all(one.startswith((copy / "mlruns").as_uri()) for one in locations(copy))
    assert len(locations(copy)) == 6


def test_a_moved_store_is_corrected_by_processes_that_use_it_at_once(copy):
    store.open_store()
    moved = copy.rename(copy.with_name("new place"))
    subprocess.run(  # noqa: S603 our own interpreter and words
        [sys.executable, "-W", "ignore", "-c", TOGETHER], cwd=moved, timeout=120, check=True
    )
    assert all(one.startswith((moved / "mlruns").as_uri()) for one in locations(moved))
    assert len(list(moved.rglob("new.txt"))) == 1
    assert not copy.exists()


def test_a_copy_where_nothing_can_be_written_is_read_at_its_own_place(original, copy, monkeypatch):
    before = content(copy)
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)  # root may write anywhere
    location = locations(copy)[0]
    assert location.startswith(original.as_uri())
    assert store.local(location) == copy / "mlruns" / "artifacts" / "air"
    assert content(copy) == before


def test_an_experiment_with_a_place_of_its_own_stays_there(copy, tmp_path):
    outside = tmp_path / "shared" / "artifacts" / "mine"
    outside.mkdir(parents=True)
    store.open_store().create_experiment("mine", outside.as_uri())
    store.open_store().create_experiment("cloud", "s3://bucket/artifacts/cloud")
    moved = copy.rename(copy.with_name("new"))
    old, new = (f"{(folder / 'mlruns' / 'artifacts').as_uri()}/" for folder in (copy, moved))
    assert moves.find(moved / "mlruns" / "mlflow.db") == ((old, new),)


def test_another_name_of_the_same_folder_is_no_move(original):
    link = original.with_name("link")
    link.symlink_to(original)
    assert moves.find(link / "mlruns" / "mlflow.db") == ()
    assert moves.find(original / "mlruns" / "mlflow.db") == ()
