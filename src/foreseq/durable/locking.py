"""A training runs once: recognised by its inputs, locked while it runs, resumed if it was stopped.

Why the code is an input: after a change of foreseq, or of a library that computes the weights, the
same config and data give other weights, and a checkpoint from before must not be resumed.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from filelock import FileLock, Timeout

from foreseq.config import ExperimentConfig

PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-cpu")
"""Packages, besides foreseq itself, that the weights depend on."""


def cache_key(experiment: ExperimentConfig, data: str) -> str:
    """Return the key of a training: on one machine, the same key means the same weights.

    Args:
        experiment: As the user wrote it, open fields included.
        data: Fingerprint of the panel.
    """
    return _digest(f"{_code()} {data} {experiment.model_dump_json()}".encode())


@contextmanager
def claim(
    unfinished: Path, name: str, *, wait: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """Yield the folder `unfinished/name`, which no other process of this machine has meanwhile.

    The folder is removed when the block ends without an error; otherwise its files stay for the
    next process that claims it.

    Args:
        unfinished: Folder of all jobs that have not ended yet.
        name: Of the job.
        wait: Called once if another process has the folder, before waiting for it to end.
    """
    unfinished.mkdir(parents=True, exist_ok=True)
    lock = FileLock(unfinished / f"{name}.lock")  # the system releases it when its owner dies
    try:
        lock.acquire(blocking=False)
    except Timeout:
        wait()
        lock.acquire()
    try:
        yield unfinished / name
        shutil.rmtree(unfinished / name, ignore_errors=True)
    finally:
        lock.release()


def is_claimed(unfinished: Path, name: str) -> bool:
    """Return whether a running process of this machine has claimed a job."""
    try:
        with FileLock(unfinished / f"{name}.lock", blocking=False):
            return False
    except Timeout:
        return True


@cache
def _code() -> str:
    """Return a digest of the code that trains: foreseq without pipelines, and `PACKAGES`."""
    root = Path(__file__).parents[1]
    modules = sorted(
        file for file in root.rglob("*.py") if file.relative_to(root).parts[0] != "pipelines"
    )
    sources = b"".join(file.read_bytes() for file in modules)
    versions = [
        f"{package.metadata['Name']}={package.version}"
        for package in distributions()
        if package.metadata["Name"] in PACKAGES
    ]
    return _digest(sources + " ".join(sorted(versions)).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
