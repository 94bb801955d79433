"""What a long job is doing and how long it will take: one line, rewritten on a terminal.

Elsewhere, as in a log, it is written now and then, and what it went through is in the details.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rich.live import Live
from rich.text import Text

from foreseq.pipelines.runtime import console

if TYPE_CHECKING:
    from foreseq.selection.search import Candidate
    from foreseq.selection.tuning import Trial
    from foreseq.training.fitting import Progress

EVERY = 30.0
"""Seconds between two lines that are not rewritten, at least."""
BAR = 16
"""Letters."""


class Show(Protocol):
    """Takes where a job is."""

    def __call__(
        self, stage: str, text: str, share: float | None = None, left: float | None = None
    ) -> None:
        """Take stage, what happens there, the share that is done and the seconds left."""


class _State(NamedTuple):
    stage: str
    text: str
    share: float | None
    left: float | None
    """Seconds, at `since`."""
    since: float


@contextmanager
def shown() -> Iterator[Show]:
    """Yield a function that shows where a job is."""
    state = _State("start", "", None, None, time.monotonic())
    written = time.monotonic()
    terminal = console.terminal()

    def rewritten() -> Text:
        passed = time.monotonic() - state.since
        left = None if state.left is None else state.left - passed
        text = line(state.stage, state.text, state.share, left)
        return Text(text, "cyan", no_wrap=True, overflow="ellipsis")

    def show(stage: str, text: str, share: float | None = None, left: float | None = None) -> None:
        nonlocal state, written
        state = _State(stage, text, share, left, time.monotonic())
        if terminal is None and state.since - written >= EVERY:
            written = state.since
            console.say(line(stage, text, None, left))

    if terminal is None:
        yield show
        return
    with Live(
        console=terminal,
        get_renderable=rewritten,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,  # which is the log
    ):
        yield show


def search(show: Show, budget: float) -> Callable[["Candidate"], None]:
    """Return what takes the short trainings of a search.

    Args:
        show: Of `shown`.
        budget: Seconds for search and training.
    """
    begun, errors = time.monotonic(), list[float]()

    def report(candidate: "Candidate | None" = None) -> None:
        if candidate is not None:
            errors.append(candidate.error)
            name = f"{candidate.field}={candidate.value}" if candidate.field else "defaults"
            result = f"validation {candidate.error:.4f} ({candidate.seconds:.0f} s)"
            console.detail(f"tried    {name}: {result}")
        best = f", best validation {min(errors):.4f}" if errors else ""
        left = budget + begun - time.monotonic() if budget else None
        show("search", f"{len(errors)} variants tried{best}", left=left)

    report()
    return report


def training(show: Show, after: float = 0.0) -> Callable[[str, "Progress"], None]:
    """Return what takes the validations of a training.

    Args:
        show: Of `shown`.
        after: How long what comes after `fit` takes, as a share of it.
    """
    reached: dict[str, dict[int, int]] = defaultdict(dict)
    begun: dict[str, float] = {}

    def report(stage: str, progress: "Progress") -> None:
        now = time.monotonic()
        reached[stage][progress.member] = progress.steps if progress.ended else progress.point.step
        done, steps = sum(reached[stage].values()), progress.steps * progress.members
        start = begun.setdefault(stage, now)
        whole = steps * (1 + after) if stage == "fit" else steps
        left = (now - start) * (whole - done) / done if done and now > start else None
        show(stage, f"step {done:,} of {steps:,}{_validation(progress)}", done / whole, left)
        if progress.ended:
            member = f"member {progress.member + 1} of {progress.members}: "
            step, loss, _ = progress.point
            console.detail(
                f"{stage:<8} {member if progress.members > 1 else ''}step {step}, loss {loss:.4f}"
                f"{_validation(progress)}"
            )

    return report


@contextmanager
def series(total: int) -> Iterator[Callable[..., None]]:
    """Yield a function that takes a number of series, and if they were forecast just now."""
    done, first = 0, (0, 0.0)
    with shown() as show:

        def report(count: int, *, fresh: bool) -> None:
            nonlocal done, first
            done += count
            now = time.monotonic()
            if fresh and not first[0]:  # its time was spent on starting processes
                first = (done, now)
            rate = (done - first[0]) / max(now - first[1], 1e-9) if fresh else 0.0
            pace = f", {rate:,.0f} per second" if rate else ""
            left = (total - done) / rate if rate else None
            text = f"{done:,} of {total:,} series{pace}"
            if fresh and done == total:
                console.say(line("parts", text))
            else:
                show("parts", text, done / total, left)

        yield report


def trial(tried: "Trial") -> None:
    """Say how a trial of a study went."""
    values = " ".join(f"{name.rpartition('.')[2]}={_brief(v)}" for name, v in tried.values.items())
    ended = "pruned at" if tried.pruned else "validation"
    console.say(f"trial    {tried.number}: {ended} {tried.error:.4f}: {values}")


def line(stage: str, text: str, share: float | None = None, left: float | None = None) -> str:
    """Return a line of progress.

    Example:
        >>> line("parts", "250,000 of 1,000,000 series", None, 300.0)
        'parts    250,000 of 1,000,000 series, about 5 min left'
        >>> line("fit", "step 30 of 40", 0.75)
        'fit      ━━━━━━━━━━━━──── step 30 of 40'
    """
    full = round(BAR * min(share or 0.0, 1.0))
    bar = "" if share is None else f"{'━' * full}{'─' * (BAR - full)} "
    rest = f", about {duration(left)} left" if left is not None and left > 0 else ""
    return f"{stage:<8} {bar}{text}{rest}"


def duration(seconds: float) -> str:
    """Return seconds for people.

    Example:
        >>> duration(4.2), duration(300), duration(9000)
        ('4 s', '5 min', '2.5 h')
    """
    if seconds < 120:  # noqa: PLR2004 two minutes
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004


def _validation(progress: "Progress") -> str:
    error = progress.point.validation
    return "" if isnan(error) else f", validation {error:.4f}"


def _brief(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value).replace(" ", "")
