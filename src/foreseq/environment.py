"""Environment variables that the libraries below read once, when they are imported.

Set by `import foreseq`, before any of them; what the user has set stands.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

DEFAULTS = {
    "KERAS_BACKEND": "tensorflow",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def prepare(defaults: Mapping[str, str] = DEFAULTS) -> None:
    """Give every variable that is not set its default."""
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what is written to the descriptor of standard error, for imports.

    TensorFlow writes there from C++ when it is imported, whatever its environment says.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # no advice on retracing
        os.close(kept)
        os.close(nowhere)
