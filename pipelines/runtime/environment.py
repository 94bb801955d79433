"""Where things are, and libraries that keep quiet: set before any of them is imported."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLE = PROJECT / "configs" / "forecasters" / "air-passengers.yaml"

EXAMPLE_DATA = PROJECT / "data" / "examples" / "air-passengers.csv"

DEFAULTS = {
    "DO_NOT_TRACK": "true",
    "MPLBACKEND": "Agg",
    "PREFECT_HOME": str(Path.cwd() / ".state" / "prefect"),
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Prefect's own limit of 20 s is too short for its first start on a busy machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
}


def prepare() -> None:
    """Give every setting that the user did not make its default."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def data() -> Path:
    """Return the folder of raw files, panels and forecasts."""
    return Path(os.environ.get("FORESEQ_DATA", "data"))
