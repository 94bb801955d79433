"""The source of a dataset on this machine: a local file as it lies, a URL copied by its content.

What a database answers to a query is a copy, too.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from foreseq.config import DatasetConfig
from foreseq.config.dataset import without_secrets
from foreseq.durable import files
from foreseq.errors import ConfigError, DataRefused, nearest

DATABASE = re.compile(r"(sqlite|postgresql|mysql|mariadb|mssql|oracle|duckdb)(\+\w+)?:/")
"""Start of the URL of a database."""
CHUNK = 1 << 20
"""Bytes copied at a time."""


def is_remote(source: str) -> bool:
    """Return whether a source is a URL that must be copied before it is read.

    Example:
        >>> [is_remote(source) for source in ("a.csv", "file:///a.csv", "s3://bucket/a.csv")]
        [False, False, True]
    """
    return "://" in source and not source.startswith(("file://", "local://"))


def fetch(dataset: DatasetConfig, raw: Path) -> Path:
    """Return the local file or folder of a dataset, copying a URL into `raw` under its digest.

    A copy keeps its path while the content is unchanged; a failed copy leaves nothing behind.

    Raises:
        ConfigError: If there is no source, or no installed package reads such a URL.
        DataRefused: If the source is absent, cannot be reached, or arrives incomplete.
    """
    if not dataset.source:
        raise ConfigError(
            "dataset.source: is empty; set it to a CSV or Parquet file, a folder or a URL"
        )
    if dataset.query:
        from foreseq.ingest import database  # noqa: PLC0415 - SQLAlchemy takes its time

        url = expand(dataset.source, "dataset.source")
        return _arrive(raw, lambda folder: database.copy(dataset, url, folder)) / database.ROWS
    if DATABASE.match(dataset.source):
        raise ConfigError(
            f"dataset.query: {without_secrets(dataset.source)} is a database; set it to a SELECT or"
            " to the name of a table"
        )
    if not is_remote(dataset.source):
        return _local(dataset.source)
    url = expand(dataset.source, "dataset.source")
    try:
        system, path = fsspec.url_to_fs(url)
        return _copy(system, path, raw)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"dataset.source: {without_secrets(dataset.source)} cannot be read ({error}); install"
            " the package that reads such URLs, or copy the file to this machine"
        ) from None
    except OSError as error:
        raise DataRefused(
            "the source must exist and be reachable",
            found=type(error).__name__,
            file=without_secrets(dataset.source),
            remedy="check the address and the connection, then run again",
        ) from error


def content(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of the names and bytes of all files in a folder."""
    if path.is_file():
        return files.sha256(path)
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(path)} {files.sha256(file)}\n".encode())
    return digest.hexdigest()


def expand(source: str, field: str) -> str:
    """Return a source with the variables of the environment filled in.

    Raises:
        ConfigError: If one is not set; the message names the field.
    """
    expanded = os.path.expandvars(source)
    unset = re.search(r"\$\{\w+\}", expanded)
    if unset:
        raise ConfigError(f"{field}: needs {unset[0]}, found no such variable; set it")
    return expanded


def _local(source: str) -> Path:
    path = Path(source.partition("://")[2] if "://" in source else source).expanduser()
    if not path.exists():
        raise DataRefused(
            "the source must exist",
            found="no such file or folder",
            file=str(path),
            remedy="check dataset.source"
            + (nearest(path) or f"; a relative path starts at {Path.cwd()}"),
        )
    if not os.access(path, os.R_OK):
        raise DataRefused(
            "the source must be readable",
            found="no permission to read it",
            file=str(path),
            remedy="change its permissions, or copy it",
        )
    return path


def _arrive(raw: Path, copy: Callable[[Path], None]) -> Path:
    """Return the folder `raw/<digest>` of what is copied."""
    raw.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".arriving-", dir=raw) as name:
        folder = Path(name) / "whole"
        folder.mkdir()
        copy(folder)
        target = raw / content(folder)[:16]
        with files.new_folder(target) as temporary:
            for entry in folder.iterdir():
                entry.rename(temporary / entry.name)
    return target


def _copy(system: Any, source: str, raw: Path) -> Path:
    """Copy a file, or the files below a folder."""
    is_folder = system.isdir(source)

    def copy(folder: Path) -> None:
        for part in sorted(system.find(source)) if is_folder else [source]:
            inside = part.removeprefix(source).lstrip("/") if is_folder else ""
            _copy_file(system, part, folder / (inside or _name(part)))

    target = _arrive(raw, copy)
    return target if is_folder else target / _name(source)


def _copy_file(system: Any, source: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with system.open(source, "rb") as stream, target.open("wb") as copy:
        shutil.copyfileobj(stream, copy, CHUNK)
    expected, arrived = system.info(source).get("size"), target.stat().st_size
    if expected is not None and expected != arrived:
        raise DataRefused(
            f"the whole file of {expected} bytes must arrive",
            found=f"{arrived} bytes",
            file=without_secrets(source),
            remedy="run again",
        )


def _name(source: str) -> str:
    return PurePosixPath(source.partition("?")[0]).name
