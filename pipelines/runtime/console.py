"""Output for people: our few lines on the terminal, what libraries print in a file.

Why the file: TensorFlow, MLflow and Prefect write to standard error from C++, threads and other
processes. Redirecting the descriptor itself is the one way that catches them all.
"""

import os
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from foreseq.errors import ForeseqError, visible
from foreseq.pipelines.runtime import failures

if TYPE_CHECKING:
    from foreseq.selection.search import Candidate
    from foreseq.selection.tuning import Trial
    from foreseq.training.fitting import Progress as Training

LOG = Path(".state") / "foreseq.log"
LONGEST_LOG = 10_000_000
"""Bytes after which the log is moved aside, to `foreseq.log.1`."""


class Report(Protocol):
    """Takes the progress of training."""

    def __call__(self, stage: str, progress: "Training") -> None:
        """Take the stage and one validation."""


class _Terminal:
    """The console in use: standard error as it was at the start, or since `hush`."""

    console = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
    log: Path | None = None
    """Where standard error goes; None: to the terminal, or nowhere."""


def hush() -> None:
    """Send standard error to `LOG` from now on, except what this module writes.

    With `FORESEQ_VERBOSE` set, everything stays where it is.
    """
    if os.environ.get("FORESEQ_VERBOSE"):
        return
    own = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    _Terminal.console = Console(file=own, highlight=False, emoji=False, soft_wrap=True)
    try:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        if LOG.exists() and LOG.stat().st_size > LONGEST_LOG:
            LOG.replace(LOG.with_name(f"{LOG.name}.1"))
        # other commands in this folder may be writing to it
        log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        _Terminal.log = LOG
    except OSError:  # a folder that cannot be written to
        log = os.open(os.devnull, os.O_WRONLY)
    sys.stderr.flush()
    os.dup2(log, 2)
    os.close(log)


def say(line: str) -> None:
    """Write a line for people; what an id or a cell holds cannot make it two."""
    _Terminal.console.print(visible(line), markup=False)


def say_candidate(candidate: "Candidate") -> None:
    """Say how a short training went."""
    name = f"{candidate.field}={candidate.value}" if candidate.field else "defaults"
    say(f"tried    {name}: validation {candidate.error:.4f} ({candidate.seconds:.0f} s)")


def say_trial(trial: "Trial") -> None:
    """Say how a trial of a study went."""
    values = " ".join(f"{name.rpartition('.')[2]}={_brief(v)}" for name, v in trial.values.items())
    ended = "pruned at" if trial.pruned else "validation"
    say(f"trial    {trial.number}: {ended} {trial.error:.4f}: {values}")


def say_error(error: ForeseqError) -> None:
    """Write the message on an expected failure."""
    for line in f"foreseq: {error}".splitlines():
        say(line)


def say_failure(error: Exception) -> int:
    """Say why a command failed, with the traceback in the log; return the exit code."""
    known = failures.expected(error)
    if _Terminal.log:
        traceback.print_exception(error)
    elif known is None:
        for line in "".join(traceback.format_exception(error)).splitlines():
            say(line)
    if known is not None:
        say_error(known)
        return known.exit_code
    where = f"in {_Terminal.log}" if _Terminal.log else "above"
    say(f"foreseq: this is a defect: {type(error).__name__}: {error}; its traceback is {where}")
    return 1


@contextmanager
def training_progress() -> Iterator[Report]:
    """Yield a function that shows progress: bars on a terminal, elsewhere a line per member."""
    with _bars() if _Terminal.console.is_terminal else nullcontext(_say_the_end) as report:
        yield report


@contextmanager
def _bars() -> Iterator[Report]:
    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(),
        TextColumn("{task.fields[point]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_Terminal.console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}
        reached: dict[str, dict[int, int]] = defaultdict(dict)

        def report(stage: str, progress: "Training") -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(
                    stage, total=progress.steps * progress.members, point=""
                )
            done = progress.steps if progress.ended else progress.point.step
            reached[stage][progress.member] = done
            completed = sum(reached[stage].values())
            bars.update(tasks[stage], completed=completed, point=_point(progress))
            _say_the_end(stage, progress)

        yield report


def _say_the_end(stage: str, progress: "Training") -> None:
    if progress.ended:
        member = f"member {progress.member + 1} of {progress.members}: "
        say(f"{stage:<8} {member if progress.members > 1 else ''}{_point(progress)}")


def _point(progress: "Training") -> str:
    step, loss, error = progress.point
    validation = "" if isnan(error) else f", validation {error:.4f}"
    return f"step {step}, loss {loss:.4f}{validation}"


def _brief(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value).replace(" ", "")
