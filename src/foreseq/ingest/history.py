"""The versions of a dataset, one JSON line each in `history.jsonl`, and what changed in each.

No line holds the time of day, so that the same data leave the same history on every machine.
"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import Config, DatasetConfig
from foreseq.durable import files
from foreseq.series import calendar
from foreseq.series.panel import Panel

HISTORY = "history.jsonl"
NOT_COMPARED = {"source", "query", "csv", "events", "horizon", "update", "as_of", "freq", "season"}
"""Fields of a dataset that say how one file is written, that do not decide how a row is read, and
one that may be inferred."""
STEPS = 4_000_000
"""Steps compared at a time, which bounds the memory."""


class DatasetVersion(Config):
    """One version of a dataset."""

    changes: str
    """Against the version before, in words."""
    last: str
    """Newest time of any series."""
    series: int
    steps: int
    fingerprint: str
    """Of the panel; a model keeps the fingerprint of the version it was trained on."""
    panel: str
    """Folder of the panel, next to the history."""
    source: str
    """File, folder or URL it was read from."""
    content: str
    """Digest of what was read."""
    settings: str
    """Digest of how it was read, frequency excepted."""
    freq: str
    season: int | None = None
    """Written by earlier releases only: which season the data have is chosen in training."""


def read(folder: Path) -> list[DatasetVersion]:
    """Return the versions of the dataset whose panels are in `folder`, oldest first.

    Raises:
        DataRefused: If the history was damaged or edited by hand.
    """
    return files.read_lines(folder / HISTORY, DatasetVersion)


def add(folder: Path, version: DatasetVersion) -> None:
    """Append a version to the history, whole or not at all."""
    files.write_lines(folder / HISTORY, [*read(folder), version])


def comparable(versions: list[DatasetVersion], dataset: DatasetConfig) -> list[DatasetVersion]:
    """Return the versions that were read with the settings of `dataset`.

    A frequency that was inferred then may be written in the config now.
    """
    freq = None if dataset.freq is None else calendar.canonical(dataset.freq)
    return [
        version
        for version in versions
        if version.settings == settings(dataset) and freq in {None, version.freq}
    ]


def settings(dataset: DatasetConfig) -> str:
    """Return 16 digits that change with how a dataset is read, frequency excepted."""
    fields = dataset.model_dump_json(exclude=NOT_COMPARED)
    return hashlib.sha256(fields.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Changes:
    """Counts of observed steps in which a newer version differs from an older one."""

    appended: int = 0
    """Later than the last step of their series."""
    late: int = 0
    """New, but at or before the last step of their series."""
    corrected: int = 0
    """Observed before with another value."""
    removed: int = 0
    """Observed before, missing now."""
    series_added: int = 0
    series_removed: int = 0
    first: str = ""
    """The earliest correction: series, time, old and new value."""
    incomparable: bool = False
    """The frequency differs, or times became integers or the reverse."""

    def __str__(self) -> str:
        """Return one line for people.

        Example:
            >>> print(Changes(appended=12, corrected=1, first="a at 2024-01-01: 3 is now 5"))
            12 steps appended; 1 corrected (a at 2024-01-01: 3 is now 5)
            >>> print(Changes())
            nothing changed
        """
        if self.incomparable:
            return "another frequency: cannot be compared with the version before"
        first = f" ({self.first})" if self.first else ""
        counts = [
            (self.appended, "steps appended"),
            (self.late, "added in the past"),
            (self.corrected, f"corrected{first}"),
            (self.removed, "removed"),
            (self.series_added, "series added"),
            (self.series_removed, "series removed"),
        ]
        return "; ".join(f"{count:,} {what}" for count, what in counts if count) or (
            "nothing changed"
        )


class _Pair(NamedTuple):
    """Series that both versions have; every array has shape (series,)."""

    old: NDArray[np.int64]
    """Positions in the old panel."""
    new: NDArray[np.int64]
    """Positions in the new panel."""
    shift: NDArray[np.int64]
    """Step of the new series at which the old one begins."""

    def take(self, rows: slice) -> "_Pair":
        return _Pair(*(part[rows] for part in self))


def compare(old: Panel, new: Panel) -> Changes:
    """Count what changed from one version to the next; series are matched by id.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> old = from_series({"a": [1.0, 2.0, np.nan], "b": [1.0, 2.0]}, freq="1", season=1)
        >>> new = from_series({"a": [1.0, 5.0, 3.0, 4.0]}, freq="1", season=1)
        >>> print(compare(old, new))
        1 steps appended; 1 added in the past; 1 corrected (a at 1: 2 is now 5); 2 removed;
        1 series removed
    """
    if (old.freq, old.starts.dtype.kind) != (new.freq, new.starts.dtype.kind):
        return Changes(incomparable=True)
    _, both_old, both_new = np.intersect1d(old.ids, new.ids, return_indices=True)
    shift = calendar.positions(old.starts[both_old], new.starts[both_new], new.freq)
    same_grid = calendar.at(new.starts[both_new], shift, new.freq) == old.starts[both_old]
    pair = _Pair(both_old[same_grid], both_new[same_grid], shift[same_grid])
    parts = [_compare(old, new, part) for part in _parts(pair, old, new)]
    added = np.setdiff1d(np.arange(new.n_series), pair.new)
    gone = np.setdiff1d(np.arange(old.n_series), pair.old)
    return Changes(
        appended=sum(part.appended for part in parts) + _count_observed(new, added),
        late=sum(part.late for part in parts),
        corrected=sum(part.corrected for part in parts),
        removed=sum(part.removed for part in parts) + _count_observed(old, gone),
        series_added=new.n_series - len(both_new),
        series_removed=old.n_series - len(both_old),
        first=next((part.first for part in parts if part.first), ""),
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
    differs = was & now & (old.values[before] != new.values[after])
    new_series, at = _steps(new.lengths[pair.new])
    seen = np.asarray(new.observed[new.offsets[pair.new][new_series] + at])
    ends = pair.shift + old.lengths[pair.old]
    return Changes(
        appended=int((seen & (at >= ends[new_series])).sum()),
        late=int((~was & now).sum() + (seen & (at < pair.shift[new_series])).sum()),
        corrected=int(differs.sum()),
        removed=int((was & ~now).sum()),
        first=_first(old, new, pair, [rows[differs] for rows in (series, step, before, after)]),
    )


def _first(old: Panel, new: Panel, pair: _Pair, corrected: list[NDArray[np.int64]]) -> str:
    """Return the earliest correction in words."""
    series, step, before, after = corrected
    if not len(series):
        return ""
    times = calendar.at(old.starts[pair.old][series], step, old.freq)
    row = int(np.argmin(times))
    name = old.ids[pair.old[series[row]]]
    was, now = float(old.values[before[row]]), float(new.values[after[row]])
    time = calendar.shown(times[row], calendar.zone(old.freq))
    return f"{name} at {time}: {was:g} is now {now:g}"


def _steps(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the series of every step, and its place within."""
    series = np.repeat(np.arange(len(lengths)), lengths)
    first = np.cumsum(lengths) - lengths
    return series, np.arange(len(series)) - first[series]


def _count_observed(panel: Panel, positions: NDArray[Any]) -> int:
    return sum(int(panel.seen(int(position)).sum()) for position in positions)
