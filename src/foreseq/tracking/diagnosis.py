"""Runs that hold a diagnosis rather than a model."""

import json
from collections.abc import Sequence

# isort: split -- the store settles what MLflow reads from the environment when it is imported
from foreseq.tracking import store

# isort: split
from mlflow.entities import Dataset, DatasetInput, InputTag

from foreseq.config import ResolvedCells
from foreseq.diagnostics import gradients
from foreseq.diagnostics.gradients import Flow
from foreseq.diagnostics.probes import ProbeConfig
from foreseq.tracking import facts, runs
from foreseq.tracking.begun import Beginning, begin

EXPERIMENT = "diagnose-gradients"


def track(cells: ResolvedCells, probe: ProbeConfig, flows: Sequence[Flow]) -> str:
    """Log flows as gradients.png, gradients.json and curves by lag; return the run's id.

    Raises:
        ConfigError: If the store cannot be used.
    """
    width = "x".join(map(str, cells.units))
    told = {"cells": cells.model_dump(mode="json"), "probe": probe.model_dump(mode="json")}
    beginning = Beginning(
        model=EXPERIMENT,
        name=f"{width} {probe.task}{probe.length}",
        tags={"data": probe.task},
        parameters=facts._flat(told),
        dataset=_dataset(probe),
    )
    with begin(beginning) as run_id:
        client = store.open_store()
        client.log_figure(run_id, gradients.gradient_figure(flows), "gradients.png")
        table = gradients.table(flows).astype({"cell": object, "stage": object})
        client.log_table(run_id, table, "gradients.json")
        for flow in flows:
            name = f"{flow.kind}/{flow.stage.replace(' ', '_')}"
            metrics = [runs.metric_of(name, norm, lag) for lag, norm in enumerate(flow.norms)]
            client.log_batch(run_id, metrics=metrics)
        client.log_text(run_id, "\n".join(gradients.warnings(flows)) + "\n", "warnings.txt")
    return run_id


def _dataset(probe: ProbeConfig) -> DatasetInput:
    described = Dataset(
        name=probe.task,
        digest=f"seed{probe.seed}-length{probe.length}",
        source_type="code",
        source=json.dumps({"made_by": "foreseq.diagnostics.probes"}),
    )
    return DatasetInput(described, [InputTag("mlflow.data.context", "training")])
