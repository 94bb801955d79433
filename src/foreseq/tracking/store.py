"""The tracking store of MLflow: created once, under a lock; and links to its pages.

A local store may be moved or copied with its files, and read where nothing can be written.

Why a lock and a rename: MLflow builds a new SQLite store step by step. Two processes that do so at
once, or one that is killed on the way, leave a store that never works again.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.db import upgrade
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from foreseq.config.dataset import without_secrets
from foreseq.durable import files
from foreseq.errors import ConfigError
from foreseq.tracking import moves
from foreseq.tracking.moves import Moves

SQLITE = "sqlite:///"
BUNDLE_TAG, MODEL_TAG = "bundle.digest", "bundle.model"
"""Tags of a run: the digest of its bundle, and the MLflow model around it."""
GATE_TAG = "gate"
"""Tag of a run: the gate's verdict on its bundle."""
NOTE = "mlflow.note.content"
"""MLflow's tag for the description of a run or an experiment, in Markdown."""
LOCAL_PAGES = "http://127.0.0.1:5000"
"""Address of `foreseq ui`."""
VIEW = "workflowType=machine_learning"
"""Without it MLflow shows its pages for generative models."""
REPORT = "report.html"
"""A run's report at its root."""
PATIENCE = 300
"""Seconds to wait for another process that prepares or publishes."""


def address() -> str:
    """Return the URI of the store: `MLFLOW_TRACKING_URI`, else SQLite under `mlruns/`."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    return uri or f"{SQLITE}{(Path.cwd() / 'mlruns' / 'mlflow.db').as_posix()}"


def home() -> Path:
    """Return the folder of the SQLite file, or `mlruns/` if the store is elsewhere."""
    uri = address()
    if uri.startswith(SQLITE):
        return Path(uri.removeprefix(SQLITE)).absolute().parent
    return Path.cwd() / "mlruns"


def artifact_location(name: str) -> str | None:
    """Return the place of an experiment's files; None: a tracking server decides."""
    if is_served():
        return None
    return (home() / moves.ARTIFACTS / name).as_uri()


def local(location: str) -> Path | None:
    """Return the folder of a recorded location on this machine; None if it is elsewhere."""
    return moves.local(moves.present(location, _prepare(address())))


def is_served() -> bool:
    """Return whether the store is behind a tracking server."""
    return address().startswith(("http://", "https://"))


def open_store() -> MlflowClient:
    """Return a client of the store; a local store is created if need be.

    Raises:
        ConfigError: If the store does not respond, or MLflow does not accept its URI.
    """
    uri = address()
    _prepare(uri)
    return MlflowClient(uri)


def get_run(run_id: str) -> Run:
    """Return a run of the store.

    Raises:
        ConfigError: If there is no such run.
    """
    try:
        return open_store().get_run(run_id)
    except MlflowException as error:
        raise ConfigError(
            f"{run_id}: no such run in {without_secrets(address())} ({error.error_code});"
            " `foreseq ui` shows all runs"
        ) from None


def ui_link(run_id: str) -> str:
    """Return the address of a run's page, on `foreseq ui` or on the tracking server.

    Raises:
        ConfigError: If there is no such run.
    """
    experiment = get_run(run_id).info.experiment_id
    return f"{_pages()}/#/experiments/{experiment}/runs/{run_id}?{VIEW}"


def report_link(run_id: str) -> str:
    """Return the address of a run's report.

    Raises:
        ConfigError: If there is no such run.
    """
    page, _, view = ui_link(run_id).rpartition("?")
    return f"{page}/artifacts/{REPORT}?{view}"


def compare_link(model: str) -> str:
    """Return the address of the page that compares all runs of a model.

    Raises:
        ConfigError: If the model has no run.
    """
    experiment = open_store().get_experiment_by_name(model)
    if experiment is None:
        raise ConfigError(f"{model}: no run yet; train it first")
    return f"{_pages()}/#/experiments/{experiment.experiment_id}/runs?{VIEW}&compareRunsMode=CHART"


def _pages() -> str:
    return without_secrets(address()).rstrip("/") if is_served() else LOCAL_PAGES


@contextmanager
def lock() -> Iterator[None]:
    """Lock the store against other processes of this machine.

    Raises:
        ConfigError: If another process holds the lock for too long.
    """
    home().mkdir(parents=True, exist_ok=True)
    file = home() / ".lock"
    try:
        with FileLock(file, timeout=PATIENCE):
            yield
    except Timeout:
        raise ConfigError(
            f"{file}: locked by another process for {PATIENCE} s; end that process, or wait for it"
        ) from None


@cache
def _prepare(uri: str) -> Moves:
    """Create the local store, whole or not at all, and check that the store responds.

    Returns:
        The moves of a store that could not be corrected, as nothing can be written there.
    """
    file = Path(uri.removeprefix(SQLITE)).absolute() if uri.startswith(SQLITE) else None
    read_only = file is not None and file.exists() and not os.access(file.parent, os.W_OK)
    moved: Moves = ()
    try:
        with nullcontext() if read_only else lock():
            if file is not None:
                _create(file)
            MlflowClient(uri).search_experiments(max_results=1)
            if file is not None:
                moved = moves.find(file)
                if moved and not read_only:
                    moves.correct(file, moved)
                    moved = ()
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = getattr(error, "orig", error)  # the database's message without SQLAlchemy's
        raise ConfigError(
            f"MLflow's store {without_secrets(uri)} cannot be used: {reason}; set"
            " MLFLOW_TRACKING_URI to a file (sqlite:///runs.db) or a server (http://host:5000)"
        ) from None
    return moved


def _create(file: Path) -> None:
    if file.exists() and file.stat().st_size:
        return
    with files.new_file(file) as temporary:
        upgrade.main([f"{SQLITE}{temporary.as_posix()}"], standalone_mode=False)
