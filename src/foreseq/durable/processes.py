"""Which processes of this machine are still there: what the dead left behind can be put in order.

Why not by age: a training may take a day, and a crash leaves something to clean up at once.
"""

import os
import socket
from pathlib import Path

ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Environment of a process that is to keep to one core."""


def is_alive(pid: int) -> bool:
    """Tell whether a process of this machine runs; where nobody can tell, assume that it does.

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
    """Return the beginning of a hidden name that tells which process of which machine made it."""
    return f".{name}.{_machine()}.{os.getpid()}."


def left_behind(folder: Path, name: str) -> list[Path]:
    """Return what marked entries of a folder were left by processes of this machine that died."""
    prefix = f".{name}.{_machine()}."
    left = []
    for entry in folder.iterdir():
        pid = entry.name.removeprefix(prefix).partition(".")[0]
        if entry.name.startswith(prefix) and pid.isdigit() and not is_alive(int(pid)):
            left.append(entry)
    return sorted(left)


def _machine() -> str:
    return socket.gethostname().replace(".", "-")
