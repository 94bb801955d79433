"""Durations as users write them, in configs and on the command line."""

import re

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(told: str) -> float | None:
    """Return the seconds of 90s, 10m, 1.5h or 1d, or of a number alone; None if it is none.

    Example:
        >>> seconds("1.5h"), seconds("90")
        (5400.0, 90.0)
        >>> seconds("soon")
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", told)
    return float(parts[1]) * UNITS[parts[2]] if parts else None
