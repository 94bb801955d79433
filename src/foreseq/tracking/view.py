"""What MLflow's list of a model's runs shows first: a saved view, and a note that links to it.

MLflow has no columns that a store presets; it has views that are saved as tags of an experiment,
are chosen on its page under Views, and opened by a link.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient

from foreseq.tracking import store

KEY = "foreseq"
"""Of our view, in its tag and in links."""
RUN_NAME, CREATED = "attributes.`Run Name`", "runDateAndNestInfo"
"""MLflow's ids of columns that it always shows."""
PICTURE = "future.png"
"""File of a run: the forecast after the last observation."""
WIDE = 270
"""Pixels for the name of a run."""


def save(client: MlflowClient, experiment: str, model: str, metrics: Sequence[str]) -> None:
    """Save the view of an experiment: some metrics, the gate's verdict, the dataset."""
    columns = [f"metrics.`{name}`" for name in metrics]
    columns += [f"tags.`{store.GATE_TAG}`", "attributes.`Dataset`"]
    order = [RUN_NAME, CREATED, *columns, "duration"]
    shown = {"selectedColumns": columns, "columnOrder": order, "columnWidths": {RUN_NAME: WIDE}}
    now, state = int(time.time() * 1000), json.dumps(shown)
    saved = {"name": KEY, "createdAt": now, "updatedAt": now, "state": state}
    client.set_experiment_tag(experiment, f"mlflow.sharedViewState.{KEY}", json.dumps(saved))
    client.set_experiment_tag(experiment, "mlflow.experiment.primaryMetric.name", metrics[0])
    names = ", ".join(name.rpartition("/")[2] for name in metrics)
    note = f"Trainings of **{model}**: [{names} and verdict of each]({link(experiment)})."
    client.set_experiment_tag(experiment, store.NOTE, note)


def link(experiment: str) -> str:
    """Return the address of the view, from any of MLflow's pages."""
    return f"#/experiments/{experiment}/runs?{store.VIEW}&viewStateShareKey={KEY}"


def picture(run_id: str) -> bytes:
    """Return the picture of a run's forecast; nothing where there is none."""
    client = store.open_store()
    if PICTURE not in {file.path for file in client.list_artifacts(run_id)}:
        return b""
    with TemporaryDirectory() as scratch:
        return Path(client.download_artifacts(run_id, PICTURE, scratch)).read_bytes()
