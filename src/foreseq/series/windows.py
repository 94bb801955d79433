"""Windows as pairs (series, cutoff): an index, time splits, and the gather that reads them.

A cutoff is how many steps of its series a forecast may see. Nothing of size windows x context
ever exists: an index is two integers a window, and values are read for one batch at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import SplitConfig
from foreseq.errors import SeriesTooShort
from foreseq.series import calendar
from foreseq.series.panel import Panel

MIN_PAST = 2
"""Fewest steps a training window must see: with one, there is no difference to learn from."""

AT_ONCE = 512
"""Windows whose pasts are held at a time."""
VALIDATION_WINDOWS = 32
"""Validation windows, of all series together, after which more hardly steady the choice."""
VALIDATION_CUTOFFS = 5
"""Validation cutoffs of each series that many series need as well: one moment is one regime."""
VALIDATION_SHARE = 5
"""Validation may span one part in so many of a typical history: the newest part teaches most."""
SHORT_SHARE = 3
"""The same of histories so short that a fifth does not hold two horizons."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Which windows: one entry each."""

    series: NDArray[np.int64]
    """Position of the series in the panel, shape (windows,)."""
    cutoff: NDArray[np.int64]
    """Steps of that series the forecast may see, shape (windows,)."""

    @property
    def count(self) -> int:
        """How many windows there are."""
        return len(self.series)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Windows":
        """Return some of the windows."""
        return Windows(self.series[chosen], self.cutoff[chosen])


class Inputs(NamedTuple):
    """What the network reads and what it must answer, for some windows."""

    past: NDArray[np.float32]
    """Shape (batch, context, channels); zero where nothing was observed."""
    observed: NDArray[np.float32]
    """Shape (batch, context, channels): one where a value was observed."""
    calendar: NDArray[np.float32]
    """Shape (batch, context + horizon, features), known ahead; no features for integer steps."""


class Span(NamedTuple):
    """The newest cutoffs of every series."""

    cutoffs: int
    """How many in each series."""
    stride: int
    """Steps from one cutoff to the next."""

    def length(self, horizon: int) -> int:
        """Return the steps from the first cutoff to the end of the last future."""
        return horizon + (self.cutoffs - 1) * self.stride


class Split(NamedTuple):
    """Cutoffs by purpose; the future of each part begins after the future of the part before."""

    train_ends: NDArray[np.int64]
    """Steps of each series that training may touch, shape (n_series,)."""
    validation_ends: NDArray[np.int64]
    """Steps of each series that training and validation may touch, shape (n_series,)."""
    validation: Windows
    test: Windows
    validation_span: Span
    test_span: Span


def gather(panel: Panel, windows: Windows, context: int, horizon: int, *, dates: bool) -> Inputs:
    """Read the series of some windows; steps before the first observation count as unobserved.

    Values after a cutoff are not read: not even to be thrown away.

    Args:
        panel: Where the values are.
        windows: Which to read.
        context: Past steps.
        horizon: Future steps the calendar must cover.
        dates: Whether to add calendar features.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0, 2.0, 3.0, 4.0]}, freq="1", season=1)
        >>> batch = gather(panel, Windows(np.array([0]), np.array([2])), 3, 1, dates=False)
        >>> batch.past[0, :, 0].tolist(), batch.observed[0, :, 0].tolist()
        ([0.0, 1.0, 2.0], [0.0, 1.0, 1.0])
    """
    past = before(panel, windows, context)[..., None]  # (batch, context, 1)
    return Inputs(
        past=np.nan_to_num(past).astype(np.float32),
        observed=np.isfinite(past).astype(np.float32),
        calendar=known_ahead(panel, windows, context, horizon, dates=dates),
    )


def cutoff_starts(patch: int, cutoffs: int) -> NDArray[np.int64]:
    """Return where the past of each cutoff begins in a window that serves several.

    The pasts begin a patch apart, the earliest first.

    Example:
        >>> cutoff_starts(12, 3).tolist()
        [0, 12, 24]
    """
    return patch * np.arange(cutoffs)


def before(panel: Panel, windows: Windows, count: int) -> NDArray[np.float64]:
    """Return the last values before each cutoff, shape (windows, count); NaN where not observed."""
    return _values(panel, windows, windows.cutoff[:, None] + np.arange(-count, 0))


def pasts(panel: Panel, chosen: Windows, count: int) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield some windows after the other and what `before` returns of them, in bounded memory."""
    for first in range(0, chosen.count, AT_ONCE):
        rows = slice(first, first + AT_ONCE)
        yield rows, before(panel, chosen.take(rows), count)


def known_ahead(
    panel: Panel, windows: Windows, context: int, horizon: int, *, dates: bool
) -> NDArray[np.float32]:
    """Return calendar features, (windows, context + horizon, features); none without dates."""
    steps = windows.cutoff[:, None] + np.arange(-context, horizon)
    if not dates:
        return np.zeros((*steps.shape, 0), np.float32)
    times = calendar.at(panel.starts[windows.series][:, None], steps, panel.freq)
    return calendar.features(times, panel.freq)


def futures(panel: Panel, windows: Windows, horizon: int) -> NDArray[np.float64]:
    """Return what came after each cutoff, shape (windows, horizon); NaN where not observed."""
    return _values(panel, windows, windows.cutoff[:, None] + np.arange(horizon))


def split(panel: Panel, horizon: int, plan: SplitConfig) -> Split:
    """Divide the cutoffs of every series by time: the newest for the test, then the validation.

    A series too short for a test window gives none, yet its newest steps are not trained on either:
    they may be of the very days the other series are tested on.

    Raises:
        SeriesTooShort: If no series has a window for each purpose.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": range(20)}, freq="1", season=1)
        >>> parts = split(panel, 4, SplitConfig(test_windows=2, stride=2))  # one to validate
        >>> parts.test.cutoff.tolist(), parts.validation.cutoff.tolist(), parts.train_ends.tolist()
        ([14, 16], [10], [10])
    """
    tested, validated = spans(panel, horizon, plan)
    test, validation_ends = _newest(panel.lengths, horizon, tested)
    validation, train_ends = _newest(validation_ends, horizon, validated)
    if not (test.count and validation.count and (train_ends >= MIN_PAST + horizon).any()):
        raise _too_short(panel, horizon, tested.length(horizon) + validated.length(horizon))
    return Split(train_ends, validation_ends, validation, test, validated, tested)


def spans(panel: Panel, horizon: int, plan: SplitConfig) -> tuple[Span, Span]:
    """Return the spans of test and validation; open fields of the plan depend on the lengths.

    Validation takes `VALIDATION_CUTOFFS` cutoffs per series, and more where there are too few
    series for `VALIDATION_WINDOWS` windows, as long as they span no more than a fifth of a typical
    history, or two horizons within a third.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> spans(from_series({"a": range(144)}, freq="MS", season=12), 12, SplitConfig())
        (Span(cutoffs=1, stride=12), Span(cutoffs=5, stride=3))
    """
    test = Span(plan.test_windows, plan.stride or horizon)
    stride = plan.validation_stride or max(1, horizon // 4)
    ends = panel.lengths - test.length(horizon)
    usable = ends[ends >= 2 * horizon + MIN_PAST]
    if plan.validation_windows or not usable.size:
        return test, Span(plan.validation_windows or 1, stride)
    wanted = max(VALIDATION_CUTOFFS, -(-VALIDATION_WINDOWS // usable.size))
    typical = int(np.median(usable))
    widest = max(typical // VALIDATION_SHARE, min(2 * horizon, typical // SHORT_SHARE))
    room = (widest - horizon) // stride + 1
    return test, Span(max(1, min(wanted, room)), stride)


def typical_length(ends: NDArray[np.int64], horizon: int) -> int:
    """Return the steps in the median series that is long enough to train on; 0 if none is.

    Args:
        ends: Steps of each series that may be touched, shape (n_series,).
        horizon: Future steps of a training window.

    Example:
        >>> typical_length(np.array([5, 20, 30]), 4), typical_length(np.array([5]), 4)
        (25, 0)
    """
    taught = ends[ends >= MIN_PAST + horizon]
    return int(np.median(taught)) if taught.size else 0


def newest(panel: Panel) -> Windows:
    """Return the window of each series that sees all of it: what production forecasts from."""
    return Windows(np.arange(panel.n_series), panel.lengths.copy())


def batches(windows: Windows, size: int) -> Iterator[Windows]:
    """Yield the windows in order, `size` at a time."""
    for first in range(0, windows.count, size):
        yield windows.take(slice(first, first + size))


class WindowSampler:
    """Training windows at random, a pure function of seed and step, so that a run can resume.

    A series is drawn with weight sqrt(its windows): long series teach more than short ones without
    drowning them. Within the series every cutoff is equally likely.
    """

    def __init__(self, ends: NDArray[np.int64], horizon: int, seed: int) -> None:
        """Prepare to draw.

        Args:
            ends: Steps of each series that may be touched, shape (n_series,).
            horizon: Future steps that must lie before the end.
            seed: Of all that is drawn.

        Raises:
            SeriesTooShort: If no series holds a window.
        """
        self.first = MIN_PAST
        self.counts = np.maximum(ends - horizon - self.first + 1, 0)
        if not self.counts.any():
            raise SeriesTooShort(
                f"a training window needs {horizon + self.first} steps",
                found=f"{int(ends.max(initial=0))} in the longest series",
                remedy="bring a longer history or ask for a shorter horizon",
            )
        share = np.cumsum(np.sqrt(self.counts))
        self.share = share / share[-1]
        self.seed = seed

    def __call__(self, step: int, size: int) -> Windows:
        """Return the `size` windows of one training step."""
        rng = np.random.default_rng([self.seed, step])
        series = np.searchsorted(self.share, rng.random(size), side="right")
        cutoff = self.first + rng.integers(0, self.counts[series])
        return Windows(series, cutoff)


def _values(panel: Panel, windows: Windows, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return values at steps of each window's series, NaN where there are none."""
    begins, ends = panel.offsets[windows.series], panel.offsets[windows.series + 1]
    inside = (steps >= 0) & (steps < (ends - begins)[:, None])
    rows = begins[:, None] + np.where(inside, steps, 0)
    known = inside & panel.observed.take(rows)
    return np.where(known, panel.values.take(rows), np.nan)


def _newest(ends: NDArray[np.int64], horizon: int, span: Span) -> tuple[Windows, NDArray[np.int64]]:
    """Return the newest windows of each series with room, and where the steps before them end."""
    first = ends - span.length(horizon)
    series = np.flatnonzero(first >= MIN_PAST)
    cutoff = first[series, None] + span.stride * np.arange(span.cutoffs)  # (series, windows)
    windows = Windows(np.repeat(series, span.cutoffs), cutoff.ravel())
    return windows, np.maximum(first, 0)


def _too_short(panel: Panel, horizon: int, held_back: int) -> SeriesTooShort:
    longest = int(np.argmax(panel.lengths)) if panel.n_series else None
    return SeriesTooShort(
        f"a series needs {held_back + horizon + MIN_PAST} steps"
        f" to train, validate and test {horizon} steps ahead",
        found="no series"
        if longest is None
        else f"{panel.lengths[longest]} steps in the longest series",
        series="" if longest is None else str(panel.ids[longest]),
        remedy="bring a longer history or ask for a shorter horizon",
    )
