"""Files and folders that appear whole or not at all: written beside, flushed, renamed.

What a process that was killed left beside is put in order by the next one that writes the same.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foreseq.durable import processes

OLD = ".old"
"""Ending of a folder that is about to be replaced."""


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` when the block ends well.

    A folder of that name that is already there stays until then, and stays for good if the block
    raises.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _tidy(folder)
    beside = Path(tempfile.mkdtemp(prefix=processes.mark(folder.name), dir=folder.parent))
    beside.chmod(0o755)
    try:
        yield beside
        _flush(beside)
        if folder.exists():
            old = beside.with_name(f"{beside.name}{OLD}")
            folder.rename(old)
            beside.rename(folder)
            shutil.rmtree(old)
        else:
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def new_file(file: Path) -> Iterator[Path]:
    """Yield a path to write to, which becomes `file` when the block ends well."""
    file.parent.mkdir(parents=True, exist_ok=True)
    _tidy(file)
    mark = processes.mark(file.name)
    handle, name = tempfile.mkstemp(prefix=mark, suffix=file.suffix, dir=file.parent)
    os.close(handle)
    beside = Path(name)
    beside.chmod(0o644)
    try:
        yield beside
        _flush(beside)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _tidy(target: Path) -> None:
    """Remove what the dead wrote beside, and bring back what they were about to replace."""
    for left in processes.left_behind(target.parent, target.name):
        if left.name.endswith(OLD) and not target.exists():
            left.rename(target)
        elif left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Bring what was written to the disk, so that a rename never shows a half-written file."""
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
