"""A Dask cluster that is there already, for what takes `--dask ADDRESS`; needs the extra `dask`."""

from typing import TYPE_CHECKING, Any

from prefect.task_runners import TaskRunner

from foreseq.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 10
"""Seconds in which a cluster must answer."""
MISSING = "--dask needs prefect-dask; run `uv sync --extra dask`"


def task_runner(address: str) -> TaskRunner[Any]:
    """Return what runs Prefect's tasks on a cluster.

    Raises:
        ConfigError: If prefect-dask is not installed.
        Unavailable: If no cluster answers.
    """
    try:
        from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415 an extra
    except ImportError:
        raise ConfigError(MISSING) from None
    client(address).close()  # type: ignore[no-untyped-call]
    return DaskTaskRunner(address=address)


def client(address: str) -> "Client":
    """Return a client of a cluster, to be closed.

    Raises:
        ConfigError: If prefect-dask is not installed.
        Unavailable: If no cluster answers.
    """
    try:
        from distributed import Client  # noqa: PLC0415 an extra
    except ImportError:
        raise ConfigError(MISSING) from None
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except OSError:
        raise Unavailable(f"--dask {address}: no cluster answers; start one there") from None
