"""What is installed, where things are, what is wrong."""

import os
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from foreseq import __version__
from foreseq.config.dataset import without_secrets
from foreseq.errors import Unavailable
from foreseq.pipelines.runtime import console, environment, server
from foreseq.pipelines.runtime.server import Named

PACKAGES = ("keras", "mlflow", "prefect", "pandas", "pyarrow")
ROOM = 1 << 30
"""Free bytes below which training may run out of disk."""


class Finding(NamedTuple):
    """The result of one check."""

    name: str
    message: str
    exit_code: int = 0
    """1 if something is wrong, that of `Unavailable` for a server; 0: nothing."""


def diagnose() -> Iterator[Finding]:
    """Check one thing after the other."""
    yield Finding("foreseq", __version__)
    for package in PACKAGES:
        yield _installed(package)
    yield _tensorflow()
    yield _writable("data", environment.data())
    yield _writable("log", console.LOG.parent)
    uri = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlruns/mlflow.db")
    if uri.startswith("sqlite:///"):
        yield _writable("mlflow store", Path(uri.removeprefix("sqlite:///")).parent)
    else:
        yield _there("mlflow store", server.mlflow(), without_secrets(uri))
    yield _there("prefect", server.prefect(), "its own server, started with each command")
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding("disk", f"{free / 1e9:.1f} GB free", int(free < ROOM))


def _installed(package: str) -> Finding:
    try:
        return Finding(package, metadata.version(package))
    except metadata.PackageNotFoundError:
        return Finding(package, "is not installed; install foreseq again", 1)


def _tensorflow() -> Finding:
    for package in ("tensorflow-cpu", "tensorflow"):
        finding = _installed(package)
        if not finding.exit_code:
            message = f"{finding.message} ({package})"
            return finding._replace(name="tensorflow", message=message)
    return finding


def _writable(name: str, folder: Path) -> Finding:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK):
        return Finding(name, str(folder.absolute()))
    return Finding(name, f"{folder.absolute()} cannot be written to", 1)


def _there(name: str, named: Named, otherwise: str) -> Finding:
    if not named.address:
        return Finding(name, otherwise)
    if server.is_there(named.address):
        return Finding(name, without_secrets(named.address))
    return Finding(name, server.absence(named), Unavailable.exit_code)
