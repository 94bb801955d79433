"""The raw file on this machine: read in place where it is local, else copied by content."""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from foreseq.config import DatasetConfig
from foreseq.durable import files
from foreseq.errors import ConfigError, DataRefused

PIECE = 1 << 20
"""Bytes copied at a time."""


def is_remote(source: str) -> bool:
    """Tell whether a source is a URL that must be copied before it is read.

    Example:
        >>> [is_remote(source) for source in ("a.csv", "file:///a.csv", "s3://bucket/a.csv")]
        [False, False, True]
    """
    return "://" in source and not source.startswith(("file://", "local://"))


def shown(source: str) -> str:
    """Return a source as a message may show it, without password or signature.

    Example:
        >>> shown("https://me:secret@example.org/a.csv?signature=abc")
        'https://example.org/a.csv'
    """
    if "://" not in source:
        return source
    return re.sub(r"//[^/@]*@", "//", source).partition("?")[0]


def fetch(dataset: DatasetConfig, raw: Path) -> Path:
    """Return the local file or folder of a dataset, copying a URL into `raw` under its digest.

    The copy of unchanged content keeps its path, and a failed copy leaves nothing: try again.

    Raises:
        ConfigError: If no installed package reads such a URL.
        DataRefused: If the source is absent, cannot be reached, or arrives cut short.
    """
    if not is_remote(dataset.source):
        return _local(dataset.source)
    url = os.path.expandvars(dataset.source)
    unset = re.search(r"\$\{\w+\}", url)
    if unset:
        raise ConfigError(f"dataset.source: needs {unset[0]}, found no such variable; set it")
    try:
        system, path = fsspec.url_to_fs(url)
        return _copy(system, path, raw)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"dataset.source: {shown(dataset.source)} cannot be read ({error}); install the "
            "package that reads such URLs, or copy the file to this machine"
        ) from None
    except OSError as error:
        raise DataRefused(
            "the source must be there and within reach",
            found=type(error).__name__,
            file=shown(dataset.source),
            remedy="check the address and the connection, then run again",
        ) from error


def _local(source: str) -> Path:
    path = Path(source.partition("://")[2] if "://" in source else source).expanduser()
    if not path.exists():
        raise DataRefused(
            "the source must exist",
            found="no such file or folder",
            file=str(path),
            remedy=f"check dataset.source; a relative path starts at {Path.cwd()}",
        )
    return path


def content(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of the names and bytes of all files in a folder."""
    if path.is_file():
        return files.sha256(path)
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(path)} {files.sha256(file)}\n".encode())
    return digest.hexdigest()


def _copy(system: Any, source: str, raw: Path) -> Path:
    """Copy a file, or the Parquet files below a folder, into `raw/<digest>`."""
    folder = system.isdir(source)
    parts = sorted(system.find(source)) if folder else [source]
    raw.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".arriving-", dir=raw) as name:
        arrived = Path(name) / "whole"
        for part in parts:
            inside = part.removeprefix(source).lstrip("/") if folder else ""
            _copy_file(system, part, arrived / (inside or _name(part)))
        target = raw / content(arrived)[:16]
        with files.new_folder(target) as beside:
            for part in arrived.iterdir():
                part.rename(beside / part.name)
    return target if folder else target / _name(source)


def _copy_file(system: Any, source: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with system.open(source, "rb") as stream, target.open("wb") as copy:
        shutil.copyfileobj(stream, copy, PIECE)
    needed, found = system.info(source).get("size"), target.stat().st_size
    if needed is not None and needed != found:
        raise DataRefused(
            f"the whole file of {needed} bytes must arrive",
            found=f"{found} bytes",
            file=shown(source),
            remedy="run again",
        )


def _name(source: str) -> str:
    return PurePosixPath(source.partition("?")[0]).name
