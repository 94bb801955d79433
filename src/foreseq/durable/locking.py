"""A training as a piece of work: recognised by what goes into it, done once, taken up when stopped.

Why the code is part of what goes in: the same config and data mean other weights after a change of
foreseq or of what it computes with, and unfinished work of before must not go into it.
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
"""Besides foreseq itself, what the weights depend on."""


def key(experiment: ExperimentConfig, data: str) -> str:
    """Return what stands for a training: the same key means the same weights, on one machine.

    Args:
        experiment: As the user told it, with what is left open.
        data: Fingerprint of the panel.
    """
    return _digest(f"{_code()} {data} {experiment.model_dump_json()}".encode())


@contextmanager
def claim(
    unfinished: Path, name: str, *, wait: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """Yield the folder of a piece of work that no other process of this machine does meanwhile.

    What is in it stays if the process dies or the block raises, for whoever claims it next, and
    goes when the block ends well.

    Args:
        unfinished: Where such folders are.
        name: Of the work.
        wait: Called when another process is at it, before waiting for that one to end.
    """
    unfinished.mkdir(parents=True, exist_ok=True)
    lock = FileLock(unfinished / f"{name}.lock")  # the system opens it again when its owner dies
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
    """Tell whether a living process of this machine is at a piece of work."""
    try:
        with FileLock(unfinished / f"{name}.lock", blocking=False):
            return False
    except Timeout:
        return True


@cache
def _code() -> str:
    """Return what stands for the code that trains."""
    here = Path(__file__).parents[1]
    files = sorted(file for file in here.rglob("*.py") if "pipelines" not in file.parts[-3:])
    sources = b"".join(file.read_bytes() for file in files)
    found = [
        f"{each.metadata['Name']}={each.version}"
        for each in distributions()
        if each.metadata["Name"] in PACKAGES
    ]
    return _digest(sources + " ".join(sorted(found)).encode())


def _digest(told: bytes) -> str:
    return hashlib.sha256(told).hexdigest()[:16]
