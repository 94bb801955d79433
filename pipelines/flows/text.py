"""The flows of the text product: train and publish, write, score."""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
from prefect import flow, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from foreseq.config import Config
from foreseq.language import bundle, corpus, experiment, score, writing
from foreseq.language.bundle import LanguageBundle
from foreseq.language.config import CorpusConfig, SamplingConfig, TextExperimentConfig
from foreseq.language.corpus import Corpus
from foreseq.language.experiment import Decision
from foreseq.language.score import Score
from foreseq.language.training import Listener, Progress
from foreseq.pipelines.flows.ingest import may_pass
from foreseq.pipelines.runtime import console, environment
from foreseq.tracking import links, registry
from foreseq.tracking.language import find_text, text_run
from foreseq.tracking.registry import Version
from foreseq.training.loop import CurvePoint

QUIET = 20.0
"""Seconds of an epoch after which a line tells how far it is."""
SAMPLE = SamplingConfig(temperature=0.7, length=300)
"""How the sample after each epoch is written."""


@dataclass(frozen=True)
class TextPublished:
    """What the gate said about a run."""

    run_id: str
    version: Version
    """Of the challenger."""
    decision: Decision


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=may_pass,
)
def fetch(config: CorpusConfig) -> Path | None:
    """Bring the text to this machine, unless it is there."""
    return corpus.locate(config, environment.data() / "raw")


@task(cache_policy=NO_CACHE)
def learn(told: TextExperimentConfig, place: Path | None) -> str:
    """Train and track; return the MLflow run id."""
    text = corpus.read(told.corpus, place)
    checkpoint = _checkpoint(told, text)
    with text_run(told, text) as run:
        prompt = text.vocabulary.decode(text.passage.symbols[:1])

        def report(point: CurvePoint, model: keras.Model | None) -> None:
            if model is None:  # an epoch of before the training was stopped
                run.report(point, None)
                return
            sample = writing.complete(model, text.vocabulary, [prompt], SAMPLE)[0]
            run.report(point, prompt + sample)
            console.say(
                f"epoch    {point.step} of {told.training.epochs}: {point.loss:.4f} nats per"
                f" character, validation {point.validation:.4f}"
            )

        outcome = experiment.train(
            told, text, checkpoint=checkpoint, listener=Listener(report, _now_and_then())
        )
        with tempfile.TemporaryDirectory() as folder:
            run.save_bundle(bundle.save(outcome.bundle, Path(folder) / "bundle"))
    checkpoint.unlink(missing_ok=True)
    return run.id


@task(cache_policy=NO_CACHE)
def decide(run_id: str, place: Path | None) -> TextPublished:
    """Score challenger, n-gram and champion on the same text; publish the winner."""
    run = find_text(run_id)
    version = registry.register(run_id, run.model)
    champion = registry.champion(run.model)
    challenger = bundle.load(registry.fetch(version))
    text = corpus.read(challenger.experiment.corpus, place)
    if champion is not None and champion.digest == version.digest:
        decision = experiment.judge(challenger, None, text)
        reason = f"is the champion already: {champion}"
        return TextPublished(run_id, champion, decision._replace(published=True, reason=reason))
    rival = None if champion is None else bundle.load(registry.fetch(champion))
    decision = experiment.judge(challenger, rival, text)
    run.save_decision(decision)
    if decision.published:
        registry.promote(version, expected=champion)
    return TextPublished(run_id, version, decision)


@flow(name="text-train")
def train(told: TextExperimentConfig) -> TextPublished:
    """Train a language model and publish it if it beats the n-gram and the champion."""
    place = fetch(told.corpus)
    run_id = learn(told, place)
    create_link_artifact(
        key="mlflow-run", link=links.ui_link(run_id), description="The training in MLflow"
    )
    published = decide(run_id, place)
    decision = published.decision
    verdict = "published" if decision.published else "not published"
    create_markdown_artifact(
        key="gate",
        markdown=f"**{published.version}: {verdict}**\n\n{decision.reason}\n",
        description="What the gate decided, and on which numbers",
    )
    console.say(f"gate     {published.version} {verdict}: {decision.reason}")
    return published


def stream(model: str, prompt: str, sampling: SamplingConfig) -> Iterator[str]:
    """Return a text as it is written; no flow, which would only hand it over whole."""
    loaded = _load(model)
    return writing.stream(loaded.model(), loaded.vocabulary, prompt, sampling)


@flow(name="text-generate")
def generate(model: str, prompts: list[str], sampling: SamplingConfig) -> list[str]:
    """Write on from many prompts, one call of the network a character for all of them."""
    loaded = _load(model)
    return writing.complete(loaded.model(), loaded.vocabulary, prompts, sampling)


@flow(name="text-score")
def score_file(model: str, file: Path) -> Score:
    """Score a file with a published model, read as its corpus was."""
    loaded = _load(model)
    told = loaded.experiment.corpus
    own = told.model_copy(update={"source": str(file), "copy_at": "", "sha256": ""})
    text = corpus.read_as(own, corpus.locate(own, environment.data() / "raw"), loaded.vocabulary)
    return score.score(loaded.model(), text)


def _load(model: str) -> LanguageBundle:
    return bundle.load(registry.fetch(registry.resolve(model)))


def _checkpoint(told: TextExperimentConfig, text: Corpus) -> Path:
    """Return the file in which this very training is kept, to be gone on with after a crash."""
    fields: tuple[Config, ...] = (told.network, told.training, told.corpus)
    what = "".join(part.model_dump_json() for part in fields) + text.fingerprint()
    return environment.data() / "text" / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.npz"


def _now_and_then() -> Callable[[Progress], None]:
    """Return what tells of a long epoch's progress, at intervals."""
    last = [time.monotonic()]

    def progressed(progress: Progress) -> None:
        if time.monotonic() - last[0] > QUIET and progress.done < 1:
            last[0] = time.monotonic()
            console.say(
                f"epoch    {progress.epoch} of {progress.epochs}, {progress.done:.0%}:"
                f" {progress.nats:.4f} nats per character"
            )

    return progressed
