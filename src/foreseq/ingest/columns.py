"""The three columns of a long table as arrays; a cell that cannot be read is refused by row."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from foreseq.errors import DataRefused
from foreseq.series.calendar import shown

ZONE = r"[T ]\d.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
"""A time of day with a zone."""
MAX_ID = 250
"""Letters of the longest id."""
FIRST_YEAR, LAST_YEAR = 1678, 2261
"""Whole years that datetime64[ns] holds."""
FARTHEST_STEP = 2**53
"""Up to here floats hold every whole number, and no sum of steps leaves 64 bits."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a long table; arrays have shape (rows,)."""

    names: NDArray[np.str_]
    """Shape (n_series,): ids, ascending."""
    codes: NDArray[np.int64]
    """Position in `names` of each row's series."""
    ds: NDArray[Any]
    """datetime64[ns], in UTC if there is a zone, or int64."""
    y: NDArray[np.float64]
    """NaN where the cell was empty."""
    rows: NDArray[Any]
    """Label of each row in messages."""
    zone: str
    """Time zone of the source; empty if none."""
    blank: int
    """Rows without any value, which are left out."""
    file: str
    beside: pd.DataFrame | None = None
    """Further columns, a row for each row; None: there are none."""
    id_type: str = ""
    """As of a panel."""

    def shown(self, time: Any) -> str:
        """Return a time in the zone it came in."""
        return shown(time, self.zone)

    def refusal(self, row: int, rule: str, *, found: str, remedy: str) -> DataRefused:
        """Return the refusal of a row, given by position."""
        return DataRefused(
            rule,
            found=found,
            remedy=remedy,
            file=self.file,
            series=str(self.names[self.codes[row]]),
            row=_number(self.rows[row]),
        )


def parse(table: pd.DataFrame, file: str = "") -> Columns:
    """Turn a table `unique_id, ds, y` into arrays.

    Raises:
        DataRefused: If there are no rows, or a cell does not fit its column.
    """
    for name in ("unique_id", "ds", "y"):
        if name not in table:
            raise DataRefused(
                f"column {name!r} is needed",
                found="the columns " + ", ".join(map(str, table.columns)),
                file=file,
                remedy="rename the column that holds it",
            )
    blank = _is_empty(table["unique_id"]) & _is_empty(table["ds"]) & _is_empty(table["y"])
    if blank.any():
        table = table[~blank]
    if table.empty:
        raise DataRefused("rows are needed", found="none", file=file, remedy="check the source")
    names, codes, id_type = _parse_ids(table["unique_id"], file)
    nothing, rows = np.empty(0), table.index.to_numpy()
    ids = Columns(names, codes, nothing, nothing, rows, "", 0, file, id_type=id_type)
    ds, zone = _parse_ds(table["ds"], ids)
    y = _parse_y(table["y"], ids)
    others = [name for name in table.columns if name not in ("unique_id", "ds", "y")]
    beside = table[others].reset_index(drop=True) if others else None
    return replace(ids, ds=ds, y=y, zone=zone, blank=int(blank.sum()), beside=beside)


def distinct(column: pd.Series[Any], file: str = "") -> tuple[NDArray[np.int64], Any]:
    """Return the distinct values of a column, and the position of each cell among them.

    Raises:
        DataRefused: If a cell is a list or another value that cannot be compared.
    """
    try:
        return pd.factorize(column)
    except (TypeError, pa.ArrowNotImplementedError):
        row = next(i for i, cell in enumerate(column) if not isinstance(cell, Hashable))
        raise DataRefused(
            f"{column.name} must hold text, numbers or times",
            found=f"a {type(column.iloc[row]).__name__}",
            file=file,
            row=_number(column.index[row]),
            remedy="name another column, or unpack this one into one value a row",
        ) from None


def _number(label: Any) -> int | None:
    """Return a label as a row number; None if it is another label."""
    return int(label) if isinstance(label, (int, np.integer)) else None


def _is_empty(column: pd.Series[Any]) -> NDArray[np.bool_]:
    """Return which cells are empty."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = _is_empty(column.cat.categories.to_series())
        codes = column.cat.codes.to_numpy()
        return np.asarray((codes < 0) | np.append(categories, False)[codes])
    empty = column.isna().to_numpy(dtype=np.bool_)
    if not _is_text(column):
        return np.asarray(empty)
    blank = (isinstance(cell, str) and not cell for cell in column)  # NA equals nothing
    return np.asarray(empty | np.fromiter(blank, bool, len(column)))


def _parse_ids(
    column: pd.Series[Any], file: str
) -> tuple[NDArray[np.str_], NDArray[np.int64], str]:
    empty = _is_empty(column)
    if empty.any():
        raise DataRefused(
            "every row needs a unique_id",
            found="an empty cell",
            file=file,
            row=_number(column.index[int(empty.argmax())]),
            remedy="name the series or drop the row",
        )
    codes, labels = distinct(column, file)
    texts = [str(label) for label in labels]
    longest = int(np.argmax([len(text) for text in texts]))
    if len(texts[longest]) > MAX_ID:  # names are kept at equal width, in memory and on disk
        raise DataRefused(
            f"a unique_id may have {MAX_ID} letters",
            found=f"{len(texts[longest]):,}, beginning with {texts[longest][:20]!r}",
            file=file,
            row=_number(column.index[int((codes == longest).argmax())]),
            remedy="shorten it, or name another column with dataset.columns.unique_id",
        )
    names, rank = np.unique(texts, return_inverse=True)
    return names.astype(np.str_), rank.astype(np.int64)[codes], id_type_of(labels)


def id_type_of(ids: Any) -> str:
    """Return the numpy type of ids that are integers; of others none.

    Example:
        >>> id_type_of(pd.Series([7, 8], dtype="Int32")), id_type_of(["7", 8]), id_type_of([7, 8])
        ('int32', '', 'int64')
    """
    values = np.asarray(ids)
    if values.dtype.kind == "O" and pd.api.types.infer_dtype(values) == "integer":
        values = np.array(values.tolist())  # beyond 64 bits it stays an object
    return values.dtype.name if values.dtype.kind in "iu" else ""


def _parse_ds(column: pd.Series[Any], at: Columns) -> tuple[NDArray[Any], str]:
    """Return times and the zone they had, as datetime64[ns] or int64."""
    column = _plain(column)
    empty = _is_empty(column)
    if empty.any():
        raise at.refusal(
            int(empty.argmax()),
            "every row needs a time in ds",
            found="an empty cell",
            remedy="fill the cell or drop the row",
        )
    if pd.api.types.is_numeric_dtype(column):
        return _steps(column, at), ""
    if pd.api.types.is_datetime64_any_dtype(column):
        zone = str(column.dtype.tz) if isinstance(column.dtype, pd.DatetimeTZDtype) else ""
        return _nanoseconds(column.dt.tz_convert(None) if zone else column, at), zone
    # Series share their times, so far fewer texts than rows need parsing.
    codes, unique = distinct(column, at.file)
    texts = pd.Series([str(cell).strip() for cell in unique], dtype=object)
    integers = texts.str.fullmatch(r"[+-]?\d{1,18}").to_numpy(dtype=bool)
    if integers.all():
        return _steps(texts.astype(np.int64).iloc[codes], at), ""
    parsed = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True).dt.tz_convert(None)
    unread = (parsed.isna().to_numpy() | integers)[codes]  # alone, 2024 would be read as a year
    if unread.any():
        row = int(unread.argmax())
        raise at.refusal(
            row,
            "ds must be a timestamp like 2024-12-31 or 2024-12-31 23:00, or all integers",
            found=repr(texts[codes[row]]),
            remedy="correct the cell, or write all times in one of these formats",
        )
    zoned = texts.str.contains(ZONE, regex=True).to_numpy(dtype=bool)
    if zoned.any() and not zoned.all():
        rare = zoned == (zoned[codes].mean() < 0.5)  # noqa: PLR2004 - the smaller half
        row = int(rare[codes].argmax())
        raise at.refusal(
            row,
            "all times must have a time zone, or none",
            found=f"{texts[codes[row]]!r} beside {texts[int((~rare).argmax())]!r}",
            remedy="write all times in one way",
        )
    zone = _common_offset(texts) if zoned.any() else ""
    return _nanoseconds(parsed, at, codes)[codes], zone


def _common_offset(texts: pd.Series[Any]) -> str:
    """Return the offset of all times, such as UTC+01:00; UTC if they have several."""
    offsets = texts.str.extract(r"([+-]\d{2}):?(\d{2})?$").fillna("").agg("".join, axis=1).unique()
    only = offsets[0] if len(offsets) == 1 else ""
    return f"UTC{only[:3]}:{only[3:] or '00'}" if only.strip("+-0") else "UTC"


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return cells of Arrow, objects, categories and periods (their starts) in pandas' types."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        kind = column.cat.categories.dtype
        if isinstance(kind, pd.PeriodDtype) or pd.api.types.is_datetime64_any_dtype(kind):
            column = column.astype(kind)
    if isinstance(column.dtype, pd.ArrowDtype):
        arrow = pa.array(column.array)
        column = arrow.to_pandas(date_as_object=False).set_axis(column.index).rename(column.name)
    column = column.infer_objects()
    return column.dt.to_timestamp() if isinstance(column.dtype, pd.PeriodDtype) else column


def _steps(column: pd.Series[Any], at: Columns) -> NDArray[np.int64]:
    """Return integer steps; refuse fractions, and integers that look like dates."""
    numbers = column.to_numpy(dtype=np.float64)
    fractions = numbers != np.floor(numbers)
    if pd.api.types.is_bool_dtype(column) or fractions.any():
        row = int(fractions.argmax())
        raise at.refusal(
            row,
            "ds must be a timestamp or a whole number",
            found=str(column.iloc[row]),
            remedy="write timestamps as text like 2024-12-31",
        )
    far = np.abs(numbers) > FARTHEST_STEP
    if far.any():
        row = int(far.argmax())
        raise at.refusal(
            row,
            f"integer steps in ds may go up to {FARTHEST_STEP:,}",
            found=str(column.iloc[row]),
            remedy="count from a nearer step, or write timestamps as text like 2024-12-31",
        )
    steps: NDArray[np.int64] = column.to_numpy(dtype=np.int64)
    if any(_read_as_dates(steps, form) for form in ("%Y%m%d", "%Y%m")):
        raise at.refusal(
            0,
            "integers in ds are steps",
            found=f"{steps[0]}, which looks like a date",
            remedy="write dates with dashes, like 2024-12-31",
        )
    return steps


def _read_as_dates(steps: NDArray[np.int64], form: str) -> bool:
    """Return whether all steps are dates from 1900 to 2099 written without dashes."""
    century = np.array([1900, 2100]) * 10 ** (2 * form.count("%") - 2)
    if steps.min() < century[0] or steps.max() >= century[1]:
        return False
    dates = pd.to_datetime(pd.Series(np.unique(steps)).astype(str), format=form, errors="coerce")
    return bool(dates.notna().all())


def _nanoseconds(
    column: pd.Series[Any], at: Columns, codes: NDArray[np.int64] | None = None
) -> NDArray[np.datetime64]:
    try:
        return np.asarray(column.dt.as_unit("ns").to_numpy())
    except pd.errors.OutOfBoundsDatetime:
        year = column.dt.year.to_numpy()
        outside = (year < FIRST_YEAR) | (year > LAST_YEAR)
        row = int((outside if codes is None else outside[codes]).argmax())
        raise at.refusal(
            row,
            f"ds must lie between the years {FIRST_YEAR} and {LAST_YEAR}",
            found=str(column.iloc[row if codes is None else codes[row]]),
            remedy="correct the cell or drop the row",
        ) from None


def _parse_y(column: pd.Series[Any], at: Columns) -> NDArray[np.float64]:
    """Return numbers, NaN where the cell was empty."""
    column = _plain(column)
    empty = _is_empty(column)
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_complex_dtype(column):
        numbers = pd.Series(np.nan, index=column.index)
    else:
        numbers = pd.to_numeric(
            column.astype(object) if _is_text(column) else column, errors="coerce"
        )
    y = np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    invalid = (np.isnan(y) & ~empty) | np.isinf(y)
    if invalid.any():
        row = int(invalid.argmax())
        raise at.refusal(
            row,
            "y must be a finite number" if np.isinf(y[row]) else "y must be a number",
            found=repr(column.iloc[row]) if _is_text(column) else str(column.iloc[row]),
            remedy="correct the cell, empty it, or drop the row",
        )
    return y


def _is_text(column: pd.Series[Any]) -> bool:
    return not (
        pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    )
