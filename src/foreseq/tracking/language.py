"""Runs of language models: curves, and samples in which one sees the text improve."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# isort: split -- the store settles what MLflow reads from the environment when it is imported
from foreseq.config.dataset import without_secrets
from foreseq.tracking import store

# isort: split
from matplotlib.figure import Figure
from mlflow.entities import DatasetInput
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from foreseq.durable import manifest
from foreseq.language import bundle
from foreseq.language.config import SamplingConfig, TextExperimentConfig
from foreseq.language.corpus import Corpus
from foreseq.language.experiment import Decision
from foreseq.tracking import facts, runs
from foreseq.tracking.begun import Beginning, begin
from foreseq.tracking.wrapping import Wrapping, wrap
from foreseq.training.loop import CurvePoint

NAME = "language-model"
"""Of the model within its run."""
CODE = Path(__file__).with_name("language_pyfunc.py")
UNTOLD = ("name", "gate", "corpus.name", "corpus.copy_at")
"""Fields that are no parameters: they name the run, or cannot change what it learns."""


@dataclass(frozen=True)
class TextRun:
    """A run to write to, under way or done."""

    id: str
    model: str
    """The MLflow experiment, named as the model in the registry."""

    def report(self, point: CurvePoint, sample: str | None) -> None:
        """Log how an epoch ended: curves, and a sample of the text that the network writes."""
        nats = {"training/nats": point.loss, "training/validation": point.validation}
        bits = {"training/bits": point.loss, "training/validation_bits": point.validation}
        self._log(nats | {name: value / math.log(2) for name, value in bits.items()}, point.step)
        if sample is None:
            return
        text = f"after epoch {point.step}: {point.validation:.4f} nats per character\n\n{sample}\n"
        store.open_store().log_text(self.id, text, f"samples/epoch-{point.step:03}.txt")
        store.open_store().log_text(self.id, text, "sample.txt")

    def save_bundle(self, folder: Path) -> None:
        """Log a saved bundle as a model that plain MLflow can load.

        Raises:
            BundleRefused: If it is not as it was written.
        """
        bundle.load(folder)
        logged = wrap(self.id, folder, Wrapping(NAME, CODE, _signature()))
        tags = {store.BUNDLE_TAG: manifest.digest(folder), store.MODEL_TAG: logged}
        store.open_store().log_batch(self.id, tags=runs.tags_of(tags))

    def save_decision(self, decision: Decision) -> None:
        """Log what the gate said, and on which numbers."""
        nats = {"test/nats": decision.challenger, "versus/ngram/nats": decision.ngram}
        self._log(nats)
        self._log({"test/bits": decision.challenger / math.log(2)})
        text = json.dumps(decision._asdict(), indent=2) + "\n"
        store.open_store().log_text(self.id, text, "decision.json")
        verdict = "published" if decision.published else "kept out"
        tags = {"gate": verdict, "gate.reason": decision.reason}
        store.open_store().log_batch(self.id, tags=runs.tags_of(tags))

    def save_figure(self, figure: Figure, file: str) -> None:
        """Log a picture at the run's root."""
        store.open_store().log_figure(self.id, figure, file)

    def _log(self, values: dict[str, float], step: int = 0) -> None:
        metrics = [runs.metric_of(name, value, step) for name, value in values.items()]
        store.open_store().log_batch(self.id, metrics=metrics)


@contextmanager
def text_run(experiment: TextExperimentConfig, corpus: Corpus) -> Iterator[TextRun]:
    """Yield a run that ends as the block does: FINISHED, FAILED, or KILLED by Ctrl-C.

    Raises:
        ConfigError: If the store cannot be used.
    """
    beginning = Beginning(
        model=experiment.model,
        name=_run_name(experiment),
        tags={"data": experiment.corpus.name, "cells": experiment.network.cells.kind},
        parameters=_parameters(experiment),
        dataset=_dataset(experiment, corpus),
    )
    with begin(beginning) as run_id:
        yield TextRun(run_id, experiment.model)


def find_text(run_id: str) -> TextRun:
    """Return a run of the store, to write more to it.

    Raises:
        ConfigError: If there is none of that id.
    """
    found = runs.find(run_id)
    return TextRun(run_id, found.model)


def _run_name(experiment: TextExperimentConfig) -> str:
    """Return what tells the runs of a model apart at a glance.

    Example:
        >>> from foreseq.language.config import load_text_experiment
        >>> _run_name(load_text_experiment())
        'gru-256 chunk64x16 seed1'
    """
    cells, training = experiment.network.cells, experiment.training
    width = "x".join(map(str, cells.units))
    return f"{cells.kind}-{width} chunk{training.chunk}x{training.streams} seed{training.seed}"


def _parameters(experiment: TextExperimentConfig) -> dict[str, str]:
    fields = facts._flat(experiment.model_dump(mode="json"))
    fields["corpus.source"] = without_secrets(experiment.corpus.source)
    return {
        name: value
        for name, value in fields.items()
        if not any(name == untold or name.startswith(f"{untold}.") for untold in UNTOLD)
    }


def _dataset(experiment: TextExperimentConfig, corpus: Corpus) -> DatasetInput:
    """Return what was learned from, known by the fingerprint of its characters."""
    told = experiment.corpus
    profile = {
        "characters": corpus.passage.length,
        "documents": len(corpus.passage.starts),
        "symbols": corpus.vocabulary.size,
    }
    return facts.described(told.name, told.source, corpus.fingerprint(), facts.TRAINING, profile)


def _signature() -> ModelSignature:
    """Return the columns in and out, and how sampling can be steered."""
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
