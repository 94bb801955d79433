"""Fit the members of an ensemble in parallel, one worker process for each core.

Why processes: the loops of networks this small keep one core busy, and threads of one process only
wait for each other. Why not `multiprocessing`: what it starts runs the user's main module again.
Why not loky: its workers outlive a parent that is killed, and have no channel for progress.
"""

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from foreseq.config import ResolvedExperiment
from foreseq.durable import files
from foreseq.errors import Unavailable
from foreseq.network.cells import has_gpu
from foreseq.training import fitting, model_cache
from foreseq.training.fitting import Pace, Progress, Task
from foreseq.training.loop import Fitted

Report = Callable[[Progress], None]
Job = Callable[..., Any]
"""Takes the argument `report`, to which it may give its progress."""


class _Worker(NamedTuple):
    process: "subprocess.Popen[bytes]"
    connection: "Connection[Any, Any]"


class _Result(NamedTuple):
    """The last message of a job; those before are progress."""

    value: Any
    """What the job returned, or the exception that ended it."""

    def unwrap(self) -> Any:
        """Return the value, or raise it."""
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


_pool: list[_Worker] = []
"""Workers are kept for the next job, as starting one takes as long as a short training."""
_lock = threading.RLock()
"""Held while jobs run: trainings of two threads take turns."""


def fit(
    task: Task,
    experiment: ResolvedExperiment,
    *,
    checkpoint: Path | None = None,
    report: Report = lambda _: None,
) -> list[Fitted]:
    """Fit every member of the ensemble as `fitting.fit` does, in `training.workers` processes.

    Raises:
        SeriesTooShort: If no series holds a training window.
        Unavailable: If a worker dies.
    """
    members = experiment.training.members
    count = min(experiment.training.workers, members, max_workers())
    if count == 1:
        return fitting.fit(task, experiment, checkpoint=checkpoint, report=report)
    fit_some = partial(fitting.fit, task, experiment, checkpoint=checkpoint)
    jobs = [partial(fit_some, members=range(first, members, count)) for first in range(count)]
    shares = _run(jobs, report)
    return [shares[n % count][n // count] for n in range(members)]


def pace(task: Task, experiment: ResolvedExperiment) -> Pace:
    """Measure how fast training is while all workers train."""
    count = min(experiment.training.workers, max_workers())
    if count == 1:
        return fitting.pace(task, experiment)
    paces = _run([partial(_pace, task, experiment)] * count)
    return Pace(*map(max, zip(*paces, strict=True)))


def max_workers() -> int:
    """Return how many workers this machine has room for: one a core, or one for all its GPUs."""
    if os.name == "nt" or has_gpu():
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shutdown() -> None:
    """End all workers, and free the memory of this process's idle network."""
    with _lock:
        model_cache.release()
        while _pool:
            worker = _pool.pop()
            worker.connection.close()
            worker.process.kill()  # nothing is lost: checkpoints are written whole or not at all
            worker.process.communicate()


atexit.register(shutdown)


def serve(descriptor: int) -> None:
    """Run jobs from a connection until its other end is closed: the main loop of a worker."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError), Connection(descriptor) as connection:
        while True:
            job: Job = connection.recv()
            try:
                value = job(report=connection.send)
            except Exception as error:  # raised again in the parent
                value = error
            connection.send(_Result(value))


def _run(jobs: Sequence[Job], report: Report = lambda _: None) -> list[Any]:
    """Return the results of some jobs, each run by a worker of its own."""
    with _lock:
        while len(_pool) < len(jobs):
            _pool.append(_start_worker())
        try:
            return _results(jobs, _pool[: len(jobs)], report)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            shutdown()
            raise Unavailable(
                "a worker process died (out of memory?);"
                " set training.workers=1 to train in this process"
            ) from None
        except BaseException:
            shutdown()  # the other workers still run
            raise


def _results(jobs: Sequence[Job], workers: Sequence[_Worker], report: Report) -> list[Any]:
    running: dict[Any, int] = {}
    for n, worker in enumerate(workers):
        worker.connection.send(jobs[n])
        running[worker.connection] = n
    results: list[Any] = [None] * len(jobs)
    while running:
        ready: Any = wait(list(running))
        for connection in ready:
            message = connection.recv()
            if isinstance(message, _Result):
                results[running.pop(connection)] = message.unwrap()
            else:
                report(message)
    return results


def _start_worker() -> _Worker:
    ours, theirs = Pipe()
    with theirs:
        code = f"from foreseq.training import workers; workers.serve({theirs.fileno()})"
        process = subprocess.Popen(  # noqa: S603 - constant code
            [sys.executable, "-c", code],
            env=os.environ | files.ONE_CORE,
            stdin=subprocess.PIPE,
            stdout=2,  # this process's stdout is for results
            pass_fds=[theirs.fileno()],
        )
    return _Worker(process, ours)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the parent is gone, however it ended
    os._exit(1)


def _pace(task: Task, experiment: ResolvedExperiment, *, report: Report) -> Pace:  # noqa: ARG001 - a job takes it
    return fitting.pace(task, experiment)
