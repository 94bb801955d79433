"""What a person sees: our few lines on the terminal, what libraries say in a file.

Why the file: TensorFlow, MLflow and Prefect write to standard error from C++, threads and other
processes. Moving the descriptor itself is the one way that catches them all.
"""

import os
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from foreseq.selection.search import Candidate
    from foreseq.selection.tuning import Trial
    from foreseq.training.fitting import Progress as Training

LOG = Path(".state") / "foreseq.log"


class Report(Protocol):
    """Takes where the training is."""

    def __call__(self, stage: str, progress: "Training") -> None:
        """Take the stage and one look."""


class _Terminal:
    """The console in use: standard error as it was at the start, or since `hush`."""

    console = Console(stderr=True, highlight=False, soft_wrap=True)


def hush() -> None:
    """Send standard error to `LOG` from now on, except what this module writes.

    With `FORESEQ_VERBOSE` set, everything stays where it is.
    """
    if os.environ.get("FORESEQ_VERBOSE"):
        return
    own = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    _Terminal.console = Console(file=own, highlight=False, soft_wrap=True)
    try:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError:  # a folder that cannot be written to
        log = os.open(os.devnull, os.O_WRONLY)
    sys.stderr.flush()
    os.dup2(log, 2)
    os.close(log)


def say(line: str) -> None:
    """Write a line for people."""
    _Terminal.console.print(line, markup=False)


def say_candidate(candidate: "Candidate") -> None:
    """Write how a short training went."""
    told = f"{candidate.field}={candidate.value}" if candidate.field else "as the rules have it"
    say(f"tried    {told}: validation {candidate.error:.4f} in {candidate.seconds:.0f} s")


def say_trial(trial: "Trial") -> None:
    """Write how a trial of a study went."""
    told = " ".join(f"{field.rpartition('.')[2]}={_brief(v)}" for field, v in trial.values.items())
    ended = "pruned at" if trial.pruned else "validation"
    say(f"trial    {trial.number}: {ended} {trial.error:.4f}: {told}")


def say_crash(error: Exception) -> None:
    """Write a line for people and, to standard error, what a developer needs to see."""
    traceback.print_exception(error)
    say(f"foreseq: this is a defect: {type(error).__name__}: {error}; its traceback is in {LOG}")


@contextmanager
def training_progress() -> Iterator[Report]:
    """Yield what shows the progress of training: bars on a terminal, a line a member elsewhere."""
    with _bars() if _Terminal.console.is_terminal else nullcontext(_say_the_end) as report:
        yield report


@contextmanager
def _bars() -> Iterator[Report]:
    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_Terminal.console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}
        reached: dict[str, dict[int, int]] = defaultdict(dict)

        def report(stage: str, progress: "Training") -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(
                    stage, total=progress.steps * progress.members, told=""
                )
            done = progress.steps if progress.ended else progress.point.step
            reached[stage][progress.member] = done
            bars.update(tasks[stage], completed=sum(reached[stage].values()), told=_told(progress))
            _say_the_end(stage, progress)

        yield report


def _say_the_end(stage: str, progress: "Training") -> None:
    if progress.ended:
        member = f"member {progress.member + 1} of {progress.members}: "
        say(f"{stage:<8} {member if progress.members > 1 else ''}{_told(progress)}")


def _told(progress: "Training") -> str:
    look = progress.point
    validation = "" if look.validation != look.validation else f", validation {look.validation:.4f}"
    return f"step {look.step}, loss {look.loss:.4f}{validation}"


def _brief(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value).replace(" ", "")
