"""Failures of disk, memory, network and servers: these are no defects of foreseq."""

import errno
import os
from collections.abc import Iterator

from foreseq.errors import ConfigError, ForeseqError, NotYet, Unavailable
from foreseq.pipelines.runtime import server

ELSEWHERE = "name another with --output, FORESEQ_DATA or MLFLOW_TRACKING_URI"
REMEDIES = {
    errno.EACCES: f"change its permissions, or {ELSEWHERE}",
    errno.EDQUOT: f"free some space, or {ELSEWHERE}",
    errno.EFBIG: f"raise the limit on the size of files (ulimit -f), or {ELSEWHERE}",
    errno.EEXIST: f"a folder is needed there; remove the file, or {ELSEWHERE}",
    errno.EIO: f"check the disk, or {ELSEWHERE}",
    errno.EISDIR: f"a file is needed there; remove the folder, or {ELSEWHERE}",
    errno.ENAMETOOLONG: "shorten the name",
    errno.ENOSPC: f"free some space, or {ELSEWHERE}",
    errno.ENOTDIR: f"a folder is needed there; remove the file, or {ELSEWHERE}",
    errno.EPERM: f"change its permissions, or {ELSEWHERE}",
    errno.EROFS: ELSEWHERE,
}
"""What to do about errors of the system; not about a missing file, which foreseq checks for."""

SQLITE = {
    errno.ENOSPC: ("SQLITE_FULL", "SQLITE_IOERR"),
    errno.EACCES: ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"),
}
"""Names of SQLite's errors, by the system's."""


def expected(error: BaseException) -> ForeseqError | None:
    """Return the message on a failure of what foreseq needs; None: it is a defect."""
    kinds = (_of_server, _of_store, _of_disk, _of_memory)
    found = (kind(cause) for cause in _causes(error) for kind in kinds)
    return next((known for known in found if known), None)


def may_pass(error: BaseException) -> bool:
    """Return whether a failure may be gone the next time, without any change of config or data."""
    return isinstance(error, NotYet | Unavailable) or expected(error) is not None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _of_server(cause: BaseException) -> ForeseqError | None:
    import httpx  # noqa: PLC0415 Prefect's client
    import requests  # noqa: PLC0415 MLflow's client

    if isinstance(cause, httpx.HTTPStatusError):
        return Unavailable(
            f"Prefect's server refuses ({cause.response.status_code}); check PREFECT_API_URL and"
            " PREFECT_API_KEY or PREFECT_API_AUTH_STRING"
        )
    if isinstance(cause, httpx.TransportError):
        return Unavailable(server.absence(server.prefect()))
    if isinstance(cause, requests.RequestException):
        return Unavailable(server.absence(server.mlflow()))
    return None


def _of_store(cause: BaseException) -> ForeseqError | None:
    reason = getattr(cause, "sqlite_errorname", "")
    if reason.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Unavailable(f"a store is in use ({cause}); wait for other commands to end")
    for code, names in SQLITE.items():
        if reason.startswith(names):
            return ConfigError(f"a store cannot be written to ({cause}); {REMEDIES[code]}")
    return None


def _of_disk(cause: BaseException) -> ForeseqError | None:
    if not isinstance(cause, OSError) or cause.errno not in REMEDIES:
        return None
    place = f"{cause.filename}: " if cause.filename else ""
    return ConfigError(f"{place}{os.strerror(cause.errno)}; {REMEDIES[cause.errno]}")


def _of_memory(cause: BaseException) -> ForeseqError | None:
    if not isinstance(cause, MemoryError) and type(cause).__name__ != "ResourceExhaustedError":
        return None
    return ConfigError(
        "there is not enough memory; lower training.batch_size, network.context or"
        " network.cells.units, or forecast file by file with --workers"
    )
