"""Members fitted side by side, each by a worker process that has one core to itself.

Why processes: the loops of networks this small keep one core busy, and threads of one process only
wait for each other. Why not `multiprocessing`: what it starts runs the user's main module again.
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
from foreseq.errors import ForeseqError
from foreseq.network.cells import has_gpu
from foreseq.training import fitting, model_cache
from foreseq.training.fitting import Pace, Progress, Task
from foreseq.training.loop import Fitted

Report = Callable[[Progress], None]
Job = Callable[..., Any]
"""What a worker does, given as `report` whom to tell where it is."""


class _Worker(NamedTuple):
    process: "subprocess.Popen[bytes]"
    line: "Connection[Any, Any]"


class _Done(NamedTuple):
    """Ends a job; all else that a worker sends tells where it is."""

    result: Any

    def outcome(self) -> Any:
        """Return what came of it, or raise what it ended with."""
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


_crew: list[_Worker] = []
"""Those that wait for the next job: to start one takes as long as a short training."""
_busy = threading.RLock()
"""Held while they are at work: two threads that train take turns."""


def fit(
    task: Task,
    experiment: ResolvedExperiment,
    *,
    checkpoint: Path | None = None,
    report: Report = lambda _: None,
) -> list[Fitted]:
    """Fit every member of the ensemble as `training.fit` does, by as many workers as are wanted.

    Raises:
        SeriesTooShort: If no series holds a training window.
        ForeseqError: If a worker dies.
    """
    members = experiment.training.members
    count = min(experiment.training.workers, members, most())
    if count == 1:
        return fitting.fit(task, experiment, checkpoint=checkpoint, report=report)
    shares = [range(first, members, count) for first in range(count)]
    do = partial(fitting.fit, task, experiment, checkpoint=checkpoint)
    done = _have_done([partial(do, members=share) for share in shares], report)
    return [done[n % count][n // count] for n in range(members)]


def pace(task: Task, experiment: ResolvedExperiment) -> Pace:
    """Measure how fast a training goes while all workers take steps."""
    count = min(experiment.training.workers, most())
    if count == 1:
        return fitting.pace(task, experiment)
    each = _have_done([partial(_pace, task, experiment)] * count)
    return Pace(*map(max, zip(*each, strict=True)))


def most() -> int:
    """Return how many workers this machine has room for: one a core, and no two on its GPUs."""
    if os.name == "nt" or has_gpu():
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def dismiss() -> None:
    """End the workers that wait for the next job, and give back what networks here have taken."""
    with _busy:
        model_cache.release()
        while _crew:
            worker = _crew.pop()
            worker.line.close()
            worker.process.kill()  # nothing is lost: checkpoints appear whole or not at all
            worker.process.communicate()


atexit.register(dismiss)


def serve(handle: int) -> None:
    """Do one job after the other, until whoever gives them is gone: the life of a worker.

    Args:
        handle: Descriptor of the connection over which they come.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError), Connection(handle) as line:
        while True:
            job: Job = line.recv()
            try:
                result = job(report=line.send)
            except Exception as error:  # whoever gave the job decides
                result = error
            line.send(_Done(result))


def _have_done(jobs: Sequence[Job], report: Report = lambda _: None) -> list[Any]:
    """Return what comes of some jobs, each done by a worker of its own."""
    with _busy:
        return _with_crew(jobs, report)


def _with_crew(jobs: Sequence[Job], report: Report) -> list[Any]:
    while len(_crew) < len(jobs):
        _crew.append(_hire())
    working: dict[Any, int] = {worker.line: n for n, worker in enumerate(_crew[: len(jobs)])}
    results: list[Any] = [None] * len(jobs)
    try:
        for line, n in working.items():
            line.send(jobs[n])
        while working:
            ready: Any = wait(list(working))
            for line in ready:
                told = line.recv()
                if isinstance(told, _Done):
                    results[working.pop(line)] = told.outcome()
                else:
                    report(told)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        dismiss()
        raise ForeseqError(
            "a worker process died, perhaps for want of memory; training.workers=1 does without"
        ) from None
    except BaseException:
        dismiss()  # the others are still at it
        raise
    return results


def _hire() -> _Worker:
    ours, theirs = Pipe()
    with theirs:
        code = f"from foreseq.training import workers; workers.serve({theirs.fileno()})"
        process = subprocess.Popen(  # noqa: S603 - our own words
            [sys.executable, "-c", code],
            env=os.environ | files.ONE_CORE,
            stdin=subprocess.PIPE,
            stdout=2,  # ours is for results
            pass_fds=[theirs.fileno()],
        )
    return _Worker(process, ours)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the parent is gone, however it ended
    os._exit(1)


def _pace(task: Task, experiment: ResolvedExperiment, *, report: Report) -> Pace:  # noqa: ARG001 - too short to tell of
    return fitting.pace(task, experiment)
