"""Numbers and dates as people write them, recognised by all cells of a column together.

`1.234` may be 1234 and `03/04/2024` may be in March; so every reading is tried on the whole column.
The one that reads the most cells is taken, and two that read them differently are refused.
"""

import re
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from foreseq.config.dataset import CsvConfig
from foreseq.errors import DataRefused

MARKS = {",": ",", ".": r"\.", " ": "[ \u00a0\u202f]", "'": "['\u2019]", "": ""}
"""Decimal and thousands marks as regular expressions; empty: none."""
TIME_OF_DAY = r"^(.*?)(?:[ T]+(\d{1,2}:\d{2}.*))?$"
DATES = (
    "%d{}%m{}%Y", "%m{}%d{}%Y", "%Y{}%m{}%d", "%d{}%m{}%y", "%m{}%d{}%y", "%y-%m-%d",
    "%m{}%Y", "%Y{}%m", "%d{}%b{}%Y", "%d{}%b{}%y", "%y-%b-%d", "%d{}%B{}%Y", "%b{}%Y", "%b{}%y",
    "%B{}%Y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
"""Formats of dates; braces hold the separator."""
COMPACT = {8: "%Y%m%d", 6: "%Y%m"}
"""Formats of dates in digits alone, by their number."""
CENTURIES = (1900, 2100)
"""First and last year, exclusive, of a date in digits alone."""


class Notation(NamedTuple):
    """How numbers are written."""

    decimal: str
    thousands: str
    """Empty: none."""

    def __str__(self) -> str:
        """Return it in words, without what is usual."""
        decimal = f"decimal {self.decimal!r}" if self.decimal != "." else ""
        thousands = f"thousands {self.thousands!r}" if self.thousands else ""
        return ", ".join(part for part in (decimal, thousands) if part)


def numbers(
    column: "pd.Series[Any]", csv: CsvConfig, file: str = "", *, doubt_dots: bool = False
) -> tuple["pd.Series[Any]", str]:
    """Return a column of text with its numbers read, and how they were written if unusually.

    Cells that are no numbers stay as they are.

    Args:
        column: Of any type; only text is read.
        csv: Says decimal and thousands marks, or leaves them to be recognised.
        file: Source of the column, for messages.
        doubt_dots: Whether 1.234 may be 1234, as in files separated by semicolons.

    Raises:
        DataRefused: If two readings are equally good and differ.

    Example:
        >>> cells = pd.Series(["1.234,5", "17"])
        >>> numbers(cells, CsvConfig())[0].tolist(), numbers(cells, CsvConfig())[1]
        ([1234.5, 17.0], "decimal ',', thousands '.'")
    """
    if not _is_text(column):
        return column, ""
    codes, unique = pd.factorize(column)
    cells = pa.array(
        [cell.strip() if isinstance(cell, str) else None for cell in unique], pa.string()
    )
    read = {notation: _read_numbers(cells, notation) for notation in _notations(cells, csv)}
    best = _best(read, lambda values: int(np.isfinite(values).sum()))
    if len(best) > 1 and not doubt_dots and Notation(".", "") in best:
        best = {Notation(".", ""): best[Notation(".", "")]}
    if len(best) > 1 and _groups_are_complete(cells):
        best = {notation: values for notation, values in best.items() if notation.thousands}
    contested = _contested(best)
    if contested is not None:
        row = _row(column, codes, contested)
        raise _ambiguous_number(cells[contested].as_py(), best, contested, file=file, row=row)
    if len(best) != 1:
        return column, ""
    [(notation, values)] = best.items()
    if not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values.astype(object), np.asarray(unique, object))
    read_column: pd.Series[Any] = pd.Series(values).reindex(codes).set_axis(column.index)
    return read_column, str(notation)


def times(column: "pd.Series[Any]", csv: CsvConfig, file: str = "") -> tuple["pd.Series[Any]", str]:
    """Return a column of times with its dates written as 2024-12-31, and their format if unusual.

    Cells that are no dates stay as they are.

    Args:
        column: Of any type; only text is read.
        csv: Says the format, or leaves it to be recognised.
        file: Source of the column, for messages.

    Raises:
        DataRefused: If two formats are equally good and differ, or a cell does not have the format
            that is set.

    Example:
        >>> times(pd.Series(["31.12.2024 9:00", "1.1.2025 9:00"]), CsvConfig())[0].tolist()
        ['2024-12-31 09:00', '2025-01-01 09:00']
    """
    if csv.date_format is not None and pd.api.types.is_integer_dtype(column):
        column = column.astype(str)
    if not _is_text(column):
        return column, ""
    codes, unique = pd.factorize(column)
    cells = pd.Series([str(cell).strip() for cell in unique], dtype=object)
    if csv.date_format is not None:
        return _with_format(column, codes, cells, csv.date_format, file), ""
    if cells.empty or re.match(r"\d{4}-\d{1,2}(-|$)", cells.iloc[0]):
        return column, ""
    parts = cells.str.extract(TIME_OF_DAY)
    positions, days = pd.factorize(parts[0].fillna(""))
    read = {form: pd.to_datetime(days, format=form, errors="coerce") for form in _formats(days)}
    best = _best(read, lambda dates: int(dates.notna().sum()))
    contested = _contested(best)
    if contested is not None:
        row = _row(column, positions[codes], contested)
        raise _ambiguous_date(days[contested], best, contested, file=file, row=row)
    if len(best) != 1:
        return column, ""
    [(form, dates)] = best.items()
    clock = [f" {_clock(time)}" if isinstance(time, str) else "" for time in parts[1]]
    written = pd.Series(dates.strftime("%Y-%m-%d")[positions]) + pd.Series(clock, dtype=object)
    written = written.where(dates.notna()[positions], cells)
    return _recoded(column, codes, written), f"date_format {form}"


def kind(column: "pd.Series[Any]") -> str:
    """Return what a column holds, judged by all its cells: `time`, `number`, `text` or `nothing`.

    Example:
        >>> [kind(pd.Series(cells)) for cells in (["3.4.2024"], ["1,5", ""], ["a", "1"], [None])]
        ['time', 'number', 'text', 'nothing']
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return "time"
    if not _is_text(column):
        return "number"
    cells = pd.Series([str(cell).strip() for cell in column.dropna().unique()], dtype=object)
    cells = cells[cells != ""]
    if cells.empty:
        return "nothing"
    texts = pa.array(cells, pa.string())
    for notation in _notations(texts, CsvConfig()):
        if np.isfinite(_read_numbers(texts, notation)).all():
            return "number"
    if pd.to_datetime(cells, format="ISO8601", errors="coerce", utc=True).notna().all():
        return "time"
    days = pd.Index(cells.str.extract(TIME_OF_DAY)[0].unique())
    read = (pd.to_datetime(days, format=form, errors="coerce") for form in _formats(days))
    return "time" if any(dates.notna().all() for dates in read) else "text"


def _is_text(column: "pd.Series[Any]") -> bool:
    return bool(
        pd.api.types.is_string_dtype(column.dtype)
        or column.dtype == object
        or isinstance(column.dtype, pd.CategoricalDtype)
    )


def _best(read: dict[Any, Any], count: Callable[[Any], int]) -> dict[Any, Any]:
    """Return the readings of most cells, only the first of those that read them alike."""
    counts = {name: count(values) for name, values in read.items()}
    most = max(counts.values(), default=0)
    best: dict[Any, Any] = {}
    for name, values in read.items():
        if 0 < most == counts[name]:
            alike = (np.array_equal(values, other, equal_nan=True) for other in best.values())
            if not any(alike):
                best[name] = values
    return best


def _contested(best: dict[Any, Any]) -> int | None:
    """Return the first cell that two readings read differently; None if there is none."""
    if len(best) < 2:  # noqa: PLR2004 two readings
        return None
    first, second, *_ = best.values()
    both = ~(pd.isna(first) | pd.isna(second)) & np.asarray(first != second)
    return int(both.argmax()) if both.any() else None


def _notations(cells: pa.Array, csv: CsvConfig) -> list[Notation]:
    """Return the notations that the cells may have, the usual one first."""
    there = {m for m, p in MARKS.items() if pc.any(pc.match_substring_regex(cells, p)).as_py()}
    return [
        Notation(decimal, thousands)
        for thousands, decimal in product(("", ",", ".", " ", "'"), (".", ","))
        if decimal != thousands
        and csv.decimal in (None, decimal)
        and csv.thousands in (None, thousands)
        and (thousands in there or csv.thousands == thousands)
        and (decimal in there or decimal == (csv.decimal or ("," if thousands == "." else ".")))
    ]


def _read_numbers(cells: pa.Array, notation: Notation) -> NDArray[np.float64]:
    """Return the numbers of cells, NaN where a cell is none in this notation."""
    point, mark = MARKS[notation.decimal], MARKS[notation.thousands]
    grouped = (
        rf"[1-9]\d{{0,2}}(?:{mark}\d{{3}})+|[1-9]\d?(?:{mark}\d{{2}})+{mark}\d{{3}}|"
        if mark
        else ""
    )
    number = rf"^[+-]?(?:(?:{grouped}\d+)(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?$"
    plain = pc.if_else(pc.match_substring_regex(cells, pattern=number), cells, None)
    if mark:
        plain = pc.replace_substring_regex(plain, pattern=mark, replacement="")
    plain = pc.replace_substring(plain, pattern=notation.decimal, replacement=".")
    plain = pc.utf8_ltrim(plain, characters="+")
    return np.asarray(pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False))


def _groups_are_complete(cells: pa.Array) -> bool:
    """Return whether whole numbers below 1000 have no mark, and there are none above without."""
    below = pc.match_substring_regex(cells, pattern=r"^[+-]?[1-9]\d{0,2}$")
    above = pc.match_substring_regex(cells, pattern=r"^[+-]?\d{4,}$")
    return bool(pc.any(below).as_py() and not pc.any(above).as_py())


def _ambiguous_number(
    text: str, best: dict[Notation, NDArray[np.float64]], cell: int, *, file: str, row: int | None
) -> DataRefused:
    (one, first), (other, second), *_ = best.items()
    mark = one.thousands or other.thousands
    return DataRefused(
        "numbers must show whether a mark is of decimals or thousands",
        found=f"{text!r}, which may be {first[cell]:.15g} or {second[cell]:.15g}",
        file=file,
        row=row,
        remedy=f"say --set dataset.csv.decimal={mark} or --set dataset.csv.thousands={mark}",
    )


def _formats(days: "pd.Index[Any]") -> list[str]:
    """Return the formats that dates may have."""
    if all(day.isdecimal() for day in days):
        lengths = {len(day) for day in days}
        form = COMPACT.get(lengths.pop()) if len(lengths) == 1 else None
        years = [int(day[:4]) for day in days] if form else []
        inside = years and CENTURIES[0] <= min(years) and max(years) < CENTURIES[1]
        return [form] if form and inside else []
    separator = re.search(r"[./-]|(?<=\w) (?=\w)", days[0])
    mark = separator[0] if separator else ""
    return [form.format(mark, mark) for form in DATES] if mark else []


def _ambiguous_date(
    text: str, best: dict[str, pd.DatetimeIndex], day: int, *, file: str, row: int | None
) -> DataRefused:
    (one, first), (other, second), *_ = best.items()
    readings = " or ".join(f"{dates[day]:%-d %B %Y}" for dates in (first, second))
    return DataRefused(
        "dates must show which number is the day",
        found=f"{text!r}, which may be {readings}",
        file=file,
        row=row,
        remedy=f"say --set dataset.csv.date_format={one} or {other}",
    )


def _with_format(
    column: "pd.Series[Any]",
    codes: NDArray[np.int64],
    cells: "pd.Series[str]",
    form: str,
    file: str,
) -> "pd.Series[Any]":
    """Return times that were written in a format."""
    read = pd.to_datetime(cells, format=form, errors="coerce", utc="%z" in form)
    wrong = (read.isna() & (cells != "")).to_numpy()
    if wrong.any():
        cell = int(wrong.argmax())
        raise DataRefused(
            f"ds must be written as dataset.csv.date_format says, {form}",
            found=repr(cells.iloc[cell]),
            file=file,
            row=_row(column, codes, cell),
            remedy="correct the cell or the format",
        )
    return pd.Series(read.array.take(codes, allow_fill=True), index=column.index)


def _clock(text: str) -> str:
    """Return a time of day on 24 hours, with two digits for the hour."""
    half = re.fullmatch(r"(\d{1,2})(:[\d:.]+) ?([AaPp])\.?[Mm]\.?", text)
    if half:
        return f"{int(half[1]) % 12 + 12 * (half[3] in 'Pp'):02}{half[2]}"
    return text if text[1] != ":" else f"0{text}"


def _recoded(
    column: "pd.Series[Any]", codes: NDArray[np.int64], texts: "pd.Series[str]"
) -> "pd.Series[Any]":
    """Return the column with a text in place of each of its values, as categories."""
    inverse, labels = pd.factorize(texts)
    cells = pd.Categorical.from_codes(np.append(inverse, -1)[codes], categories=labels)
    return pd.Series(cells, index=column.index)


def _row(column: "pd.Series[Any]", codes: NDArray[np.int64], cell: int) -> int | None:
    """Return the row number of the first cell with a value, given by its position."""
    label = column.index[int((codes == cell).argmax())]
    return int(label) if isinstance(label, (int, np.integer)) else None
