"""The flows for text: train and publish, generate, score."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from foreseq.config import Config
from foreseq.evaluation.decision import Decision
from foreseq.language import bundle, corpus, experiment, score
from foreseq.language.bundle import LanguageBundle
from foreseq.language.config import CorpusConfig, SamplingConfig, TextExperimentConfig
from foreseq.language.corpus import Corpus
from foreseq.language.sampling import complete, stream_text
from foreseq.language.score import Score
from foreseq.language.training import Listener, Progress
from foreseq.pipelines.flows.ingest import may_pass
from foreseq.pipelines.flows.publish import Published, contest
from foreseq.pipelines.flows.publish import report as report_decision
from foreseq.pipelines.runtime import console, environment
from foreseq.pipelines.runtime.flows import flow
from foreseq.tracking import language as tracking
from foreseq.tracking import registry
from foreseq.tracking import run as runs
from foreseq.training.loop import CurvePoint

QUIET = 20.0
"""Seconds between two lines on the progress of an epoch."""
SAMPLE = SamplingConfig(temperature=0.7, length=300)
"""Of the sample after each epoch."""
TRAIN = "foreseq text train"
"""The command that trains a language model."""


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=may_pass,
)
def fetch(config: CorpusConfig) -> Path | None:
    """Download the text unless it is on this machine."""
    return corpus.locate(config, environment.data() / "raw")


@task(cache_policy=NO_CACHE)
def learn(text_experiment: TextExperimentConfig, file: Path | None) -> tuple[str, LanguageBundle]:
    """Train and track a language model; return the id of the MLflow run, and the model."""
    text = corpus.read(text_experiment.corpus, file)
    checkpoint = _checkpoint(text_experiment, text)
    with tracking.begin(text_experiment, text) as run:
        prompt = text.vocabulary.decode(text.passage.symbols[:1])

        def report(point: CurvePoint, model: keras.Model | None) -> None:
            if model is None:  # an epoch before the training was stopped
                tracking.log_epoch(run, point, None)
                return
            sample = complete(model, text.vocabulary, [prompt], SAMPLE)[0]
            tracking.log_epoch(run, point, prompt + sample)
            console.say(
                f"epoch    {point.step} of {text_experiment.training.epochs}: {point.loss:.4f} nats"
                f" per character, validation {point.validation:.4f}"
            )

        outcome = experiment.train(
            text_experiment, text, checkpoint=checkpoint, listener=Listener(report, _now_and_then())
        )
        tracking.log_bundle(run, outcome.bundle)
    checkpoint.unlink(missing_ok=True)
    return run.id, outcome.bundle


@task(cache_policy=NO_CACHE)
def decide(run_id: str, challenger: LanguageBundle, file: Path | None) -> Published[LanguageBundle]:
    """Score challenger, n-gram and champion on the same text; publish the winner."""
    run = runs.find(run_id)
    version = registry.register(run_id, run.model)
    text = corpus.read(challenger.experiment.corpus, file)

    def judge(champion: LanguageBundle | None) -> Decision:
        return experiment.judge(challenger, champion, text)

    def log(decision: Decision) -> None:
        tracking.log_decision(run, decision, version)

    decision, champion, other = contest(version, challenger, bundle.load, judge, log)
    if champion is not None and other is not None and not decision.published:
        return Published(version, decision, champion, other)
    return Published(version, decision, version, challenger)


@flow("text-train")
def train(text_experiment: TextExperimentConfig) -> Published[LanguageBundle]:
    """Train a language model and publish it if it beats the n-gram and the champion."""
    file = fetch(text_experiment.corpus)
    run_id, challenger = learn(text_experiment, file)
    published = decide(run_id, challenger, file)
    report_decision(published.version, published.decision)
    return published


def stream(model: str, prompt: str, sampling: SamplingConfig) -> Iterator[str]:
    """Return the characters of a text; not a flow, which could only return all at once."""
    loaded = _load(model)
    return stream_text(loaded.model(), loaded.vocabulary, prompt, sampling)


@flow("text-generate")
def generate(model: str, prompts: list[str], sampling: SamplingConfig) -> list[str]:
    """Continue many prompts in one batch."""
    loaded = _load(model)
    return complete(loaded.model(), loaded.vocabulary, prompts, sampling)


@flow("text-score")
def score_file(model: str, file: Path) -> Score:
    """Score a file with a registered model, read in the same way as its corpus."""
    loaded = _load(model)
    source = {"source": str(file), "copy_at": "", "sha256": ""}
    own = loaded.experiment.corpus.model_copy(update=source)
    text = corpus.read_as(own, corpus.locate(own, environment.data() / "raw"), loaded.vocabulary)
    return score.score(loaded.model(), text)


def _load(model: str) -> LanguageBundle:
    return bundle.load(registry.fetch(registry.resolve(model, trained_by=TRAIN)))


def _checkpoint(config: TextExperimentConfig, text: Corpus) -> Path:
    """Return the file to resume this training from after a crash."""
    fields: tuple[Config, ...] = (config.network, config.training, config.corpus)
    key = "".join(part.model_dump_json() for part in fields) + text.fingerprint()
    return environment.data() / "text" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def _now_and_then() -> Callable[[Progress], None]:
    """Return a listener that reports the progress of a long epoch every `QUIET` seconds."""
    last = [time.monotonic()]

    def progressed(progress: Progress) -> None:
        if time.monotonic() - last[0] > QUIET and progress.done < 1:
            last[0] = time.monotonic()
            console.say(
                f"epoch    {progress.epoch} of {progress.epochs}, {progress.done:.0%}:"
                f" {progress.nats:.4f} nats per character"
            )

    return progressed
