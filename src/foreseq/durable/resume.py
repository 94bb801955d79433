"""A training runs once: recognised by its inputs, locked while it runs, resumed if it was stopped.

Why the code is an input: after a change of foreseq, or of a library that computes the weights, the
same config and data give other weights, and a checkpoint from before must not be resumed.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from foreseq.config import ExperimentConfig
from foreseq.durable import files

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
    """Return a digest of what trains: foreseq without pipelines, its networks, and `PACKAGES`."""
    root = Path(__file__).parents[1]
    parts = sorted(
        file
        for file in (*root.rglob("*.py"), *root.rglob("manifest.json"))
        if file.relative_to(root).parts[0] != "pipelines"
    )
    sources = b"".join(file.read_bytes() for file in parts)
    versions = [
        f"{package.metadata['Name']}={package.version}"
        for package in distributions()
        if package.metadata["Name"] in PACKAGES
    ]
    return _digest(sources + " ".join(sorted(versions)).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


Record = dict[str, Any]


class ResumeLog:
    """Records in the order in which they are asked for.

    Example:
        >>> log = ResumeLog()
        >>> log.once(lambda: {"sum": 6 * 7})
        {'sum': 42}
    """

    def __init__(self, file: Path | None = None) -> None:
        """Open what an earlier process kept.

        Args:
            file: Where to keep it; None: nowhere.
        """
        self.file = file
        kept = _read(file)
        self.records: list[Record] = kept["records"]
        self.asked = 0
        self.begin: float = time.monotonic() - kept["elapsed"]

    @property
    def elapsed(self) -> float:
        """Seconds of work so far, those of earlier processes included."""
        return time.monotonic() - self.begin

    def once(self, make: Callable[[], Record]) -> Record:
        """Return the next record: the one that was kept, or else a new one, which is kept.

        Args:
            make: Returns a record that JSON can hold.
        """
        if self.asked == len(self.records):
            self.records.append(make())
            self._keep()
        self.asked += 1
        return self.records[self.asked - 1]

    def _keep(self) -> None:
        if self.file is not None:
            text = json.dumps({"elapsed": self.elapsed, "records": self.records})
            with files.new_file(self.file) as beside:
                beside.write_text(text, encoding="utf-8")


def _read(file: Path | None) -> Record:
    if file is None or not file.exists():
        return {"elapsed": 0.0, "records": []}
    kept: Record = json.loads(file.read_text(encoding="utf-8"))
    return kept
