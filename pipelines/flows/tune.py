"""The flow that tunes: one study, one or more worker processes, the best config as YAML."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from foreseq.pipelines.flows.ingest import ingest
from foreseq.pipelines.runtime import cluster, console, environment
from foreseq.selection import rules, tuning
from foreseq.selection.space import POSITIVE
from foreseq.selection.tuning import Best, Study, Tried
from foreseq.series import panel
from foreseq.tracking import store, studies
from foreseq.tracking.runs import Run


@dataclass(frozen=True)
class Tuned:
    """What a study brought."""

    run_id: str
    """Of the study in MLflow."""
    best: Best
    output: Path
    """The best config."""


@task(cache_policy=NO_CACHE)
def explore(study: Study, folder: Path, output: Path, workers: int, dask: str | None) -> Tuned:
    """Work on the study until its trials or its time are used up; write the best config."""
    series = panel.load(folder)
    told = study.experiment
    settled, choices = rules.settle(told, series)
    for choice in choices:
        console.say(f"chosen   {choice.field}={choice.value}: {choice.reason}")
    positive = rules.are_positive(rules.facts_of(settled, series))
    space = study.space if positive else study.space.without(POSITIVE)
    study = replace(study, experiment=settled, space=space)
    with tuning.opened(study, series), studies.study(study.name, settled, series) as run:
        for tried in _work(partial(_attempt, study, run, folder), workers, dask):
            console.say_trial(tried)
        best = tuning.best(study)
        tuning.write_best(study, told, output)
        studies.save_best(run, best, output.read_text(encoding="utf-8"))
    return Tuned(run.id, best, output)


@flow
def tune(study: Study, output: Path, workers: int = 1, dask: str | None = None) -> Tuned:
    """Look for a better config on the validation windows; what the user left open may be open.

    Args:
        study: What is tried, and how often.
        output: YAML for the best config.
        workers: Processes of this machine that take trials.
        dask: Address of a cluster, whose workers take them instead.
    """
    ingested = ingest(study.experiment.dataset)
    return explore(study, ingested.folder.absolute(), output, workers, dask)


def _work(attempt: Callable[[], Tried | None], workers: int, dask: str | None) -> Iterator[Tried]:
    """Yield the trials as they end; each worker takes one after the other."""
    if workers == 1 and dask is None:
        while (tried := attempt()) is not None:
            yield tried
        return
    with _executors(workers, dask) as executors:
        elsewhere = partial(_elsewhere, store.address(), attempt)
        busy = {each.submit(elsewhere): each for each in executors}
        while busy:
            for ended in wait(busy, return_when=FIRST_COMPLETED).done:
                executor, tried = busy.pop(ended), ended.result()
                if tried is not None:
                    busy[executor.submit(elsewhere)] = executor
                    yield tried


@contextmanager
def _executors(workers: int, dask: str | None) -> Iterator[list[Executor]]:
    """Yield one for each worker: a process of this machine, or one of a cluster."""
    if dask is not None:
        with cluster.client(dask) as client:
            yield [client.get_executor(pure=False, workers=[each]) for each in client.nthreads()]
        return
    cores = max(1, (os.cpu_count() or 1) // workers)
    context = get_context("spawn")  # TensorFlow does not survive a fork
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_prepare, initargs=(cores,)
    ) as pool:
        yield [pool] * workers


def _prepare(cores: int) -> None:
    """Set up a worker before TensorFlow reads how many cores it may use."""
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(cores), "TF_NUM_INTEROP_THREADS": str(cores)}


def _elsewhere(address: str, attempt: Callable[[], Tried | None]) -> Tried | None:
    """Attempt a trial in a process that may work in another folder."""
    environment.prepare()
    os.environ["MLFLOW_TRACKING_URI"] = address
    return attempt()


def _attempt(study: Study, run: Run, folder: Path) -> Tried | None:
    series = panel.load(folder)
    return tuning.attempt(study, series, partial(studies.trial, run, study.name, series))
