"""The flow that tunes: one study, one or more worker processes, the best config as YAML."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from prefect import task
from prefect.cache_policies import NO_CACHE

from foreseq.config import ExperimentConfig
from foreseq.pipelines.flows.ingest import ingest
from foreseq.pipelines.runtime import cluster, console, environment, progress
from foreseq.pipelines.runtime.flows import flow
from foreseq.selection import choose, rules, tuning
from foreseq.selection.facts import are_positive
from foreseq.selection.space import POSITIVE, Space
from foreseq.selection.tuning import Best, Study, Trial
from foreseq.series import panel
from foreseq.tracking import store, studies
from foreseq.tracking.run import Run


@dataclass(frozen=True)
class Tuned:
    """What a study brought."""

    run_id: str
    """Of the study in MLflow."""
    best: Best
    output: Path
    """The best config."""


@dataclass(frozen=True)
class Plan:
    """What a study tries, how often, and where it keeps its results."""

    name: str
    storage: Path
    """SQLite file."""
    space: Space
    output: Path
    """YAML for the best config."""
    sampler: Literal["tpe", "cmaes", "evolutionary"] = "tpe"
    trials: int = 20
    deadline: float = float("inf")
    """Time (`time.time`) after which no trial begins."""


@task(cache_policy=NO_CACHE)
def explore(
    experiment: ExperimentConfig, plan: Plan, folder: Path, workers: int, dask: str | None
) -> Tuned:
    """Run trials until their number or the time is used up; write the best config."""
    facts = choose.facts_of(experiment, panel.load(folder))
    series = facts.panel
    resolved, choices = rules.resolve(experiment, facts)
    for choice in choices:
        console.detail(f"chosen   {choice.field}={choice.value}: {choice.reason}")
    space = plan.space if are_positive(facts) else plan.space.without(POSITIVE)
    study = Study(
        plan.name,
        plan.storage,
        resolved,
        space,
        sampler=plan.sampler,
        trials=plan.trials,
        deadline=plan.deadline,
    )
    with tuning.opened(study, series), studies.study(study.name, resolved, series) as run:
        for trial in _work(partial(_attempt, study, run, folder), workers, dask):
            progress.trial(trial)
        best = tuning.best(study)
        tuning.write_best(study, experiment, plan.output)
        studies.log_best(run, best, plan.output.read_text(encoding="utf-8"))
    return Tuned(run.id, best, plan.output)


@flow()
def tune(
    experiment: ExperimentConfig, plan: Plan, workers: int = 1, dask: str | None = None
) -> Tuned:
    """Search for a better config on the validation windows.

    Args:
        experiment: What to tune; fields left open are chosen by rules first.
        plan: What is tried, and how often.
        workers: Processes of this machine that take trials.
        dask: Address of a cluster, whose workers take them instead.
    """
    ingested = ingest(experiment.dataset)
    return explore(experiment, plan, ingested.folder.absolute(), workers, dask)


def _work(attempt: Callable[[], Trial | None], workers: int, dask: str | None) -> Iterator[Trial]:
    """Yield the trials as they end; each worker takes one after the other."""
    if workers == 1 and dask is None:
        while (trial := attempt()) is not None:
            yield trial
        return
    with _executors(workers, dask) as executors:
        elsewhere = partial(_elsewhere, store.address(), attempt)
        busy = {each.submit(elsewhere): each for each in executors}
        while busy:
            for ended in wait(busy, return_when=FIRST_COMPLETED).done:
                executor, trial = busy.pop(ended), ended.result()
                if trial is not None:
                    busy[executor.submit(elsewhere)] = executor
                    yield trial


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


def _elsewhere(address: str, attempt: Callable[[], Trial | None]) -> Trial | None:
    """Attempt a trial in a process that may work in another folder."""
    environment.prepare()
    os.environ["MLFLOW_TRACKING_URI"] = address
    return attempt()


def _attempt(study: Study, run: Run, folder: Path) -> Trial | None:
    series = panel.load(folder, study.experiment.dataset.season)
    return tuning.attempt(study, series, partial(studies.trial, run, study.name, series))
