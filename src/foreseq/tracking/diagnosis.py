"""Runs of `foreseq diagnose gradients`: curves by lag, a figure and warnings."""

import json
from collections.abc import Sequence

from mlflow.entities import Dataset, DatasetInput, InputTag

from foreseq.config import ResolvedCells
from foreseq.diagnostics import gradients
from foreseq.diagnostics.gradients import Flow
from foreseq.diagnostics.probes import ProbeConfig
from foreseq.tracking import run as runs
from foreseq.tracking.run import Measure, Start

EXPERIMENT = "diagnose-gradients"


def track(cells: ResolvedCells, probe: ProbeConfig, flows: Sequence[Flow]) -> str:
    """Log gradients.png, gradients.json and curves by lag; return the run's id.

    Raises:
        ConfigError: If the store cannot be used.
    """
    width = "x".join(map(str, cells.units))
    fields = {"cells": cells.model_dump(mode="json"), "probe": probe.model_dump(mode="json")}
    start = Start(
        model=EXPERIMENT,
        name=f"{width} {probe.task}{probe.length}",
        parameters=runs.flat(fields),
        dataset=_dataset(probe),
        tags={"data": probe.task},
    )
    with runs.begin(start) as run:
        run.log_figure(gradients.gradient_figure(flows), "gradients.png")
        run.log_table(gradients.table(flows), "gradients.json")
        for flow in flows:
            name = f"{flow.kind}/{flow.stage.replace(' ', '_')}"
            run.log_metrics([Measure(name, norm, lag) for lag, norm in enumerate(flow.norms)])
        run.log_text("\n".join(gradients.warnings(flows)) + "\n", "warnings.txt")
    return run.id


def _dataset(probe: ProbeConfig) -> DatasetInput:
    data = Dataset(
        name=probe.task,
        digest=f"seed{probe.seed}-length{probe.length}",
        source_type="code",
        source=json.dumps({"made_by": "foreseq.diagnostics.probes"}),
    )
    return DatasetInput(data, [InputTag("mlflow.data.context", runs.TRAINING)])
