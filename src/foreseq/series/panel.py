"""Many series end to end in one array: a window is a slice, and a file is a memory map."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.durable import files
from foreseq.errors import DataRefused
from foreseq.series import calendar, rows
from foreseq.series.covariates import Column, Covariates

OPEN = 0
"""Season of a panel as it was read: which it has is a choice, made on the training span."""
ARRAYS = ("values", "observed", "offsets", "starts", "ids")
COVARIATES = ("values", "offsets", "static")
"""Arrays of the covariates, kept as files `covariate_values.npy` and so on."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Series on regular grids of time, all of one frequency.

    Example:
        >>> panel = from_series({"a": [1.0, 2.0, 3.0], "b": [5.0, 6.0]}, freq="1", season=1)
        >>> panel.lengths.tolist()
        [3, 2]
        >>> panel.series(1).tolist()
        [5.0, 6.0]
    """

    values: NDArray[np.float64]
    """Shape (steps_total,), series after series; zero where nothing was observed."""
    observed: NDArray[np.bool_]
    """Shape (steps_total,): false where the grid has a step but the source had no number."""
    offsets: NDArray[np.int64]
    """Shape (n_series + 1,): series i is `values[offsets[i] : offsets[i + 1]]`."""
    starts: NDArray[Any]
    """Shape (n_series,): first time of each series, datetime64[ns] (UTC with a zone) or int64."""
    ids: NDArray[np.str_]
    """Shape (n_series,): names, ascending."""
    freq: str
    """Pandas alias, sessions or the integer step as text; with `@ZONE` if times have a zone."""
    season: int
    """Steps after which the pattern repeats; 1 means none, `OPEN` that it is not known yet."""
    covariates: Covariates | None = None
    """Columns beside the values; None: there are none."""
    id_type: str = ""
    """Numpy type in which all ids came that are integers, such as `int64`; empty: they are text."""

    @property
    def n_series(self) -> int:
        """Number of series."""
        return len(self.ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each series, shape (n_series,)."""
        return np.diff(self.offsets)

    def series(self, position: int) -> NDArray[np.float64]:
        """Return one series as a view, shape (steps,)."""
        return self.values[self.offsets[position] : self.offsets[position + 1]]

    def seen(self, position: int) -> NDArray[np.bool_]:
        """Return which steps of one series are observed, as a view, shape (steps,)."""
        return self.observed[self.offsets[position] : self.offsets[position + 1]]

    def times(self, position: int, first: int, count: int) -> NDArray[Any]:
        """Return `count` times of one series from step `first` on, also past its end.

        They are on the clocks of the zone, if there is one.
        """
        times = calendar.times(self.starts[position], first, count, self.freq)
        return calendar.to_clock(times, calendar.zone(self.freq))

    def names(self, series: NDArray[np.int64]) -> NDArray[Any]:
        """Return the ids of series by position, in the type in which they came."""
        return self.ids[series].astype(self.id_type or object)

    def fingerprint(self) -> str:
        """Return the SHA-256 of all data the panel holds; the season is a choice, not data."""
        digest = hashlib.sha256(f"{self.freq}|{self.starts.dtype.kind}".encode())
        digest.update("\0".join(self.ids.tolist()).encode())
        for array in (self.offsets, self.starts.view(np.int64), self.observed, self.values):
            digest.update(np.ascontiguousarray(array).data)
        if self.covariates is not None:
            digest.update(json.dumps(self.covariates.columns).encode())
            for name in COVARIATES:
                digest.update(np.ascontiguousarray(getattr(self.covariates, name)).data)
        return digest.hexdigest()


def from_series(
    series: dict[str, Sequence[float]], *, freq: str, season: int, start: Any = 0
) -> Panel:
    """Build a panel from plain sequences that start together; NaN marks missing values.

    Args:
        series: Values by id, of shape (steps,).
        freq: Pandas alias, or the integer step as text.
        season: Steps after which the pattern repeats.
        start: First time of every series: an integer, or what `np.datetime64` takes.
    """
    ids = sorted(series)
    parts = [np.asarray(series[name], dtype=np.float64) for name in ids]
    values = np.concatenate(parts) if parts else np.empty(0)
    first = np.int64(start) if calendar.is_integer(freq) else np.datetime64(start, "ns")
    return Panel(
        values=np.where(np.isfinite(values), values, 0.0),
        observed=np.isfinite(values),
        offsets=np.cumsum([0, *map(len, parts)], dtype=np.int64),
        starts=np.repeat(first, len(ids)),
        ids=np.array(ids, dtype=np.str_),
        freq=freq,
        season=season,
    )


def select(panel: Panel, positions: Sequence[int] | NDArray[np.int64]) -> Panel:
    """Return the panel of some series only, in the order given."""
    positions = np.asarray(positions, dtype=np.int64)
    wanted, offsets = rows.select(panel.offsets, positions)
    return Panel(
        values=panel.values[wanted],
        observed=panel.observed[wanted],
        offsets=offsets,
        starts=panel.starts[positions],
        ids=panel.ids[positions],
        freq=panel.freq,
        season=panel.season,
        covariates=panel.covariates and panel.covariates.select(positions),
        id_type=panel.id_type,
    )


def to_frame(panel: Panel) -> pd.DataFrame:
    """Return the long table `unique_id, ds, y` with covariates; unobserved steps are NaN.

    It goes on beyond the last y where covariates are known ahead.
    """
    beside = panel.covariates
    offsets = panel.offsets if beside is None else beside.offsets
    lengths = np.diff(offsets)
    steps = rows.steps(offsets)
    y = np.full(offsets[-1], np.nan)
    history = steps < np.repeat(panel.lengths, lengths)
    y[history] = np.where(panel.observed, panel.values, np.nan)
    ds = calendar.at(np.repeat(panel.starts, lengths), steps, panel.freq)
    columns: dict[str, Any] = {
        "unique_id": np.repeat(panel.names(np.arange(panel.n_series)), lengths),
        "ds": calendar.stamped(ds, calendar.zone(panel.freq)),
        "y": y,
    }
    for at, column in enumerate(beside.columns if beside else ()):
        values: Any = beside.by_step(at) if beside else None
        if column.categories:
            named = np.array([*column.categories, None], dtype=object)
            values = named[np.where(np.isnan(values), -1, values).astype(int)]
        columns[column.name] = values
    return pd.DataFrame(columns)


def save(panel: Panel, folder: Path) -> Path:
    """Write all but the season as a folder of arrays, whole or not at all; return `folder`."""
    with files.new_folder(folder) as temporary:
        for name in ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(panel, name), allow_pickle=False)
        facts: dict[str, Any] = {"freq": panel.freq, "fingerprint": panel.fingerprint()}
        facts["id_type"] = panel.id_type
        if panel.covariates is not None:
            facts["covariates"] = panel.covariates.columns
            for name in COVARIATES:
                array = getattr(panel.covariates, name)
                np.save(temporary / f"covariate_{name}.npy", array, allow_pickle=False)
        (temporary / "panel.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return folder


def load(folder: Path, season: int | None = None) -> Panel:
    """Open a saved panel; values stay on disk until they are read.

    Args:
        folder: Written by `save`.
        season: Steps after which the pattern repeats; None: still open.

    Raises:
        DataRefused: If the folder does not hold a whole panel.
    """
    try:
        facts = json.loads((folder / "panel.json").read_text(encoding="utf-8"))
        arrays = {
            name: np.load(
                folder / f"{name}.npy",
                allow_pickle=False,
                mmap_mode="r" if name in ("values", "observed") else None,
            )
            for name in ARRAYS
        }
        panel = Panel(
            **arrays,
            freq=facts["freq"],
            season=season or OPEN,
            covariates=_load_covariates(folder, facts.get("covariates", [])),
            id_type=facts.get("id_type", ""),
        )
        _check_whole(panel)
    except (OSError, ValueError, KeyError) as error:
        raise DataRefused(
            "must be a folder written by `foreseq ingest`",
            found=str(error),
            file=str(folder),
            remedy="delete it and ingest again",
        ) from None
    return panel


def _load_covariates(folder: Path, columns: list[list[Any]]) -> Covariates | None:
    if not columns:
        return None
    arrays = {
        name: np.load(folder / f"covariate_{name}.npy", allow_pickle=False) for name in COVARIATES
    }
    named = tuple(Column(name, role, tuple(categories)) for name, role, categories in columns)
    return Covariates(named, **arrays)


def _check_whole(panel: Panel) -> None:
    covariates = panel.covariates
    if covariates and not covariates.offsets[-1] == len(covariates.values):
        raise ValueError(f"{len(covariates.values)} of {covariates.offsets[-1]} covariate rows")
    if not panel.offsets[-1] == len(panel.values) == len(panel.observed):
        raise ValueError(f"{len(panel.values)} of {panel.offsets[-1]} steps")


def items(panel: Panel) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield id, values (steps,) and observed (steps,) of every series, in order."""
    for position, name in enumerate(panel.ids.tolist()):
        yield name, panel.series(position), panel.seen(position)
