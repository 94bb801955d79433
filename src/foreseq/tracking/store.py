"""Where MLflow keeps what it is told: prepared once, quietly, under a lock.

Why a lock and a rename: MLflow builds a fresh SQLite store step by step, and processes that do so
at the same time, or one that is killed on the way, leave a store that never works again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.db import upgrade
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from foreseq.config.dataset import without_secrets
from foreseq.durable import files
from foreseq.errors import ConfigError

SQLITE = "sqlite:///"
BUNDLE_TAG, MODEL_TAG = "bundle.digest", "bundle.model"
"""Tags of a run, for the registry: what stands for its bundle, and the MLflow model around it."""
PATIENCE = 300
"""Seconds to wait for another process that prepares or publishes."""


def address() -> str:
    """Return the URI of the store: `MLFLOW_TRACKING_URI`, or SQLite under `mlruns/`."""
    told = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    return told or f"{SQLITE}{(Path.cwd() / 'mlruns' / 'mlflow.db').as_posix()}"


def home() -> Path:
    """Return the folder of the SQLite file, or `mlruns/` where the store is elsewhere."""
    uri = address()
    if uri.startswith(SQLITE):
        return Path(uri.removeprefix(SQLITE)).absolute().parent
    return Path.cwd() / "mlruns"


def artifact_location(name: str) -> str | None:
    """Return where an experiment's files go, or None to leave it to a tracking server."""
    if is_served():
        return None
    return (home() / "artifacts" / name).as_uri()


def is_served() -> bool:
    """Tell whether a tracking server stands between us and the store."""
    return address().startswith(("http://", "https://"))


def open_store() -> MlflowClient:
    """Return a client of the store, creating the store if it is the local one and not yet there.

    Raises:
        ConfigError: If the store does not answer, or is of a kind that MLflow no longer takes.
    """
    uri = address()
    _prepare(uri)
    return MlflowClient(uri)


def get_run(run_id: str) -> Run:
    """Return a run of the store.

    Raises:
        ConfigError: If there is none of that id.
    """
    try:
        return open_store().get_run(run_id)
    except MlflowException as error:
        raise ConfigError(
            f"{run_id}: no such run in {without_secrets(address())} ({error.error_code});"
            " `foreseq ui` shows those there are"
        ) from None


@contextmanager
def lock() -> Iterator[None]:
    """Keep every other process of this machine that uses the same store from doing the like.

    Raises:
        ConfigError: If another process keeps it for too long.
    """
    home().mkdir(parents=True, exist_ok=True)
    file = home() / ".lock"
    try:
        with FileLock(file, timeout=PATIENCE):
            yield
    except Timeout:
        raise ConfigError(
            f"{file}: held by another process for {PATIENCE} s; see what it is waiting for"
        ) from None


@cache
def _prepare(uri: str) -> None:
    """Create the local store, whole or not at all, and see that any store answers."""
    try:
        with lock():
            if uri.startswith(SQLITE):
                _create(Path(uri.removeprefix(SQLITE)).absolute())
            MlflowClient(uri).search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = getattr(error, "orig", error)  # SQLAlchemy's own words are for programmers
        raise ConfigError(
            f"MLflow's store {without_secrets(uri)} cannot be used: {reason}; set"
            " MLFLOW_TRACKING_URI to a file (sqlite:///runs.db) or a server (http://host:5000)"
        ) from None


def _create(file: Path) -> None:
    if file.exists() and file.stat().st_size:
        return
    with files.new_file(file) as beside:
        upgrade.main([f"{SQLITE}{beside.as_posix()}"], standalone_mode=False)
