"""A bundle wrapped so that plain MLflow, and whoever knows only MLflow, can load it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

# isort: split -- the store settles what MLflow reads from the environment when it is imported
from foreseq.tracking import store

# isort: split
import mlflow.pyfunc
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType

from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle
from foreseq.series import calendar

NAME = "forecaster"
"""Of the model within its run."""
CODE = Path(__file__).with_name("pyfunc.py")
PACKAGES = ("foreseq", "keras", "mlflow", "numpy", "pandas", "tensorflow", "tensorflow-cpu")
"""What a forecast takes, as far as it is installed."""

_ANY: AnyType = AnyType()  # type: ignore[no-untyped-call]


def log(run_id: str, folder: Path) -> str:
    """Log a saved bundle with a run; return MLflow's id of the model.

    Why not `mlflow.pyfunc.log_model`: it goes by the run and the store that are current in the
    whole process, and setting these would move the store of everybody in it.

    Raises:
        BundleRefused: If the bundle is not as it was written.
    """
    fitted = bundle.load(folder)
    client = store.open_store()
    place = client.get_run(run_id).info.experiment_id
    made = client.create_logged_model(place, NAME, source_run_id=run_id)
    model_id = str(made.model_id)
    with TemporaryDirectory() as scratch, _without_advice():
        path = Path(scratch) / NAME
        mlflow.pyfunc.save_model(
            path,
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            python_model=str(CODE),
            artifacts={"bundle": str(folder)},
            signature=_signature(fitted),
            pip_requirements=_requirements(),  # inferring them imports TensorFlow once more
        )
        client.log_model_artifacts(model_id, str(path))
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep from the terminal what MLflow says of input examples and of environments without pip."""
    log = logging.getLogger("mlflow.utils.environment")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*input example", UserWarning)
            yield
    finally:
        log.setLevel(level)


def _signature(fitted: Bundle) -> ModelSignature:
    """Return the columns in and out.

    What comes in may be of any type, as our own reading of it is stricter and says more: MLflow
    refuses whole numbers for a double, text for a time, and categories for text.
    """
    when = (
        DataType.long
        if calendar.is_integer(str(fitted.experiment.dataset.freq))
        else DataType.datetime
    )
    levels = (f"q{100 * level:g}" for level in fitted.levels)
    future = [
        ColSpec(DataType.string, "unique_id"),
        ColSpec(when, "ds"),
        *(ColSpec(DataType.double, name) for name in ("y_hat", *levels)),
        ColSpec(when, "cutoff"),
        ColSpec(DataType.string, "model_version"),
    ]
    past = [ColSpec(_ANY, name) for name in ("unique_id", "ds", "y")]
    return ModelSignature(inputs=Schema([*past]), outputs=Schema([*future]))


def _requirements() -> list[str]:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package}=={version(package)}")
        except PackageNotFoundError:
            continue
    return found
