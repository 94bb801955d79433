"""Prefect's local server for the time of a command: it starts while the command imports.

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
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from foreseq.errors import Unavailable

PATIENCE = 180
"""Seconds: the first start migrates a database, and machines are busy."""
POLL = 0.05
"""Seconds between two checks, of the server's health or of the parent process."""
PAGES_PORT = 4200
"""Prefect's usual port."""
ELSEWHERE = ("profiles.toml", "prefect.toml", ".env")
"""Files of Prefect's that may name another server."""


def start(port: int = 0) -> Callable[[], None]:
    """Start a server, unless another is configured; return a function that waits for it.

    From then on flows find it through `PREFECT_API_URL`. It ends with this process, killed or not.

    Args:
        port: Preferred port; any free one if it is taken.

    Raises:
        Unavailable: By the returned function, if the server dies or does not answer in time.
    """
    if "PREFECT_API_URL" in os.environ or _named_elsewhere():
        return lambda: None
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
