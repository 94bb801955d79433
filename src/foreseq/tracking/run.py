"""The life cycle of an MLflow run: started, written to, and ended as its block of code ends."""

import json
import math
import os
import re
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.git_utils import get_git_commit

from foreseq import __version__
from foreseq.config.dataset import without_secrets
from foreseq.durable import files, manifest
from foreseq.evaluation.decision import Decision
from foreseq.tracking import model, store, view
from foreseq.tracking.model import Wrapping

ROWS = 1000
"""Rows of a table, and metrics in one message, that MLflow handles well."""
LONGEST_TAG, DIGITS = 500, 12
"""Letters of a tag, and of the fingerprint that a dataset is named by: pages show no more."""
CACHE_KEY = "cache_key"
"""Tag of a run: the digest of its data, config and code."""
PROCESS = uuid.uuid4().hex
"""Distinguishes this process from an older one with the same pid, as in containers."""
VERDICT = re.compile(r"\*\*(published|rejected)\*\*: .*\n*")
"""How a note begins once the gate has decided."""
TRAINING = "training"
"""MLflow's context of a dataset that was trained on."""


class Measure(NamedTuple):
    """One number, or one point of a curve."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Start:
    """A run's name, parameters, data and tags when it starts."""

    model: str
    """The MLflow experiment, named as the model in the registry."""
    name: str
    """For people, such as `airline gru-128x128`."""
    parameters: Mapping[str, str]
    """The fields that can change the outcome, by dotted name."""
    dataset: DatasetInput
    tags: Mapping[str, str] = field(default_factory=dict)
    """To search by, besides those of the process."""
    columns: Sequence[str] = ()
    """Metrics that MLflow's list of runs shows first, beside the gate's verdict."""


@dataclass(frozen=True)
class Run:
    """An MLflow run to write to, active or ended."""

    id: str
    name: str
    model: str
    """The MLflow experiment, named as the model in the registry."""

    def log_metrics(self, measures: Sequence[Measure], *, of_model: bool = False) -> None:
        """Log the metrics that are not NaN, with `of_model` also of the run's logged model."""
        tags = store.get_run(self.id).data.tags if of_model else {}
        model_id, now = tags.get(store.MODEL_TAG), int(time.time() * 1000)
        metrics = [
            Metric(name, float(value), now, step, model_id=model_id)
            for name, value, step in measures
            if not math.isnan(value)
        ]
        for first in range(0, len(metrics), ROWS):
            store.open_store().log_batch(self.id, metrics=metrics[first : first + ROWS])

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        entities = [RunTag(name, value[:LONGEST_TAG]) for name, value in tags.items()]
        store.open_store().log_batch(self.id, tags=entities)

    def log_note(self, text: str) -> None:
        """Describe the run in Markdown."""
        store.open_store().set_tag(self.id, store.NOTE, text)

    def rename(self, name: str) -> None:
        """Give the run another name, once more is known."""
        store.open_store().update_run(self.id, name=name)

    def log_text(self, text: str, file: str) -> None:
        """Log a text file at the run's root."""
        store.open_store().log_text(self.id, text, file)

    def log_json(self, value: Any, file: str) -> None:
        """Log a value as JSON; NaN and infinity, which JSON does not have, become null."""
        self.log_text(json.dumps(_finite(value), indent=2, default=str) + "\n", file)

    def log_table(self, table: pd.DataFrame, file: str) -> None:
        """Log a table; of a long one `ROWS` rows at most, evenly spaced."""
        rows = table.iloc[:: -(-len(table) // ROWS) or 1].reset_index(drop=True)
        texts = [name for name in rows if rows[name].dtype == "str"]
        rows = rows.astype(dict.fromkeys(texts, object))  # MLflow needs pandas 2's text type
        store.open_store().log_table(self.id, rows, file)

    def log_figure(self, figure: Figure, file: str) -> None:
        """Log a picture at the run's root."""
        store.open_store().log_figure(self.id, figure, file)

    def log_bundle(self, folder: Path, wrapping: Wrapping) -> None:
        """Log a saved bundle as a model that plain MLflow can load."""
        logged = model.log(self.id, folder, wrapping)
        self.log_tags({store.BUNDLE_TAG: manifest.digest(folder), store.MODEL_TAG: logged})

    def log_decision(self, decision: Decision) -> None:
        """Log the gate's decision, first of all in the note; the run may have ended already."""
        self.log_json({"verdict": decision.verdict, **decision._asdict()}, "decision.json")
        self.log_tags({store.GATE_TAG: decision.verdict})
        note = store.get_run(self.id).data.tags.get(store.NOTE, "")
        self.log_note(f"**{decision.verdict}**: {decision.reason}\n\n{VERDICT.sub('', note)}")


@contextmanager
def begin(start: Start) -> Iterator[Run]:
    """Yield a run that ends as the block does: FINISHED, FAILED, or KILLED by Ctrl-C.

    Runs whose process on this machine has died are closed first, as KILLED.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    close_dead_runs()
    created = client.create_run(
        _experiment_id(client, start),
        tags={**_process_tags(), **start.tags},
        run_name=start.name,
    )
    run = Run(str(created.info.run_id), start.name, start.model)
    try:
        client.log_batch(run.id, params=[Param(*item) for item in start.parameters.items()])
        client.log_inputs(run.id, [start.dataset])
        yield run
    except Exception as error:
        client.set_tag(run.id, "error", f"{type(error).__name__}: {error}"[:LONGEST_TAG])
        client.set_terminated(run.id, "FAILED")
        raise
    except BaseException:
        client.set_terminated(run.id, "KILLED")
        raise
    client.set_terminated(run.id, "FINISHED")


def find(run_id: str) -> Run:
    """Return a run of the store, to write more to it.

    Raises:
        ConfigError: If there is no such run.
    """
    info = store.get_run(run_id).info
    return Run(run_id, info.run_name, store.open_store().get_experiment(info.experiment_id).name)


def finished(model: str, tags: Mapping[str, str], *, with_bundle: bool = False) -> str | None:
    """Return the id of a model's newest finished run with these tags; None: there is none.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    experiment = client.get_experiment_by_name(model)
    if experiment is None:
        return None
    conditions = ["attributes.status = 'FINISHED'"]
    conditions += [f"tags.{name} = '{value}'" for name, value in tags.items()]
    runs = client.search_runs(
        [experiment.experiment_id], " and ".join(conditions), order_by=["start_time DESC"]
    )
    ids = (run.info.run_id for run in runs if store.BUNDLE_TAG in run.data.tags or not with_bundle)
    return next(ids, None)


def trained_on(fingerprint: str) -> list[str]:
    """Return the name of each run that was trained on the data of a fingerprint.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    runs = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()],
        f"datasets.digest = '{fingerprint[:DIGITS]}' and datasets.context = '{TRAINING}'",
        order_by=["start_time"],
    )
    return [str(run.info.run_name) for run in runs]


def codes(run_id: str) -> tuple[str, str]:
    """Return the version of the code that made a run, and the present one."""
    return _code(store.get_run(run_id).data.tags), _code(_process_tags())


def close_dead_runs() -> None:
    """Close, as KILLED, the runs of this machine whose process is gone.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    everywhere = [experiment.experiment_id for experiment in client.search_experiments()]
    mine = f"attributes.status = 'RUNNING' and tags.host = '{socket.gethostname()}'"
    for run in client.search_runs(everywhere, mine):
        tags = run.data.tags
        if not _is_alive(int(tags.get("pid", 0)), tags.get("process", "")):
            client.set_terminated(run.info.run_id, "KILLED")


def dataset(
    name: str, source: str, fingerprint: str, context: str, profile: dict[str, Any] | None = None
) -> DatasetInput:
    """Return the entry of a run's data, without secrets.

    Args:
        name: Of the data.
        source: Their file or URL.
        fingerprint: Of their content.
        context: Their use in the run, such as `TRAINING`.
        profile: Counts to show.
    """
    data = Dataset(
        name=name,
        digest=fingerprint[:DIGITS],
        source_type="local",
        source=json.dumps({"uri": without_secrets(source)}),
        profile=None if profile is None else json.dumps(profile),
    )
    return DatasetInput(data, [InputTag("mlflow.data.context", context)])


def flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested fields as texts by dotted name.

    Example:
        >>> flat({"a": {"b": [0.1, 0.5], "c": []}, "d": False})
        {'a.b': '0.1 0.5', 'a.c': 'none', 'd': 'False'}
    """
    texts: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            texts |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            texts[prefix + name] = " ".join(map(str, value)) or "none"
        else:
            texts[prefix + name] = str(value)
    return texts


def without(fields: Mapping[str, str], left_out: Sequence[str]) -> dict[str, str]:
    """Return dotted fields without some of them and their subfields."""
    return {
        name: value
        for name, value in fields.items()
        if not any(name == one or name.startswith(f"{one}.") for one in left_out)
    }


def _process_tags() -> dict[str, str]:
    """Return the tags of this process: machine, pid, version of the code."""
    commit = get_git_commit(str(Path.cwd()))
    return {
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "process": PROCESS,
        "foreseq": __version__,
        "mlflow.source.name": Path(sys.argv[0]).name,
        **({"mlflow.source.git.commit": commit} if commit else {}),
    }


def _code(tags: Mapping[str, str]) -> str:
    """Return the version of the code in the tags of a run.

    Example:
        >>> _code({"foreseq": "0.1.0", "mlflow.source.git.commit": "4a5b6c7d8e9f0a1b"})
        'foreseq 0.1.0 at 4a5b6c7d8e9f'
    """
    commit = tags.get("mlflow.source.git.commit", "")
    return f"foreseq {tags.get('foreseq', '?')}" + (f" at {commit[:12]}" if commit else "")


def _experiment_id(client: MlflowClient, start: Start) -> str:
    """Return the id of a model's experiment, created or restored if need be."""
    model = start.model
    experiment = client.get_experiment_by_name(model)
    if experiment is None:
        try:
            created = str(client.create_experiment(model, store.artifact_location(model)))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return _experiment_id(client, start)  # another process was faster
        if start.columns:
            view.save(client, created, model, start.columns)
        return created
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _is_alive(pid: int, process: str) -> bool:
    return process == PROCESS if pid == os.getpid() else files.is_alive(pid)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
