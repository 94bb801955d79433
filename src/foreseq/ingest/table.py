"""A long table to a panel: sorted, one row per step, on a regular grid, every repair counted."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.config import CovariatesConfig, DatasetConfig
from foreseq.errors import ConfigError, DataRefused
from foreseq.ingest import covariates, events, grids, holidays
from foreseq.ingest.columns import Columns, parse
from foreseq.ingest.repairs import READING, Repairs, sentinels, similar_ids, zero_gaps
from foreseq.series import calendar
from foreseq.series.covariates import Covariates
from foreseq.series.panel import OPEN, Panel


def to_panel(
    table: pd.DataFrame, dataset: DatasetConfig, *, file: str = ""
) -> tuple[Panel, Repairs]:
    """Return the panel of a table `unique_id, ds, y`, and the repairs that were needed.

    Args:
        table: Rows in any order; messages name a row by its index.
        dataset: Frequency, season and what to do about flaws; a season of None stays open.
        file: Source of the table, for messages.

    Raises:
        ConfigError: If there is no such frequency.
        DataRefused: If a row breaks a rule, or needs a repair that the dataset forbids.

    Example:
        >>> table = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 4], "y": [1.0, 2.0, 4.0]})
        >>> dataset = DatasetConfig(horizon=1, gaps="interpolate")
        >>> panel, repairs = to_panel(table, dataset)
        >>> panel.series(0).tolist(), repairs.gaps_filled
        ([1.0, 2.0, 3.0, 4.0], 1)
    """
    columns, rounded = grids.round_jitter(grids.on_clocks(parse(table, file), dataset), dataset)
    columns = _before_as_of(columns, dataset)
    ordered, unsorted = _sort(columns)
    single = _collapse(ordered, dataset)
    collapsed = len(columns.y) - len(single.y)
    freq = grids.freq_of(single, _offsets(single), dataset)
    grids.check_times(single, freq, dataset)
    single, cutoffs = _with_cutoffs(single, freq, dataset)
    before, after = _outside(single, cutoffs, dataset)
    leading, trailing = int(before.sum()), int(after.sum())
    ahead = single if single.beside is None else _take(single, ~before)  # with what is known there
    single = _take(single, ~(before | after))
    offsets = _offsets(single)
    steps = grids.locate(single, offsets, freq, dataset)
    ends = steps[offsets[1:] - 1] + 1  # steps of each series
    if dataset.gaps == "zero":
        ends = calendar.positions(single.ds.max(), single.ds[offsets[:-1]], freq) + 1
    grid = np.concatenate([[0], np.cumsum(ends)]).astype(np.int64)
    places = steps + grid[single.codes]
    values, observed, repairs = _lay_out(single, places, grid, dataset)
    beside, notes = _beside(ahead, after[~before], np.diff(grid), freq, dataset)
    warnings = similar_ids(single.names) + sentinels(single)
    if dataset.gaps == "mark":
        warnings += zero_gaps(single, places, int(grid[-1]))
    panel = Panel(
        values=values,
        observed=observed,
        offsets=grid,
        starts=single.ds[offsets[:-1]],
        ids=single.names,
        freq=freq,
        season=dataset.season or OPEN,
        covariates=beside,
        id_type=columns.id_type,
    )
    return events.add(holidays.add(panel, dataset), dataset), replace(
        repairs,
        rows=len(columns.y),
        unsorted_series=unsorted,
        rounded=rounded,
        duplicates_collapsed=collapsed,
        leading=leading,
        trailing=trailing,
        reading=table.attrs.get(READING, ""),
        covariates=(*notes, *events.absent(dataset, panel.ids.tolist())),
        warnings=tuple(warnings),
    )


def _beside(
    ahead: Columns,
    beyond: NDArray[np.bool_],
    lengths: NDArray[np.int64],
    freq: str,
    dataset: DatasetConfig,
) -> tuple[Covariates | None, tuple[str, ...]]:
    """Return the covariates, and how each is read.

    Args:
        ahead: Rows by series and time, with those after the last y.
        beyond: Which are these.
        lengths: Steps of each series up to its last y.
        freq: Of the steps.
        dataset: Which columns are covariates.
    """
    if ahead.beside is None:
        return None, ()
    offsets = _offsets(ahead)
    steps = grids.locate(ahead, offsets, freq, dataset)
    lengths = np.maximum(lengths, steps[offsets[1:] - 1] + 1)
    return covariates.lay_out(covariates.Rows(ahead, steps, beyond, lengths), dataset)


def _before_as_of(columns: Columns, dataset: DatasetConfig) -> Columns:
    if dataset.as_of is None:
        return columns
    if columns.ds.dtype.kind != "M":
        raise ConfigError("dataset.as_of needs a time column, found integer steps; leave it out")
    counted = columns.ds < np.datetime64(dataset.as_of, "ns")
    if not counted.any():
        raise DataRefused(
            f"observations before {dataset.as_of} are needed",
            found=f"none, the first is of {columns.ds.min()}",
            file=columns.file,
            remedy="choose a later dataset.as_of",
        )
    if isinstance(dataset.covariates, CovariatesConfig):  # what was known ahead stays known
        return replace(columns, y=np.where(counted, columns.y, np.nan))
    kept = _take(columns, counted)
    present = np.unique(kept.codes)
    return replace(kept, names=columns.names[present], codes=np.searchsorted(present, kept.codes))


def _sort(columns: Columns) -> tuple[Columns, int]:
    """Return the rows by series and time, and how many series were not sorted."""
    codes = columns.codes
    if (np.diff(codes) < 0).any():
        columns = _take(columns, np.argsort(codes, kind="stable"))
        codes = columns.codes
    turns = (np.diff(codes) == 0) & (columns.ds[1:] < columns.ds[:-1])
    unsorted = len(np.unique(codes[1:][turns]))
    if unsorted:
        columns = _take(columns, np.lexsort((columns.ds, codes)))
    return columns, unsorted


def _take(columns: Columns, order: NDArray[Any]) -> Columns:
    """Return some rows, by position or by mask."""
    if order.dtype == bool and order.all():
        return columns
    return replace(
        columns,
        codes=columns.codes[order],
        ds=columns.ds[order],
        y=columns.y[order],
        rows=columns.rows[order],
        beside=None if columns.beside is None else _rows(columns.beside, order),
    )


def _rows(table: pd.DataFrame, order: NDArray[Any]) -> pd.DataFrame:
    return table.iloc[order].reset_index(drop=True)


def _collapse(columns: Columns, dataset: DatasetConfig) -> Columns:
    """Return one row for each series and time."""
    new = _is_new(columns)
    if new.all():
        return columns
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(new)) - 1
    y, policy = columns.y, dataset.duplicates
    if policy in ("equal", "refuse"):
        before = np.repeat(first, last - first + 1)
        agree = (y == y[before]) | (np.isnan(y) & np.isnan(y[before]))
        broken = ~new if policy == "refuse" else ~agree
        if broken.any():
            raise _duplicate(columns, int(broken.argmax()), int(before[broken.argmax()]))
    if policy == "last":
        return _take(columns, last)
    single = _take(columns, first)
    if policy not in ("mean", "sum"):
        return single
    count = np.add.reduceat(np.isfinite(y), first, dtype=np.int64)
    total = np.add.reduceat(np.nan_to_num(y), first)
    total[count == 0] = np.nan
    return replace(single, y=total if policy == "sum" else total / np.maximum(count, 1))


def _is_new(columns: Columns) -> NDArray[np.bool_]:
    """Return which sorted rows are the first of their series and time."""
    return np.append(True, (np.diff(columns.codes) > 0) | (columns.ds[1:] != columns.ds[:-1]))


def _with_cutoffs(
    columns: Columns, freq: str, dataset: DatasetConfig
) -> tuple[Columns, NDArray[np.bool_]]:
    """Return the rows with those at the cutoff of series without any y, and which these are.

    With covariates such a series can be forecast, after the newest y of all series; where none has
    a y, after the step before its first row.
    """
    seen = ~np.isnan(columns.y)
    without = np.setdiff1d(np.arange(len(columns.names)), columns.codes[seen])
    if columns.beside is None or dataset.missing in ("zero", "refuse") or not without.size:
        return columns, np.zeros(len(seen), bool)
    rows = _offsets(columns)[:-1][without]
    first = columns.ds[rows]
    back = calendar.positions(columns.ds[seen].max(), first, freq) if seen.any() else -1
    cutoffs = calendar.at(first, back, freq)
    more = replace(
        columns,
        codes=np.append(columns.codes, without),
        ds=np.append(columns.ds, cutoffs),
        y=np.append(columns.y, np.full(len(without), np.nan)),
        rows=np.append(columns.rows, columns.rows[rows]),
        beside=columns.beside.reindex(np.arange(len(seen) + len(without))),
    )
    more, _ = _sort(more)  # a row of the source before ours
    more = _take(more, _is_new(more))
    at = np.full(len(columns.names), columns.ds[0])
    at[without] = cutoffs
    return more, np.isin(more.codes, without) & (more.ds == at[more.codes])


def _outside(
    columns: Columns, cutoffs: NDArray[np.bool_], dataset: DatasetConfig
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows lie before the first and after the last y of their series.

    Rows after the last y are there for what is known ahead, such as prices: they are no history.
    Of a series without any y its cutoff stays, or its first row, so that it is not lost.
    """
    rows = np.arange(len(columns.y))
    if dataset.missing in ("zero", "refuse"):
        return rows < 0, rows < 0
    seen = np.flatnonzero(~np.isnan(columns.y) | cutoffs)
    first = _offsets(columns)[:-1].copy()
    last = first.copy()
    first[columns.codes[seen[::-1]]] = seen[::-1]
    last[columns.codes[seen]] = seen
    return rows < first[columns.codes], rows > last[columns.codes]


def _offsets(columns: Columns) -> NDArray[np.int64]:
    """Return where each series begins among sorted rows, shape (n_series + 1,)."""
    return np.searchsorted(columns.codes, np.arange(len(columns.names) + 1))


def _duplicate(columns: Columns, row: int, before: int) -> DataRefused:
    remedy = "drop one, or choose dataset.duplicates: first, last, mean or sum"
    if len(columns.names) == 1:
        remedy += "; if the file holds several series, name their column with "
        remedy += "dataset.columns.unique_id"
    return columns.refusal(
        row,
        "a series has one y at a time",
        found=f"y {columns.y[row]:g} and {columns.y[before]:g} in row {columns.rows[before]}"
        f" at {columns.shown(columns.ds[row])}",
        remedy=remedy,
    )


def _lay_out(
    columns: Columns, places: NDArray[np.int64], grid: NDArray[np.int64], dataset: DatasetConfig
) -> tuple[NDArray[np.float64], NDArray[np.bool_], Repairs]:
    """Return values and which are observed, shape (steps_total,) each, after the repairs."""
    empty = np.isnan(columns.y)
    _check_refused(columns, places, empty, dataset)
    values = np.zeros(grid[-1])
    values[places] = np.nan_to_num(columns.y)
    observed = np.zeros(grid[-1], dtype=bool)
    observed[places] = ~empty
    fillable = np.full(grid[-1], dataset.gaps == "interpolate")
    fillable[places] = empty & (dataset.missing == "interpolate")
    filled = _interpolate(values, observed, fillable, grid)
    if dataset.missing == "zero":
        filled[places] = empty
    if dataset.gaps == "zero":
        without_row = np.full(grid[-1], True)
        without_row[places] = False
        filled |= without_row
    missing_filled = int(filled[places].sum())
    repairs = Repairs(
        rows=len(columns.y),
        series=len(columns.names),
        steps=int(grid[-1]),
        first=columns.shown(columns.ds.min()),
        last=columns.shown(columns.ds.max()),
        blank_rows=columns.blank,
        gaps=int(grid[-1]) - len(places),
        gaps_filled=int(filled.sum()) - missing_filled,
        missing=int(empty.sum()),
        missing_filled=missing_filled,
        zone=columns.zone,
    )
    return values, observed | filled, repairs


def _check_refused(
    columns: Columns,
    places: NDArray[np.int64],
    empty: NDArray[np.bool_],
    dataset: DatasetConfig,
) -> None:
    if empty.all() and not (columns.beside is not None and dataset.freq):  # a trained one has it
        raise DataRefused(
            "y must hold numbers", found="none", file=columns.file, remedy="fill the column"
        )
    if dataset.missing == "refuse" and empty.any():
        raise columns.refusal(
            int(empty.argmax()),
            "y must be filled, as dataset.missing: refuse says",
            found="an empty cell",
            remedy="fill it, or choose dataset.missing: mark, interpolate or zero",
        )
    gaps = (np.diff(places) > 1) & (np.diff(columns.codes) == 0)
    if dataset.gaps == "refuse" and gaps.any():
        row = int(gaps.argmax()) + 1
        raise columns.refusal(
            row,
            "every step must have a row, as dataset.gaps: refuse says",
            found=f"{columns.shown(columns.ds[row])} right after "
            f"{columns.shown(columns.ds[row - 1])}",
            remedy="add the rows, or choose dataset.gaps: mark, interpolate or zero",
        )


def _interpolate(
    values: NDArray[np.float64],
    observed: NDArray[np.bool_],
    fillable: NDArray[np.bool_],
    grid: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Interpolate `values` in place between observed neighbours; return which were filled."""
    steps = np.arange(len(values))
    before = np.maximum.accumulate(np.where(observed, steps, -1))
    after = np.minimum.accumulate(np.where(observed, steps, len(values))[::-1])[::-1]
    lengths = np.diff(grid)
    filled = fillable & (before >= np.repeat(grid[:-1], lengths))
    filled &= after < np.repeat(grid[1:], lengths)
    low, high = before[filled], after[filled]
    share = (steps[filled] - low) / (high - low)
    values[filled] = values[low] + share * (values[high] - values[low])
    return filled
