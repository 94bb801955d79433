"""Windows as pairs (series, cutoff): an index, time splits, and the gather that reads them.

A cutoff is the number of steps of its series that a forecast may see. Nothing of size windows x
context ever exists: an index is two integers per window, and values are read batch by batch. One of
the longer modules: all that computes with cutoffs is here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import Covariate, SplitConfig
from foreseq.errors import SeriesTooShort
from foreseq.series import calendar, covariates
from foreseq.series.panel import Panel

MIN_PAST = 2
"""Fewest past steps of a training window: with one, there is no difference to learn from."""

ABSURD = 1e6
"""Times the median size in its window beyond which a value is no observation: a sign for a missing
one, or a broken reading, which would leave nothing of the window's scale."""
AT_ONCE = 512
"""Windows whose past is in memory at a time."""
VALIDATION_WINDOWS = 32
"""Validation windows of all series together; more make the choice hardly more stable."""
VALIDATION_CUTOFFS = 5
"""Validation cutoffs per series, even with many series: one origin shows one regime."""
VALIDATION_SHARE = 5
"""Validation spans at most 1/5 of a typical history: the newest part is the best to train on."""
LONG_SHARE, MOST_CUTOFFS = 20, 100
"""Of series so long that a twentieth holds as many windows one after the other, validation takes
that twentieth, up to so many cutoffs: a few days of prices are no sample of years (covariates.py).
"""
SHORT_SHARE = 3
"""The same, 1/3, of histories so short that a fifth does not hold two horizons."""
FEW_SERIES, TEST_CUTOFFS, TEST_CUTOFFS_OF_FEW = 20, 3, 6
"""Test cutoffs per series: the gate learns little from one, and more of many series than of few."""
TEST_WINDOWS = 20
"""Test windows of all series together, where these span no more than a fifth of a typical history;
otherwise the cutoffs above, within half of it."""


@dataclass(frozen=True, eq=False)
class Windows:
    """An index of windows: one entry per window."""

    series: NDArray[np.int64]
    """Position of the series in the panel, shape (windows,)."""
    cutoff: NDArray[np.int64]
    """Steps of that series the forecast may see, shape (windows,)."""

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(self.series)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Windows":
        """Return some of the windows."""
        return Windows(self.series[rows], self.cutoff[rows])


class Inputs(NamedTuple):
    """What the network reads for some windows."""

    past: NDArray[np.float64]
    """Shape (batch, context, channels); zero where nothing was observed."""
    observed: NDArray[np.float32]
    """Shape (batch, context, channels): one where a value was observed."""
    calendar: NDArray[np.float32]
    """Shape (batch, context + horizon, features), known ahead; no features for integer steps."""
    covariates: NDArray[np.float32]
    """Shape (batch, context + horizon, columns), see `covariates.Read`."""
    covariates_known: NDArray[np.float32]
    """The same shape: one where a value is known."""


class Span(NamedTuple):
    """The newest cutoffs of every series."""

    cutoffs: int
    """Cutoffs per series."""
    stride: int
    """Steps from one cutoff to the next."""

    def length(self, horizon: int) -> int:
        """Return the steps from the first cutoff to the end of the last future."""
        return horizon + (self.cutoffs - 1) * self.stride


class Split(NamedTuple):
    """Cutoffs by purpose; the future of each part begins after the future of the part before."""

    train_ends: NDArray[np.int64]
    """Steps of each series that training may read, shape (n_series,)."""
    validation_ends: NDArray[np.int64]
    """Steps of each series that training and validation may read, shape (n_series,)."""
    validation: Windows
    test: Windows
    validation_span: Span
    test_span: Span


def gather(  # noqa: PLR0913 - what is read, and how far
    panel: Panel,
    windows: Windows,
    context: int,
    horizon: int,
    *,
    dates: bool,
    reads: tuple[Covariate, ...] = (),
) -> Inputs:
    """Read the series of some windows; steps before the first observation count as unobserved.

    Values after a cutoff are never read.

    Args:
        panel: Source of the values.
        windows: Windows to read, shape (batch,).
        context: Past steps.
        horizon: Future steps of the calendar.
        dates: Whether to add calendar features.
        reads: Covariates to add.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0, 2.0, 3.0, 4.0]}, freq="1", season=1)
        >>> inputs = gather(panel, Windows(np.array([0]), np.array([2])), 3, 1, dates=False)
        >>> inputs.past[0, :, 0].tolist(), inputs.observed[0, :, 0].tolist()
        ([0.0, 1.0, 2.0], [0.0, 1.0, 1.0])
    """
    past = before(panel, windows, context)[..., None]  # (batch, context, 1)
    return Inputs(
        np.nan_to_num(past),
        np.isfinite(past).astype(np.float32),
        calendar_features(panel, windows, context, horizon, dates=dates),
        *covariates.read(panel.covariates, reads, windows, context, horizon),
    )


def cutoff_starts(patch: int, cutoffs: int) -> NDArray[np.int64]:
    """Return the start of each cutoff's past in a window with several, earliest first.

    The starts are a patch apart.

    Example:
        >>> cutoff_starts(12, 3).tolist()
        [0, 12, 24]
    """
    return patch * np.arange(cutoffs)


def before(panel: Panel, windows: Windows, count: int) -> NDArray[np.float64]:
    """Return the last values before each cutoff, shape (windows, count).

    NaN if not observed, or absurd beside the others.
    """
    values = _values(panel, windows, windows.cutoff[:, None] + np.arange(-count, 0))
    return np.where(absurd(values), np.nan, values)


def absurd(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which values are over a million times as large as is usual in their row.

    Example:
        >>> absurd(np.array([[1.0, np.nan, 2.0, -3.4e38], [0.0, 0.0, 9e9, 0.0]])).tolist()
        [[False, False, False, True], [False, False, False, False]]
    """
    size = np.abs(values)
    least = np.fmin.reduce(np.where(size > 0, size, np.inf), axis=-1, initial=np.inf)
    doubtful = np.fmax.reduce(size, axis=-1, initial=0.0) / ABSURD > least
    found = np.zeros(values.shape, bool)
    if doubtful.any():
        usual = np.nanmedian(size[doubtful], axis=-1, keepdims=True)
        found[doubtful] = (usual > 0) & (size[doubtful] / ABSURD > usual)
    return found


def without_absurd(panel: Panel, ends: NDArray[np.int64]) -> Panel:
    """Return the panel with absurd values among the first `ends` steps of a series unobserved."""
    observed = None
    for series, end in enumerate(ends.tolist()):
        part = slice(panel.offsets[series], panel.offsets[series] + end)
        seen = panel.observed[part]
        found = absurd(np.where(seen, panel.values[part], np.nan)[None])[0]
        if found.any():
            observed = np.array(panel.observed) if observed is None else observed
            observed[part] = seen & ~found
    return panel if observed is None else replace(panel, observed=observed)


def pasts(
    panel: Panel, windows: Windows, count: int
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield slices of the windows with the result of `before` for them, in bounded memory."""
    for first in range(0, windows.count, AT_ONCE):
        rows = slice(first, first + AT_ONCE)
        yield rows, before(panel, windows.take(rows), count)


def calendar_features(
    panel: Panel, windows: Windows, context: int, horizon: int, *, dates: bool
) -> NDArray[np.float32]:
    """Return calendar features, (windows, context + horizon, features); none without dates."""
    steps = windows.cutoff[:, None] + np.arange(-context, horizon)
    if not dates:
        return np.zeros((*steps.shape, 0), np.float32)
    times = calendar.at(panel.starts[windows.series][:, None], steps, panel.freq)
    return calendar.features(times, panel.freq)


def futures(panel: Panel, windows: Windows, horizon: int) -> NDArray[np.float64]:
    """Return the values after each cutoff, shape (windows, horizon); NaN if not observed."""
    return _values(panel, windows, windows.cutoff[:, None] + np.arange(horizon))


def split(panel: Panel, horizon: int, plan: SplitConfig) -> Split:
    """Divide the cutoffs of every series by time: the newest for test, those before for validation.

    A series too short for a test window has none, but its newest steps are not trained on either:
    they may be of the days that the other series are tested on.

    Raises:
        SeriesTooShort: If no series has a window for each purpose.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": range(20)}, freq="1", season=1)
        >>> parts = split(panel, 4, SplitConfig(test_windows=2, stride=2))  # one to validate
        >>> parts.test.cutoff.tolist(), parts.validation.cutoff.tolist(), parts.train_ends.tolist()
        ([14, 16], [10], [10])
    """
    test_span, validation_span = spans(panel, horizon, plan)
    test, validation_ends = _newest(panel.lengths, horizon, test_span)
    validation, train_ends = _newest(validation_ends, horizon, validation_span)
    if not (test.count and validation.count and (train_ends >= MIN_PAST + horizon).any()):
        held_back = test_span.length(horizon) + validation_span.length(horizon)
        raise _too_short(panel, horizon, held_back)
    return Split(train_ends, validation_ends, validation, test, validation_span, test_span)


def without_split(panel: Panel, horizon: int) -> Split:
    """Return the split of series that are forecast without having been trained or tested on."""
    none = Windows(np.empty(0, np.int64), np.empty(0, np.int64))
    span = Span(1, horizon)
    return Split(panel.lengths, panel.lengths, none, none, span, span)


def spans(panel: Panel, horizon: int, plan: SplitConfig) -> tuple[Span, Span]:
    """Return the spans of test and validation; open fields of the plan depend on the lengths.

    The test takes `TEST_CUTOFFS` cutoffs per series, or those of few series, within half of a
    typical history; and more within a fifth. Validation takes `VALIDATION_CUTOFFS` cutoffs per
    series, and more where there are too few series for `VALIDATION_WINDOWS` windows, as long as
    they span no more than a fifth of a typical history, or two horizons within a third. In long
    series they do not overlap, and take up to a twentieth.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> spans(from_series({"a": range(144)}, freq="MS", season=12), 12, SplitConfig())
        (Span(cutoffs=6, stride=12), Span(cutoffs=5, stride=3))
    """
    test = _test_span(panel.lengths, horizon, plan)
    stride = plan.validation_stride or max(1, horizon // 4)
    ends = panel.lengths - test.length(horizon)
    usable = ends[ends >= 2 * horizon + MIN_PAST]
    if plan.validation_windows or not usable.size:
        return test, Span(plan.validation_windows or 1, stride)
    wanted = max(VALIDATION_CUTOFFS, -(-VALIDATION_WINDOWS // usable.size))
    typical = int(np.median(usable))
    one_after_another = typical // (LONG_SHARE * horizon)
    if one_after_another >= wanted and not plan.validation_stride:
        return test, Span(min(one_after_another, MOST_CUTOFFS), horizon)
    widest = max(typical // VALIDATION_SHARE, min(2 * horizon, typical // SHORT_SHARE))
    room = (widest - horizon) // stride + 1
    return test, Span(max(1, min(wanted, room)), stride)


def typical_length(ends: NDArray[np.int64], horizon: int) -> int:
    """Return the median length of the series that are long enough to train on; 0 if none is.

    Args:
        ends: Steps of each series that may be read, shape (n_series,).
        horizon: Future steps of a training window.

    Example:
        >>> typical_length(np.array([5, 20, 30]), 4), typical_length(np.array([5]), 4)
        (25, 0)
    """
    long = ends[ends >= MIN_PAST + horizon]
    return int(np.median(long)) if long.size else 0


def newest(panel: Panel) -> Windows:
    """Return one window per series that sees all of it, as production forecasts do."""
    return Windows(np.arange(panel.n_series), panel.lengths.copy())


def batches(windows: Windows, size: int) -> Iterator[Windows]:
    """Yield the windows in order, `size` at a time."""
    for first in range(0, windows.count, size):
        yield windows.take(slice(first, first + size))


class WindowSampler:
    """Random training windows, a pure function of seed and step, so that a run can resume.

    A series is drawn with weight sqrt(its windows), so that long series do not crowd out short
    ones. Within a series every cutoff is equally likely, unless there is a half-life.
    """

    def __init__(
        self, ends: NDArray[np.int64], horizon: int, seed: int, half_life: int = 0
    ) -> None:
        """Compute the weight of every series.

        Args:
            ends: Steps of each series that may be read, shape (n_series,).
            horizon: Future steps of a window, which end at most there.
            seed: Seed of all steps.
            half_life: Steps back from the last cutoff after which one is half as likely; 0: none.

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
        self.seed, self.half_life = seed, half_life

    def __call__(self, step: int, size: int) -> Windows:
        """Return the `size` windows of one training step."""
        rng = np.random.default_rng([self.seed, step])
        series = np.searchsorted(self.share, rng.random(size), side="right")
        if not self.half_life:
            return Windows(series, self.first + rng.integers(0, self.counts[series]))
        count, mean_age = self.counts[series], self.half_life / np.log(2)
        within = -np.expm1(-count / mean_age)  # of an exponential distribution, cut off there
        age = (-mean_age * np.log1p(-rng.random(size) * within)).astype(np.int64)
        return Windows(series, self.first + np.maximum(count - 1 - age, 0))


def _test_span(lengths: NDArray[np.int64], horizon: int, plan: SplitConfig) -> Span:
    stride = plan.stride or horizon
    usable = lengths[lengths >= 3 * horizon + MIN_PAST]  # to train, validate and test
    if plan.test_windows or not usable.size:
        return Span(plan.test_windows or 1, stride)
    typical = int(np.median(usable))
    half = min(typical // 2, typical - 2 * horizon - MIN_PAST)
    within_half, within_fifth = (
        (widest - horizon) // stride + 1 for widest in (half, typical // VALIDATION_SHARE)
    )
    few = usable.size < FEW_SERIES
    least = min(TEST_CUTOFFS_OF_FEW if few else TEST_CUTOFFS, within_half)
    more = min(max(TEST_CUTOFFS_OF_FEW, -(-TEST_WINDOWS // usable.size)), within_fifth)
    return Span(max(1, least, more), stride)


def _values(panel: Panel, windows: Windows, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return values at steps of each window's series, NaN where there are none."""
    starts, ends = panel.offsets[windows.series], panel.offsets[windows.series + 1]
    inside = (steps >= 0) & (steps < (ends - starts)[:, None])
    rows = starts[:, None] + np.where(inside, steps, 0)
    observed = inside & panel.observed.take(rows)
    return np.where(observed, panel.values.take(rows), np.nan)


def _newest(ends: NDArray[np.int64], horizon: int, span: Span) -> tuple[Windows, NDArray[np.int64]]:
    """Return the newest windows of each series that is long enough, and the steps before them."""
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
