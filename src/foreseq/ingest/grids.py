"""The steps of times: which frequency a table has, and where on its grid each row lies."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.config import DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest.columns import Columns
from foreseq.ingest.frequency import infer_freq, other_frequencies
from foreseq.series import calendar
from foreseq.series.frequency import MINUTE

MOST_STEPS_PER_ROW, SPARE_STEPS = 100, 10_000
"""A series with n rows may have 100 n + 10,000 steps: beyond, a panel would not fit in memory."""
LONG_GAPS, SHORT_GAPS = (5, 1_000), (100, 10_000)
"""Steps that may lie between two times, as a multiple of all others and at least: with steps of a
day or longer, and with shorter or integer ones."""


def on_clocks(columns: Columns, dataset: DatasetConfig) -> Columns:
    """Return the rows in the zone that is meant: their own one, or else that of the frequency.

    Raises:
        ConfigError: If there is no such frequency or zone.
    """
    wanted = "" if dataset.freq is None else calendar.zone(str(dataset.freq))
    if not wanted or columns.ds.dtype.kind != "M":
        return columns
    if not columns.zone:
        again = pd.DataFrame({"series": columns.codes, "ds": columns.ds}).duplicated().to_numpy()
        return replace(columns, zone=wanted, ds=calendar.from_clock(columns.ds, wanted, again))
    return replace(columns, zone=wanted) if columns.zone.startswith("UTC") else columns


def round_jitter(columns: Columns, dataset: DatasetConfig) -> tuple[Columns, int]:
    """Return the rows with times rounded to the minute, and how many were not on it.

    That is done only if all times are within `dataset.jitter` of full minutes, at various seconds,
    and none would be repeated.
    """
    if columns.ds.dtype.kind != "M" or not dataset.jitter:
        return columns, 0
    numbers = columns.ds.astype(np.int64)
    after = (numbers + MINUTE // 2) % MINUTE - MINUTE // 2
    if (after == after[0]).all() or np.abs(after).max() > dataset.jitter * 10**9:
        return columns, 0
    rounded = pd.DataFrame({"series": columns.codes, "ds": numbers - after})
    if len(rounded.drop_duplicates()) < len(rounded.assign(ds=numbers).drop_duplicates()):
        return columns, 0
    ds = (numbers - after).astype("datetime64[ns]")
    return replace(columns, ds=ds), int((after != 0).sum())


def freq_of(columns: Columns, offsets: NDArray[Any], dataset: DatasetConfig) -> str:
    """Return the frequency of a table, as its dataset says or else inferred.

    Args:
        columns: Rows by series and time, each time once.
        offsets: Shape (n_series + 1,): where each series begins.
        dataset: Its `freq`.

    Raises:
        ConfigError: If there is no such frequency.
        DataRefused: If none can be inferred, series differ in it, or times are of another kind.
    """
    if dataset.freq is None:
        freq = infer_freq(calendar.to_clock(columns.ds, columns.zone), offsets)
    else:
        freq = str(dataset.freq)
    if freq is None:
        raise DataRefused(
            "a series with two times is needed to infer the frequency",
            found="one time per series",
            file=columns.file,
            remedy="set dataset.freq",
        )
    freq = calendar.with_zone(freq, columns.zone if columns.ds.dtype.kind == "M" else "")
    if dataset.freq is None and (others := other_frequencies(columns.ds, offsets, freq)):
        raise _mixed(columns, freq, others)
    if calendar.is_integer(freq) != (columns.ds.dtype.kind == "i"):
        raise columns.refusal(
            0,
            f"ds must hold {'integer steps' if calendar.is_integer(freq) else 'timestamps'}, "
            f"as dataset.freq {freq} says",
            found=columns.shown(columns.ds[0]),
            remedy="correct dataset.freq or leave it out",
        )
    return freq


def _mixed(columns: Columns, freq: str, others: dict[str, list[int]]) -> DataRefused:
    strange = [series for group in others.values() for series in group]
    rest = np.setdiff1d(np.arange(len(columns.names)), strange).tolist()
    groups = [
        f"{name} in {len(group):,}, such as {columns.names[group[0]]}"
        for name, group in [(freq, rest), *others.items()]
        if group
    ]
    return DataRefused(
        "all series must have one frequency",
        found="; ".join(groups),
        file=columns.file,
        remedy="ingest each frequency as a dataset of its own, or set dataset.freq"
        " if rows are missing",
    )


def check_times(columns: Columns, freq: str, dataset: DatasetConfig) -> None:
    """Check that no time is so far from all others that it must be mistyped.

    Raises:
        DataRefused: If one is.
    """
    ds = np.unique(columns.ds)
    steps = calendar.positions(ds, ds[0], freq)
    if len(ds) < 2:  # noqa: PLR2004
        return
    place = int(np.diff(steps).argmax())
    gap = int(steps[place + 1] - steps[place])
    share, least = LONG_GAPS if calendar.steps_per_year(freq) in range(1, 367) else SHORT_GAPS
    limit = dataset.max_gap or max(least, share * int(steps[-1] - gap))
    if gap <= limit:
        return
    late = place + 1 > len(ds) // 2
    row = int((columns.ds == ds[place + late]).argmax())
    raise columns.refusal(
        row,
        f"times may be {limit:,} steps of {freq} apart",
        found=f"{columns.shown(columns.ds[row])}, {gap:,} steps {'after' if late else 'before'}"
        f" {columns.shown(ds[place + (not late)])}, with none between in any series",
        remedy=f"correct the time, or set dataset.max_gap={gap} if nothing was recorded",
    )


def locate(
    columns: Columns, offsets: NDArray[Any], freq: str, dataset: DatasetConfig
) -> NDArray[np.int64]:
    """Return the step of each row from the start of its series, shape (rows,).

    Raises:
        DataRefused: If a time is off the grid, or a series would have too many steps.
    """
    starts = columns.ds[offsets[:-1]][columns.codes]
    steps = calendar.positions(columns.ds, starts, freq)
    off_grid = calendar.at(starts, steps, freq) != columns.ds
    if off_grid.any():
        row = int(off_grid.argmax())
        remedy = "correct the time, set dataset.freq, or number irregular periods with integers"
        if columns.zone.startswith("UTC"):
            local = calendar.with_zone(freq, "Europe/Berlin")
            remedy += f"; for days of a zone whose clocks change name it: dataset.freq={local}"
        raise columns.refusal(
            row,
            f"times must follow each other by {freq} from {columns.shown(starts[row])} on",
            found=columns.shown(columns.ds[row]),
            remedy=remedy,
        )
    counts = np.diff(offsets)
    bound = MOST_STEPS_PER_ROW * counts + max(SPARE_STEPS, dataset.max_gap or 0)
    too_long = steps[offsets[1:] - 1] >= bound
    if too_long.any():
        series = int(too_long.argmax())
        inside = slice(offsets[series], offsets[series + 1])
        row = int(offsets[series] + np.diff(steps[inside]).argmax() + 1)
        raise columns.refusal(
            row,
            f"a series of {counts[series]:,} rows may span {bound[series]:,} steps of {freq}",
            found=f"{columns.shown(columns.ds[row])} right after "
            f"{columns.shown(columns.ds[row - 1])}",
            remedy="correct the time, or set a coarser dataset.freq",
        )
    return steps
