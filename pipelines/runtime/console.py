"""Output for people: our few lines on the terminal, the rest in a file.

Why the file: TensorFlow, MLflow and Prefect write to standard error from C++, threads and other
processes. Redirecting the descriptor itself is the one way that catches them all.
"""

import logging
import os
import sys
import textwrap
import traceback
from contextvars import ContextVar
from pathlib import Path

from rich.console import Console
from rich.text import Text

from foreseq.errors import ForeseqError, visible
from foreseq.pipelines.runtime import failures

LOG = Path(".state") / "foreseq.log"
LONGEST_LOG = 10_000_000
"""Bytes after which the log is moved aside, to `foreseq.log.1`."""
HEAD = 9
"""Letters of a line's first word with the spaces after it; what a line goes on with is indented."""


OUTERMOST: ContextVar[str] = ContextVar("OUTERMOST", default="")
"""Id of the flow run that no other one called; empty: no flow is running."""


class _Terminal:
    """The console in use: standard error as it was at the start, or since `hush`."""

    console = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
    log: Path | None = None
    """Where standard error goes; None: to the terminal, or nowhere."""
    verbose = False
    """Whether details are for the terminal, too."""


def hush(*, verbose: bool = False) -> None:
    """Send standard error to `LOG` from now on, except what this module writes.

    With `FORESEQ_VERBOSE` set, everything stays where it is.

    Args:
        verbose: Whether `detail` writes to the terminal, not to the log.
    """
    _Terminal.verbose = verbose
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


def terminal() -> Console | None:
    """Return the console if lines can be rewritten there; None: it is a file or a pipe."""
    return _Terminal.console if _Terminal.console.is_terminal else None


def say(line: str, style: str = "") -> None:
    """Write a line for people; what an id or a cell holds cannot make it two.

    A terminal breaks it between words. `style` is rich's, and colours all but the first word.
    """
    console, text = _Terminal.console, Text(visible(line), style)
    if console.is_terminal:
        lines = textwrap.wrap(
            text.plain,
            max(console.width, 2 * HEAD),
            subsequent_indent=" " * HEAD,
            break_long_words=False,
            break_on_hyphens=False,
        )
        text = Text("\n".join(lines), style)
        text.stylize("bold not dim default", 0, HEAD - 1)
    console.print(text)
    log(line, "warning" if line.startswith("warning") else "info")


def log(line: str, level: str = "info") -> None:
    """Write a line to the logs that Prefect shows of a flow run and of the outermost one."""
    if not OUTERMOST.get():
        return  # no flow runs, and Prefect takes seconds to import
    from prefect.context import FlowRunContext, TaskRunContext  # noqa: PLC0415
    from prefect.logging.handlers import APILogHandler  # noqa: PLC0415

    logger = logging.getLogger("foreseq.lines")
    if not logger.handlers:
        logger.addHandler(APILogHandler())
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    number, inner = getattr(logging, level.upper()), FlowRunContext.get()
    if inner or TaskRunContext.get():
        logger.log(number, visible(line))
    if inner and inner.flow_run and str(inner.flow_run.id) != OUTERMOST.get():
        logger.log(number, visible(line), extra={"flow_run_id": OUTERMOST.get()})


def detail(line: str) -> None:
    """Write a line for the curious: to the terminal with `--verbose`, else to the log."""
    if _Terminal.verbose:
        say(line, "dim")
    else:
        sys.stderr.write(f"{visible(line)}\n")
        log(line, "debug")


def say_run(run_id: str, link: str) -> None:
    """Say where the details of an MLflow run are; its address is for the curious."""
    say(f"details  run {run_id} in `foreseq ui`")
    detail(f"details  {link}")


def say_error(error: ForeseqError) -> None:
    """Write the message on an expected failure."""
    for line in f"foreseq: {error}".splitlines():
        say(line, "red")


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
