"""Where files are, and settings that keep libraries quiet, made before these are imported."""

import os
from pathlib import Path

from foreseq import environment

PROJECT = Path(__file__).resolve().parents[2]
"""The clone; in an installed wheel the package, which holds the same files of the example."""
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
    """Set every environment variable that the user has not set."""
    environment.prepare(DEFAULTS)


def data() -> Path:
    """Return the folder of raw files, panels and forecasts."""
    return Path(os.environ.get("FORESEQ_DATA", "data"))
