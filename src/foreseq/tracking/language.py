"""Runs that train a language model: curves, and a sample of its text after each epoch."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from foreseq.config.dataset import without_secrets
from foreseq.evaluation.decision import CHALLENGER, Decision
from foreseq.language import bundle
from foreseq.language.bundle import LanguageBundle
from foreseq.language.config import SamplingConfig, TextExperimentConfig
from foreseq.language.corpus import Corpus
from foreseq.language.experiment import NGRAM
from foreseq.tracking import registry
from foreseq.tracking import run as runs
from foreseq.tracking.model import Wrapping
from foreseq.tracking.registry import ModelVersion
from foreseq.tracking.run import Measure, Run, Start
from foreseq.training.loop import CurvePoint

NAME, CODE = "language-model", Path(__file__).with_name("language_pyfunc.py")
NOT_PARAMETERS = ("name", "gate", "corpus.name", "corpus.copy_at")
"""Fields that do not change what a run learns."""


@contextmanager
def begin(experiment: TextExperimentConfig, corpus: Corpus) -> Iterator[Run]:
    """Yield the run of a training; it ends as `run.begin` says.

    Raises:
        ConfigError: If the store cannot be used.
    """
    config = experiment.corpus
    fields = runs.flat(experiment.model_dump(mode="json"))
    fields["corpus.source"] = without_secrets(config.source)
    profile = {
        "characters": corpus.passage.length,
        "documents": len(corpus.passage.starts),
        "symbols": corpus.vocabulary.size,
    }
    start = Start(
        model=experiment.model,
        name=run_name(experiment),
        parameters=runs.without(fields, NOT_PARAMETERS),
        dataset=runs.dataset(
            config.name, config.source, corpus.fingerprint(), runs.TRAINING, profile
        ),
        tags={"data": config.name, "cells": experiment.network.cells.kind},
        columns=("test/nats", "test/bits"),
    )
    with runs.begin(start) as run:
        yield run


def run_name(experiment: TextExperimentConfig) -> str:
    """Return the name of a run.

    Example:
        >>> from foreseq.language.config import load_text_experiment
        >>> run_name(load_text_experiment())
        'gru-256 chunk64x16 seed1'
    """
    cells, training = experiment.network.cells, experiment.training
    width = "x".join(map(str, cells.units))
    return f"{cells.kind}-{width} chunk{training.chunk}x{training.streams} seed{training.seed}"


def log_epoch(run: Run, point: CurvePoint, sample: str | None) -> None:
    """Log an epoch: points of the curves, and a sample of the network's text."""
    nats = {"training/nats": point.loss, "training/validation": point.validation}
    bits = {"training/bits": point.loss, "training/validation_bits": point.validation}
    values = nats | {name: value / math.log(2) for name, value in bits.items()}
    run.log_metrics([Measure(name, value, point.step) for name, value in values.items()])
    if sample is not None:
        text = f"after epoch {point.step}: {point.validation:.4f} nats per character\n\n{sample}\n"
        run.log_text(text, f"samples/epoch-{point.step:03}.txt")
        run.log_text(text, "sample.txt")


def log_bundle(run: Run, fitted: LanguageBundle) -> None:
    """Log a language model as a model that plain MLflow can load."""
    with TemporaryDirectory() as scratch:
        folder = bundle.save(fitted, Path(scratch) / "bundle")
        run.log_bundle(folder, Wrapping(NAME, CODE, _signature()))


def log_decision(run: Run, decision: Decision, version: ModelVersion) -> None:
    """Log the gate's decision and the scores behind it."""
    challenger = decision.scores[CHALLENGER]
    run.log_metrics(
        [
            Measure("test/nats", challenger),
            Measure("test/bits", challenger / math.log(2)),
            Measure("versus/ngram/nats", decision.scores[NGRAM]),
        ]
    )
    run.log_decision(decision)
    registry.describe(version)


def _signature() -> ModelSignature:
    """Return the columns of input and output, and the options of sampling."""
    usual = SamplingConfig()
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "prompt")]),
        outputs=Schema([ColSpec(DataType.string, "prompt"), ColSpec(DataType.string, "text")]),
        params=ParamSchema(
            [
                ParamSpec("temperature", DataType.double, usual.temperature),
                ParamSpec("top_k", DataType.long, 0),
                ParamSpec("top_p", DataType.double, usual.top_p),
                ParamSpec("length", DataType.long, usual.length),
                ParamSpec("seed", DataType.long, usual.seed),
            ]
        ),
    )
