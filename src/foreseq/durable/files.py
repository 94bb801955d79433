"""Files and folders that appear whole or not at all: written to a temporary name, then renamed.

The temporary name holds the machine and the process id, so that the next process that writes the
same target can clean up after one that was killed. Why not by age: a training may take a day, and
a crash leaves something to clean up at once.
"""

import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from foreseq.errors import DataRefused

ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Environment of a process that is to keep to one core."""
REPLACED = ".old"
"""Ending of a folder that is about to be replaced."""

Line = TypeVar("Line", bound=BaseModel)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` when the block ends without an error.

    An existing `folder` stays until then, and stays for good if the block raises.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _clean_up(folder)
    temporary = Path(tempfile.mkdtemp(prefix=mark(folder.name), dir=folder.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        _flush(temporary)
        if folder.exists():
            replaced = temporary.with_name(f"{temporary.name}{REPLACED}")
            folder.rename(replaced)
            temporary.rename(folder)
            shutil.rmtree(replaced)
        else:
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_file(file: Path) -> Iterator[Path]:
    """Yield a path to write to, which becomes `file` when the block ends without an error."""
    file.parent.mkdir(parents=True, exist_ok=True)
    _clean_up(file)
    handle, name = tempfile.mkstemp(prefix=mark(file.name), suffix=file.suffix, dir=file.parent)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o644)
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def read_lines(file: Path, line: type[Line]) -> list[Line]:
    """Return the lines of a JSON-lines file, first to last; none if there is no such file.

    Raises:
        DataRefused: If a line is not one that `write_lines` wrote.
    """
    if not file.is_file():
        return []
    try:
        return [line.model_validate_json(text) for text in file.read_text("utf-8").splitlines()]
    except (ValidationError, UnicodeDecodeError) as error:
        raise DataRefused(
            f"every line must be a {line.__name__} written by foreseq",
            found=str(error).splitlines()[0],
            file=str(file),
            remedy="restore the file, or delete it to start anew",
        ) from None


def write_lines(file: Path, lines: Sequence[BaseModel]) -> None:
    """Write one line of JSON per model, whole or not at all."""
    with new_file(file) as temporary:
        temporary.write_text("".join(line.model_dump_json() + "\n" for line in lines), "utf-8")


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_alive(pid: int) -> bool:
    """Return whether a process of this machine runs; true where the system does not say.

    Example:
        >>> is_alive(os.getpid()), is_alive(2**22 + 1)
        (True, False)
    """
    if os.name == "nt":  # there, asking with signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def mark(name: str) -> str:
    """Return the prefix of a temporary name made by this process of this machine."""
    return f".{name}.{_machine()}.{os.getpid()}."


def left_behind(folder: Path, name: str) -> list[Path]:
    """Return the temporary entries for `name` whose process, of this machine, has died."""
    prefix = f".{name}.{_machine()}."
    left = []
    for entry in folder.iterdir():
        pid = entry.name.removeprefix(prefix).partition(".")[0]
        if entry.name.startswith(prefix) and pid.isdigit() and not is_alive(int(pid)):
            left.append(entry)
    return sorted(left)


def _machine() -> str:
    return socket.gethostname().replace(".", "-")


def _clean_up(target: Path) -> None:
    """Remove what dead processes left, and bring back what they were about to replace."""
    for left in left_behind(target.parent, target.name):
        if left.name.endswith(REPLACED) and not target.exists():
            left.rename(target)
        elif left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Force files to the disk, so that a rename never shows a half-written file."""
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
