"""What all tests share: a quiet, offline, private environment, and a few fixtures."""

import atexit
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import absl.logging
import numpy as np
import pytest
from hypothesis import settings

from foreseq.pipelines.runtime import server

_STATE = Path(tempfile.mkdtemp(prefix="foreseq-tests-"))
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)

# Set before Keras, MLflow or Prefect is imported: they read their environment only then.
os.environ |= {
    "DO_NOT_TRACK": "true",
    "KERAS_BACKEND": "tensorflow",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MPLBACKEND": "Agg",
    "PREFECT_HOME": str(_STATE / "prefect"),
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # the workers share the cores; networks this small only get into each other's way
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}
# What tests start would compile TensorFlow's Python anew each time, which takes longer than most.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A test never writes to the stores or the server of whoever runs it.
SERVER = os.environ.pop("PREFECT_API_URL", None) if "PYTEST_XDIST_WORKER" in os.environ else None
for name in ("FORESEQ_DATA", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PREFECT_API_URL"):
    os.environ.pop(name, None)
if SERVER:  # the one that all workers share
    os.environ["PREFECT_API_URL"] = SERVER

# Whoever sets up logging anew, as MLflow's migrations do, makes absl close the stream it has unless
# that is standard error itself: within a test that captures, pytest's own file.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__

# Same examples everywhere, and no verdict on how fast the machine is.
settings.register_profile("foreseq", deadline=None, derandomize=True)
settings.load_profile("foreseq")

SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    """Start the Prefect server that the workers share, while they start."""
    if config.getoption("numprocesses", None):  # else there are none, or this is one
        server.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the README, which mostly waits: the other workers run the rest beside it."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator that starts anew, and alike, in every test."""
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of the larger data sets, or skip: a plain clone does not have them."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data, which is not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Return what finds a port that nobody listens at."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find


@pytest.fixture(scope="session")
def api() -> Iterator[str]:
    """Return the address of a real Prefect server, for every test that runs a flow."""
    if SERVER:
        server.wait(SERVER)
        yield SERVER
        return
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 after the environment is set
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415

    with prefect_test_harness(server_startup_timeout=180):
        yield str(PREFECT_API_URL.value())
