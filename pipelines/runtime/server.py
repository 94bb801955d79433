"""Servers: those that are named must answer; else Prefect's starts while the command imports.

Why not Prefect's own temporary server: that one starts with the first flow, after all imports, and
it outlives a command that is killed.
"""

import atexit
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from foreseq.config.dataset import without_secrets
from foreseq.errors import Unavailable

PATIENCE = 180
"""Seconds: the first start migrates a database, and machines are busy."""
NAMED_PATIENCE = 10
"""Seconds for a server that should be running; MLflow's own client tries for four minutes."""
POLL = 0.05
"""Seconds between two checks, of the server's health or of the parent process."""
PAGES_PORT = 4200
"""Prefect's usual port."""
ELSEWHERE = ("profiles.toml", "prefect.toml", ".env")
"""Files of Prefect's that may name another server."""


class Named(NamedTuple):
    """A server that the environment may name."""

    name: str
    address: str
    """Empty: none is named."""
    remedy: str
    """What to do instead of starting it."""


def start(port: int = 0) -> Callable[[], None]:
    """Start a server, unless another is configured; return a function that waits for it.

    From then on flows find it through `PREFECT_API_URL`. It ends with this process, killed or not.

    Args:
        port: Preferred port; any free one if it is taken.

    Raises:
        Unavailable: Also by the returned function, if it dies or does not answer in time.
    """
    if os.environ.get("PREFECT_API_URL"):
        require(prefect())
        return lambda: None
    if _named_elsewhere():
        return _require_prefects_own
    with socket.socket() as ear:  # bound here, so that no one else can take the port
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            ear.bind(("127.0.0.1", port))
        except OSError:
            ear.bind(("127.0.0.1", 0))
        ear.listen()
        address = f"http://127.0.0.1:{ear.getsockname()[1]}/api"
        process = subprocess.Popen(  # noqa: S603 our own module
            [
                sys.executable,
                "-m",
                "foreseq.pipelines.runtime.server",
                str(ear.fileno()),
                str(os.getpid()),
            ],
            pass_fds=[ear.fileno()],
            env={**os.environ, "PREFECT_SERVER_UI_API_URL": address},
            start_new_session=True,  # Ctrl-C ends the flow first, and the server by the flow's end
            stdout=subprocess.DEVNULL,
        )
    atexit.register(_end, process)
    os.environ["PREFECT_API_URL"] = address
    return lambda: wait(address, process)


def wait(address: str, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until a server answers.

    Args:
        address: Of its API.
        process: The server, where it was started here.

    Raises:
        Unavailable: If it dies or does not answer in time.
    """
    deadline = time.monotonic() + PATIENCE
    while not answers(f"{address}/health"):
        if process is not None and process.poll() is not None:
            raise Unavailable(
                f"Prefect's server ended with code {process.returncode} before it answered; see"
                " .state/foreseq.log"
            )
        if time.monotonic() > deadline:
            raise Unavailable(
                f"Prefect's server did not answer within {PATIENCE} s; try again, or set"
                " PREFECT_API_URL to one that runs"
            )
        time.sleep(POLL)


def mlflow() -> Named:
    """Return MLflow's server."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    address = uri if uri.startswith(("http://", "https://")) else ""
    return Named("MLflow", address, "unset MLFLOW_TRACKING_URI to use the store under mlruns/")


def prefect(address: str = "") -> Named:
    """Return Prefect's server."""
    address = address or os.environ.get("PREFECT_API_URL", "").strip()
    return Named("Prefect", address, "unset PREFECT_API_URL to let each command start its own")


def require(server: Named) -> None:
    """Check that a server, if one is named, answers.

    Raises:
        Unavailable: If it does not within `NAMED_PATIENCE`.
    """
    deadline = time.monotonic() + NAMED_PATIENCE
    while server.address and not is_there(server.address):
        if time.monotonic() > deadline:
            raise Unavailable(absence(server))
        time.sleep(10 * POLL)


def absence(server: Named) -> str:
    """Return the message on a server that does not answer."""
    return (
        f"{server.name}'s server {without_secrets(server.address)} does not answer; start it, or"
        f" {server.remedy}"
    )


def is_there(address: str) -> bool:
    """Return whether a server answers, if only by asking for a password or another certificate."""
    health = f"{without_secrets(address).rstrip('/')}/health"
    try:
        with urlopen(health, timeout=NAMED_PATIENCE):  # noqa: S310 the user's own server
            return True
    except HTTPError as error:
        return error.code < HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, ValueError, HTTPException) as error:
        return isinstance(getattr(error, "reason", None), SSLError)


def serve(ear: int, parent: int) -> None:
    """Serve on an open socket for as long as the parent lives."""
    import uvicorn  # noqa: PLC0415 only the server's own process needs it

    config = uvicorn.Config(
        "prefect.server.api.server:create_app", factory=True, lifespan="on", log_level="error"
    )
    server = uvicorn.Server(config)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(POLL)
        server.should_exit = True

    threading.Thread(target=follow, daemon=True).start()
    server.run(sockets=[socket.socket(fileno=ear)])


def _require_prefects_own() -> None:
    """Check the server that Prefect's own files name."""
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 flows have imported it by now

    require(prefect(PREFECT_API_URL.value() or ""))


def _named_elsewhere() -> bool:
    home = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect"))
    return any((folder / name).exists() for folder in (home, Path()) for name in ELSEWHERE)


def answers(url: str) -> bool:
    """Return whether a server answers at a URL, without an error."""
    try:
        with urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 our own server
            return bool(answer.status == HTTPStatus.OK)
    except (URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
