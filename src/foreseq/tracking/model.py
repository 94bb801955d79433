"""Wraps a bundle as an MLflow model, so that plain MLflow can load it and predict."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.pyfunc
import pandas as pd
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature

from foreseq.tracking import store

PACKAGES = ("foreseq", "keras", "mlflow", "numpy", "pandas", "tensorflow", "tensorflow-cpu")
"""Requirements of a model, as far as they are installed."""


@dataclass(frozen=True)
class Wrapping:
    """How a bundle becomes an MLflow model."""

    name: str
    """Of the model within its run."""
    code: Path
    """The file that MLflow copies and runs on loading (models from code)."""
    signature: ModelSignature
    example: pd.DataFrame | None = None
    """Of what it reads."""


def log(run_id: str, folder: Path, wrapping: Wrapping) -> str:
    """Log a saved bundle in a run; return the id of the MLflow model.

    Why not `mlflow.pyfunc.log_model`: it logs to the run and the store that are current in the
    process, and setting these would redirect everything else in it.
    """
    client = store.open_store()
    experiment = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(experiment, wrapping.name, source_run_id=run_id)
    model_id = str(logged.model_id)
    with TemporaryDirectory() as scratch, _without_advice():
        path = Path(scratch) / wrapping.name
        mlflow.pyfunc.save_model(
            path,
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            python_model=str(wrapping.code),
            artifacts={"bundle": str(folder)},
            signature=wrapping.signature,
            input_example=wrapping.example,
            pip_requirements=_requirements(),  # inferring them imports TensorFlow once more
        )
        client.log_model_artifacts(model_id, str(path))
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id


@contextmanager
def _without_advice() -> Iterator[None]:
    """Silence MLflow's advice on input examples and pip, and what pandas 3 says to MLflow."""
    log = logging.getLogger("mlflow.utils.environment")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*input example", UserWarning)
            warnings.filterwarnings("ignore", "Operation with range is deprecated")
            yield
    finally:
        log.setLevel(level)


def _requirements() -> list[str]:
    installed = []
    for package in PACKAGES:
        try:
            installed.append(f"{package}=={version(package)}")
        except PackageNotFoundError:
            continue
    return installed
