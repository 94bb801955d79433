"""The flow that tunes: one study, one or more worker processes, the best config as YAML."""

import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from foreseq import auto, panel, tuning
from foreseq.space import POSITIVE
from foreseq.tracking import studies
from foreseq.tracking.runs import Run
from foreseq.tuning import Best, Study, Tried
from pipelines import console, environment
from pipelines.ingest import ingest


@dataclass(frozen=True)
class Tuned:
    """What a study brought."""

    run_id: str
    """Of the study in MLflow."""
    best: Best
    output: Path
    """The best config."""


@task(cache_policy=NO_CACHE)
def explore(study: Study, folder: Path, output: Path, workers: int) -> Tuned:
    """Work on the study until its trials or its time are used up; write the best config."""
    series = panel.load(folder)
    told = study.experiment
    settled, choices = auto.settle(told, series)
    for choice in choices:
        console.say(f"chosen   {choice.field}={choice.value}: {choice.reason}")
    positive = auto.are_positive(auto.facts_of(settled, series))
    space = study.space if positive else study.space.without(POSITIVE)
    study = replace(study, experiment=settled, space=space)
    with tuning.opened(study, series), studies.study(study.name, settled, series) as run:
        for tried in _work(study, run, folder, workers):
            console.say_trial(tried)
        best = tuning.best(study)
        tuning.write_best(study, told, output)
        studies.save_best(run, best, output.read_text(encoding="utf-8"))
    return Tuned(run.id, best, output)


@flow
def tune(study: Study, output: Path, workers: int = 1) -> Tuned:
    """Look for a better config on the validation windows; what the user left open may be open."""
    ingested = ingest(study.experiment.dataset)
    return explore(study, ingested.folder, output, workers)


def _work(study: Study, run: Run, folder: Path, workers: int) -> Iterator[Tried]:
    """Yield the trials as they end, each worker a process that takes one after the other."""
    if workers == 1:
        while (tried := _attempt(study, run, folder)) is not None:
            yield tried
        return
    cores = max(1, (os.cpu_count() or 1) // workers)
    context = get_context("spawn")  # TensorFlow does not survive a fork
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_prepare, initargs=(cores,)
    ) as pool:
        busy = {pool.submit(_attempt, study, run, folder) for _ in range(workers)}
        while busy:
            ended, busy = wait(busy, return_when=FIRST_COMPLETED)
            for tried in (each.result() for each in ended):
                if tried is not None:
                    busy.add(pool.submit(_attempt, study, run, folder))
                    yield tried


def _prepare(cores: int) -> None:
    """Set up a worker before TensorFlow reads how many cores it may use."""
    environment.prepare()
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(cores), "TF_NUM_INTEROP_THREADS": str(cores)}


def _attempt(study: Study, run: Run, folder: Path) -> Tried | None:
    series = panel.load(folder)
    return tuning.attempt(study, series, partial(studies.trial, run, study.name, series))
