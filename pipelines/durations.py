"""Durations as users write them, in configs and on the command line."""

import re
from datetime import timedelta

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def read(told: str) -> timedelta | None:
    """Return a duration written as 90s, 10m, 1.5h or 1d, or in seconds; None if it is none.

    Example:
        >>> read("1.5h"), read("90")
        (datetime.timedelta(seconds=5400), datetime.timedelta(seconds=90))
        >>> read("soon")
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", told)
    return timedelta(seconds=float(parts[1]) * UNITS[parts[2]]) if parts else None
