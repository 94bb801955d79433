"""What is installed, where things are, what is wrong."""

import os
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from foreseq import __version__
from foreseq.pipelines.runtime import environment

PACKAGES = ("keras", "mlflow", "prefect", "pandas", "pyarrow")
ROOM = 1 << 30
"""Free bytes below which training may run out of disk."""


class Finding(NamedTuple):
    """The result of one check."""

    name: str
    message: str
    fine: bool


def diagnose() -> Iterator[Finding]:
    """Check one thing after the other."""
    yield Finding("foreseq", __version__, fine=True)
    for package in PACKAGES:
        yield _installed(package)
    yield _tensorflow()
    yield _writable("data", environment.data())
    yield Finding(
        "mlflow store", os.environ.get("MLFLOW_TRACKING_URI", "sqlite under mlruns/"), fine=True
    )
    yield Finding(
        "prefect", os.environ.get("PREFECT_API_URL", "its own server, started with each command"),
        fine=True,
    )  # fmt: skip
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding("disk", f"{free / 1e9:.1f} GB free", fine=free > ROOM)


def _installed(package: str) -> Finding:
    try:
        return Finding(package, metadata.version(package), fine=True)
    except metadata.PackageNotFoundError:
        return Finding(package, "is not installed; install foreseq again", fine=False)


def _tensorflow() -> Finding:
    for package in ("tensorflow-cpu", "tensorflow"):
        finding = _installed(package)
        if finding.fine:
            message = f"{finding.message} ({package})"
            return finding._replace(name="tensorflow", message=message)
    return finding


def _writable(name: str, folder: Path) -> Finding:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    fine = os.access(nearest, os.W_OK)
    return Finding(name, f"{folder.absolute()}{'' if fine else ' cannot be written to'}", fine)
