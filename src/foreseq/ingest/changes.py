"""What a newer version of a dataset has that the one before had not, step by step of time."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.series import calendar
from foreseq.series.panel import Panel

STEPS = 4_000_000
"""Steps compared at a time: what bounds the memory."""


@dataclass(frozen=True)
class Changes:
    """Observed steps of the newer version against the older one, counted."""

    appended: int = 0
    """Later than anything that was known of their series."""
    late: int = 0
    """New, but not later: what arrived after its successors."""
    corrected: int = 0
    """Known before with another value."""
    removed: int = 0
    """Known before, gone now."""
    series_added: int = 0
    series_removed: int = 0
    first: str = ""
    """One of the corrections: series, time, old and new value."""
    anew: bool = False
    """The frequency or the kind of time is another: nothing can be compared."""

    def __str__(self) -> str:
        """Return one line for people.

        Example:
            >>> print(Changes(appended=12, corrected=1, first="a at 2024-01-01: 3 is now 5"))
            12 steps appended; 1 corrected (a at 2024-01-01: 3 is now 5)
            >>> print(Changes())
            nothing changed
        """
        if self.anew:
            return "made anew: the steps of time are others"
        first = f" ({self.first})" if self.first else ""
        told = [
            (self.appended, "steps appended"),
            (self.late, "added in the past"),
            (self.corrected, f"corrected{first}"),
            (self.removed, "removed"),
            (self.series_added, "series added"),
            (self.series_removed, "series removed"),
        ]
        return "; ".join(f"{count:,} {what}" for count, what in told if count) or "nothing changed"


class _Pair(NamedTuple):
    """Series that both versions have."""

    old: NDArray[np.int64]
    new: NDArray[np.int64]
    """Position of each in its panel, shape (series,)."""
    shift: NDArray[np.int64]
    """Step of the newer series at which the older one begins, shape (series,)."""

    def take(self, rows: slice) -> "_Pair":
        return _Pair(*(part[rows] for part in self))


def compare(old: Panel, new: Panel) -> Changes:
    """Count what changed from one version to the next; series are known by their id.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> old = from_series({"a": [1.0, 2.0, np.nan], "b": [1.0, 2.0]}, freq="1", season=1)
        >>> new = from_series({"a": [1.0, 5.0, 3.0, 4.0]}, freq="1", season=1)
        >>> print(compare(old, new))
        1 steps appended; 1 added in the past; 1 corrected (a at 1: 2 is now 5); 2 removed;
        1 series removed
    """
    if (old.freq, old.starts.dtype.kind) != (new.freq, new.starts.dtype.kind):
        return Changes(anew=True)
    _, both_old, both_new = np.intersect1d(old.ids, new.ids, return_indices=True)
    shift = calendar.positions(old.starts[both_old], new.starts[both_new], new.freq)
    alike = calendar.at(new.starts[both_new], shift, new.freq) == old.starts[both_old]
    pair = _Pair(both_old[alike], both_new[alike], shift[alike])
    counts = [_compare(old, new, part) for part in _parts(pair, old, new)]
    added = np.setdiff1d(np.arange(new.n_series), pair.new)
    gone = np.setdiff1d(np.arange(old.n_series), pair.old)
    return Changes(
        appended=sum(each.appended for each in counts) + _observed(new, added),
        late=sum(each.late for each in counts),
        corrected=sum(each.corrected for each in counts),
        removed=sum(each.removed for each in counts) + _observed(old, gone),
        series_added=new.n_series - len(both_new),
        series_removed=old.n_series - len(both_old),
        first=next((each.first for each in counts if each.first), ""),
    )


def _parts(pair: _Pair, old: Panel, new: Panel) -> list[_Pair]:
    """Return the series in pieces of about `STEPS` steps."""
    steps = np.cumsum(old.lengths[pair.old] + new.lengths[pair.new])
    cuts = np.flatnonzero(np.diff(steps // STEPS)) + 1
    edges = [0, *cuts.tolist(), len(steps)]
    return [pair.take(slice(*edge)) for edge in pairwise(edges)]


def _compare(old: Panel, new: Panel, pair: _Pair) -> Changes:
    series, step = _steps(old.lengths[pair.old])
    place = step + pair.shift[series]
    inside = (place >= 0) & (place < new.lengths[pair.new][series])
    before = old.offsets[pair.old][series] + step
    after = new.offsets[pair.new][series] + np.where(inside, place, 0)
    was = np.asarray(old.observed[before])
    now = inside & new.observed[after]
    other = was & now & (old.values[before] != new.values[after])
    fresh, at = _steps(new.lengths[pair.new])
    seen = np.asarray(new.observed[new.offsets[pair.new][fresh] + at])
    ends = pair.shift + old.lengths[pair.old]
    return Changes(
        appended=int((seen & (at >= ends[fresh])).sum()),
        late=int((~was & now).sum() + (seen & (at < pair.shift[fresh])).sum()),
        corrected=int(other.sum()),
        removed=int((was & ~now).sum()),
        first=_first(old, new, pair, (series[other], step[other], before[other], after[other])),
    )


def _first(old: Panel, new: Panel, pair: _Pair, rows: tuple[NDArray[np.int64], ...]) -> str:
    """Return the earliest correction in words."""
    series, step, before, after = rows
    if not len(series):
        return ""
    times = calendar.at(old.starts[pair.old][series], step, old.freq)
    row = int(np.argmin(times))
    name = old.ids[pair.old[series[row]]]
    was, now = (float(panel.values[at[row]]) for panel, at in ((old, before), (new, after)))
    return f"{name} at {calendar.shown(times[row])}: {was:g} is now {now:g}"


def _steps(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which series each step belongs to, and its place within."""
    series = np.repeat(np.arange(len(lengths)), lengths)
    first = np.cumsum(lengths) - lengths
    return series, np.arange(len(series)) - first[series]


def _observed(panel: Panel, positions: NDArray[Any]) -> int:
    return sum(int(panel.seen(int(position)).sum()) for position in positions)
