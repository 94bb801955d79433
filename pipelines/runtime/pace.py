"""Progress of a long job: series done, series per second, time left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from foreseq.pipelines.runtime import console

EVERY = 10.0
"""Seconds between two lines, at least."""


class Show(Protocol):
    """Takes progress."""

    def __call__(self, series: int, *, fresh: bool) -> None:
        """Take a number of series, and whether they were forecast now or by an earlier process."""


@contextmanager
def series_progress(total: int) -> Iterator[Show]:
    """Yield a function that reports progress every few seconds and at the end."""
    done, reported, first = 0, time.monotonic(), (0, 0.0)

    def show(series: int, *, fresh: bool) -> None:
        nonlocal done, reported, first
        done += series
        now = time.monotonic()
        if fresh and not first[0]:  # its time was spent on starting processes
            first = (done, now)
        if fresh and (now - reported >= EVERY or done == total):
            reported = now
            console.say(line(done, total, (done - first[0]) / max(now - first[1], 1e-9)))

    yield show


def line(done: int, total: int, rate: float) -> str:
    """Return a line of progress.

    Example:
        >>> line(250_000, 1_000_000, 2500.0)
        'parts    250,000 of 1,000,000 series, 2,500 per second, about 5 min left'
    """
    pace = f", {rate:,.0f} per second" if rate else ""
    left = f", about {_duration((total - done) / rate)} left" if rate and done < total else ""
    return f"parts    {done:,} of {total:,} series{pace}{left}"


def _duration(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004 two minutes
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004
