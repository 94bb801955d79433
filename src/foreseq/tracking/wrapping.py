"""A sealed folder of any kind wrapped so that plain MLflow can load it."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

# isort: split -- the store settles what MLflow reads from the environment when it is imported
from foreseq.tracking import store

# isort: split
import mlflow.pyfunc
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature

from foreseq.tracking import model


@dataclass(frozen=True)
class Wrapping:
    """What stands around a bundle."""

    name: str
    """Of the model within its run."""
    code: Path
    """The file that MLflow copies and runs on loading; it ends with `set_model`."""
    signature: ModelSignature


def wrap(run_id: str, folder: Path, wrapping: Wrapping) -> str:
    """Log a saved bundle with a run; return MLflow's id of the model.

    Why not `mlflow.pyfunc.log_model`: it goes by the run and the store that are current in the
    whole process, and setting these would move the store of everybody in it.
    """
    client = store.open_store()
    place = client.get_run(run_id).info.experiment_id
    made = client.create_logged_model(place, wrapping.name, source_run_id=run_id)
    model_id = str(made.model_id)
    with TemporaryDirectory() as scratch, model._without_advice():
        path = Path(scratch) / wrapping.name
        mlflow.pyfunc.save_model(
            path,
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            python_model=str(wrapping.code),
            artifacts={"bundle": str(folder)},
            signature=wrapping.signature,
            pip_requirements=model._requirements(),  # inferring them imports TensorFlow once more
        )
        client.log_model_artifacts(model_id, str(path))
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id
