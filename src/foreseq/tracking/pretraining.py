"""Runs of `foreseq pretrain`: curves, and the card of the network."""

import json
from contextlib import AbstractContextManager

from mlflow.entities import Dataset, DatasetInput, InputTag

from foreseq.tracking import run as runs
from foreseq.tracking.run import Measure, Run, Start
from foreseq.training.loop import CurvePoint
from foreseq.training.pretraining import Recipe

EXPERIMENT = "pretrain"


def begin(recipe: Recipe) -> AbstractContextManager[Run]:
    """Return the context in which a block of code is the run of a pretraining.

    Raises:
        ConfigError: If the store cannot be used.
    """
    name = recipe.family.name
    data = Dataset(
        name=name,
        digest=f"seed{recipe.seed}",
        source_type="code",
        source=json.dumps({"made_by": "foreseq.series.prior", "cycles": recipe.family.cycles}),
    )
    start = Start(
        model=EXPERIMENT,
        name=f"{name} {recipe.steps} steps seed{recipe.seed}",
        parameters=runs.flat({**recipe._asdict(), "family": recipe.family._asdict()}),
        dataset=DatasetInput(data, [InputTag("mlflow.data.context", runs.TRAINING)]),
    )
    return runs.begin(start)


def log_point(run: Run, point: CurvePoint) -> None:
    """Log one validation."""
    measures = [("loss", point.loss), ("validation", point.validation)]
    run.log_metrics([Measure(name, value, point.step) for name, value in measures])
