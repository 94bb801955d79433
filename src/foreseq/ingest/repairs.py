"""What was read, how its flaws were repaired, and what looks wrong though no rule forbids it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foreseq.ingest.columns import Columns

READING = "reading"
"""Attribute of a table read from a file that becomes `Repairs.reading`."""
NINES = [10.0**digits - 1 for digits in range(3, 10)]
INTEGER_LIMITS = [2.0**bits - 1 for bits in (15, 16, 31, 32)] + [2.0**bits for bits in (15, 31)]
SENTINELS = np.array([sign * size for size in (*NINES, *INTEGER_LIMITS) for sign in (1, -1)])
"""Numbers that programs write for a missing value, besides those from `HUGE` on."""
HUGE = 1e20
"""The limits of floats and the fill values of NetCDF and many sensors lie beyond."""
MANY_GAPS = 0.2
"""Share of steps without a row from which it is worth a warning."""


@dataclass(frozen=True)
class Repairs:
    """What was read, and how its flaws were repaired."""

    rows: int
    """Rows read, blank ones left out."""
    series: int
    steps: int
    """Steps of all series together, on the grid."""
    first: str
    """First time of any series."""
    last: str
    """Last time of any series."""
    blank_rows: int = 0
    unsorted_series: int = 0
    """Series whose rows did not ascend in time."""
    rounded: int = 0
    """Times rounded to the minute, which they missed by no more than `dataset.jitter`."""
    duplicates_collapsed: int = 0
    """Rows merged into another of the same series and time."""
    gaps: int = 0
    """Steps without a row."""
    gaps_filled: int = 0
    """Gaps that were interpolated."""
    missing: int = 0
    """Rows with an empty y, between the first and the last y of their series."""
    missing_filled: int = 0
    """Empty y that were interpolated or read as zero."""
    leading: int = 0
    """Rows before the first y of their series, left out."""
    trailing: int = 0
    """Rows after the last y of their series: they belong to the horizon, not to the history."""
    zone: str = ""
    """Time zone on whose clocks steps are counted; empty if the source named none."""
    reading: str = ""
    """What was recognised or guessed in reading the file, where it is unusual."""
    covariates: tuple[str, ...] = ()
    """How each column beside y is read, and why."""
    warnings: tuple[str, ...] = ()
    """What looks wrong and was left alone."""

    def __str__(self) -> str:
        """Return one line for people: what was read, and only the repairs that happened.

        Example:
            >>> print(Repairs(rows=5, series=1, steps=6, first="1", last="6", gaps=1))
            5 rows, 1 series, 1 to 6; 1 steps without a row left unobserved
        """
        counts = [
            (self.blank_rows, "blank rows skipped"),
            (self.unsorted_series, "series sorted"),
            (self.rounded, "times rounded to the minute"),
            (self.duplicates_collapsed, "duplicate rows collapsed"),
            (self.gaps_filled, "steps without a row filled"),
            (self.gaps - self.gaps_filled, "steps without a row left unobserved"),
            (self.missing_filled, "empty y filled"),
            (self.missing - self.missing_filled, "empty y left unobserved"),
            (self.leading, "rows before the first y left out"),
            (self.trailing, "rows after the last y taken as the horizon, not as history"),
        ]
        done = [f"{count:,} {what}" for count, what in counts if count]
        done += [f"times of {self.zone}"] if self.zone else []
        done += [f"read with {self.reading}"] if self.reading else []
        read = f"{self.rows:,} rows, {self.series:,} series, {self.first} to {self.last}"
        return "; ".join([read, *done, *self.warnings])


def health(repairs: Repairs, freq: str, season: int) -> list[tuple[str, str]]:
    """Return what was read and repaired, as rows of two cells."""
    return [
        ("series", f"{repairs.series:,}"),
        ("rows read", f"{repairs.rows:,}"),
        ("file read with", repairs.reading or "nothing unusual"),
        ("first and last time", f"{repairs.first} to {repairs.last}"),
        ("frequency, season", f"{freq}, {season}"),
        ("steps without a row", f"{repairs.gaps:,}, {repairs.gaps_filled:,} filled"),
        ("rows with an empty y", f"{repairs.missing:,}, {repairs.missing_filled:,} filled"),
        ("rows before the first y, after the last", f"{repairs.leading:,}, {repairs.trailing:,}"),
        ("duplicate rows merged", f"{repairs.duplicates_collapsed:,}"),
        ("times rounded to the minute", f"{repairs.rounded:,}"),
        ("series sorted by time", f"{repairs.unsorted_series:,}"),
        ("blank rows skipped", f"{repairs.blank_rows:,}"),
        ("time zone", repairs.zone or "none"),
        *(("covariate", note) for note in repairs.covariates),
        *(("warning", warning) for warning in repairs.warnings),
    ]


def similar_ids(names: NDArray[np.str_]) -> list[str]:
    """Return a warning of ids that differ only by spaces around them.

    Args:
        names: All ids, each once.

    Example:
        >>> similar_ids(np.array(["A", "A ", "B"]))
        ["1 ids differ from another only by spaces around them, the first 'A '"]
    """
    stripped = np.strings.strip(names)
    padded = names[(stripped != names) & np.isin(stripped, names)].tolist()
    if not padded:
        return []
    first = f"the first {padded[0]!r}"
    return [f"{len(padded):,} ids differ from another only by spaces around them, {first}"]


def sentinels(columns: Columns) -> list[str]:
    """Return a warning of each value that looks like a sign for a missing one.

    These are usual signs, such as -9999, far outside what their series holds otherwise.

    Args:
        columns: Rows by series.

    Example:
        >>> y = np.array([1.0, 2.0, -9999.0, 3.0])
        >>> zeros = np.zeros(4, dtype=int)
        >>> sentinels(Columns(np.array(["a"]), zeros, zeros, y, zeros, "", 0, ""))
        ['-9999 in 1 rows, the first of series a at 0, looks like a missing value: empty the cell']
    """
    usual = np.isin(columns.y, SENTINELS) | (np.abs(columns.y) >= HUGE)
    if not usual.any():
        return []
    rest = np.where(usual, np.nan, columns.y)
    starts = np.searchsorted(columns.codes, np.arange(len(columns.names)))
    low = np.fmin.reduceat(rest, starts)[columns.codes]
    high = np.fmax.reduceat(rest, starts)[columns.codes]
    away = np.maximum(low - columns.y, columns.y - high)
    rows = np.flatnonzero(usual & (away > 2 * np.maximum(np.abs(low), np.abs(high))))
    return [_sentinel(columns, rows[columns.y[rows] == y]) for y in np.unique(columns.y[rows])]


def _sentinel(columns: Columns, rows: NDArray[np.int64]) -> str:
    series, time = columns.names[columns.codes[rows[0]]], columns.shown(columns.ds[rows[0]])
    where = f"in {len(rows):,} rows, the first of series {series} at {time}"
    return f"{columns.y[rows[0]]:g} {where}, looks like a missing value: empty the cell"


def zero_gaps(columns: Columns, places: NDArray[Any], steps: int) -> list[str]:
    """Return a warning if steps without a row look like steps at which nothing happened.

    Then many steps lack a row, here and there, and all values that there are lie above zero.

    Args:
        columns: Rows by series and time.
        places: Step of each row among those of all series end to end.
        steps: Steps of all series together.
    """
    gaps = steps - len(places)
    spells = int((np.diff(places) > 1).sum())
    above = not (columns.y <= 0).any()
    if gaps < MANY_GAPS * steps or spells < MANY_GAPS * len(places) or not above:
        return []
    return [
        f"{gaps / steps:.0%} of steps have no row and no y is 0: if a missing row means that "
        "nothing happened, set dataset.gaps=zero"
    ]
