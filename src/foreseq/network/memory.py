"""The least memory that a network needs, estimated before it is taken.

The system ends a process that takes more than there is, without a message.
"""

import os
from pathlib import Path

from foreseq.config import ResolvedCells
from foreseq.errors import ConfigError

GATES = {"simple": 1, "gru": 3, "lstm": 4}
"""Products of a cell in each step."""
BYTES = 4
"""Of one value."""
GIGA = 1e9


def weights(cells: ResolvedCells, inputs: int) -> int:
    """Return the number of weights of a recurrent stack.

    Example:
        >>> weights(ResolvedCells(kind="lstm", units=(8, 4)), inputs=1)
        480
    """
    widths = (inputs, *cells.units)
    pairs = zip(widths, cells.units, strict=False)
    return GATES[cells.kind] * sum((below + units) * units for below, units in pairs)


def training(cells: ResolvedCells, *, rows: int, steps: int) -> int:
    """Return the number of values that the gradient of a batch is computed from.

    These are gates, state and output of each cell at each step.

    Example:
        >>> training(ResolvedCells(kind="gru", units=(128,)), rows=64, steps=96)
        3932160
    """
    return rows * steps * sum(cells.units) * (GATES[cells.kind] + 2)


def require(values: float, purpose: str, remedy: str) -> None:
    """Check that this machine can hold so many values.

    Raises:
        ConfigError: If it has less memory than that.
    """
    needed, available = values * BYTES / GIGA, limit() / GIGA
    if needed > available:
        raise ConfigError(
            f"{purpose} needs at least {needed:,.0f} GB of memory, found {available:,.0f} GB;"
            f" lower {remedy}"
        )


def limit() -> float:
    """Return the bytes of memory of this machine, or of the container; infinite if unknown."""
    try:
        machine = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
    try:
        return min(machine, float(Path("/sys/fs/cgroup/memory.max").read_text("utf-8")))
    except (OSError, ValueError):  # no container, or `max`
        return machine
