"""What an experiment is, in the words of MLflow: a name, tags, parameters and a dataset."""

import json
import os
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

# isort: split -- the store settles what MLflow reads from the environment when it is imported
from foreseq.config.dataset import without_secrets

# isort: split
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.git_utils import get_git_commit

from foreseq import __version__
from foreseq.config import ResolvedExperiment
from foreseq.series.panel import Panel

UNTOLD = (
    "name",
    "gate",
    "classics",
    "monitor",
    "dataset.name",
    "dataset.layout",
    "dataset.columns",
    "dataset.update",
    "training.jit",
    "training.workers",
)
"""Fields that are never parameters: they name the run, or cannot change what it learns, beyond the
last digits."""
COMPARED = (
    "network.cells.kind",
    "network.cells.units",
    "network.decoder",
    "training.learning_rate",
    "training.seed",
)
"""Fields that are parameters of every run, though they may be as they are by default."""
PROCESS = uuid.uuid4().hex
"""Tells this process from an older one of the same number, as containers have."""
TRAINING = "training"
"""What the dataset of a training was used for, in MLflow's words."""
LONGEST_DIGEST = 36
"""Letters of a dataset's digest that MLflow takes."""


def run_name(experiment: ResolvedExperiment) -> str:
    """Return what tells the runs of a model apart at a glance.

    Example:
        >>> from foreseq.config import build_experiment
        >>> run_name(build_experiment(
        ...     {"dataset": {"source": "a.csv", "horizon": 48}},
        ...     ["network.cells.units=[128, 128]", "network.context=336", "training.members=5"]))
        'gru-128x128 ctx336 seed1 x5'
    """
    cells, members = experiment.network.cells, experiment.training.members or 1
    width = "x".join(map(str, cells.units))
    parts = [f"{cells.kind}-{width}", f"ctx{experiment.network.context}"]
    parts += [f"seed{experiment.training.seed}", *([f"x{members}"] if members > 1 else [])]
    return " ".join(parts)


def tags(experiment: ResolvedExperiment) -> dict[str, str]:
    """Return who runs it, where, and what one searches for."""
    commit = get_git_commit(str(Path.cwd()))
    return {
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "process": PROCESS,
        "foreseq": __version__,
        "data": experiment.dataset.name,
        "cells": experiment.network.cells.kind,
        "horizon": str(experiment.dataset.horizon),
        "mlflow.source.name": Path(sys.argv[0]).name,
        **({"mlflow.source.git.commit": commit} if commit else {}),
    }


def parameters(experiment: ResolvedExperiment) -> dict[str, str]:
    """Return what runs are compared by, dotted as in the configuration.

    These are `COMPARED`, in every run, and whatever else is not as it is by default; all that can
    be chosen is in the model's `config.json`.
    """
    fields = _flat(experiment.model_dump(mode="json"))
    fields["dataset.source"] = without_secrets(experiment.dataset.source)
    chosen = _flat(experiment.model_dump(mode="json", exclude_defaults=True))
    return {
        name: value
        for name, value in fields.items()
        if (name in chosen or name in COMPARED)
        and not any(name == untold or name.startswith(f"{untold}.") for untold in UNTOLD)
    }


def code(tags: dict[str, str]) -> str:
    """Return which code made a run, or, of this process's own tags, which code runs now.

    Example:
        >>> code({"foreseq": "0.1.0", "mlflow.source.git.commit": "4a5b6c7d8e9f0a1b"})
        'foreseq 0.1.0 at 4a5b6c7d8e9f'
    """
    commit = tags.get("mlflow.source.git.commit", "")
    return f"foreseq {tags.get('foreseq', '?')}" + (f" at {commit[:12]}" if commit else "")


def dataset(experiment: ResolvedExperiment, panel: Panel) -> DatasetInput:
    """Return what was learned from, known by the fingerprint of its numbers."""
    told = experiment.dataset
    profile = {"series": panel.n_series, "steps": len(panel.values), "freq": panel.freq}
    return described(told.name, told.source, panel.fingerprint(), TRAINING, profile)


def described(
    name: str, source: str, fingerprint: str, context: str, profile: dict[str, Any] | None = None
) -> DatasetInput:
    """Return data as MLflow shows them, without secrets.

    Args:
        name: Of the data.
        source: Where they came from.
        fingerprint: Of what was read.
        context: What they were for.
        profile: What there is to count; None: nothing.
    """
    data = Dataset(
        name=name,
        digest=fingerprint[:LONGEST_DIGEST],
        source_type="local",
        source=json.dumps({"uri": without_secrets(source)}),
        profile=None if profile is None else json.dumps(profile),
    )
    return DatasetInput(data, [InputTag("mlflow.data.context", context)])


def _flat(told: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return dotted names to values as text.

    Example:
        >>> _flat({"a": {"b": [0.1, 0.5], "c": []}, "d": False})
        {'a.b': '0.1 0.5', 'a.c': 'none', 'd': 'False'}
    """
    flat: dict[str, str] = {}
    for name, value in told.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            flat[prefix + name] = " ".join(map(str, value)) or "none"
        else:
            flat[prefix + name] = str(value)
    return flat
