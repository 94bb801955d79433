"""The columns beside y of a long table: which role each has, and its values on the steps of series.

What was found out is said: a column that is read in another way than was meant makes no error.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.config import CovariatesConfig, DatasetConfig, Role
from foreseq.errors import DataRefused
from foreseq.ingest import events, holidays
from foreseq.ingest.columns import Columns
from foreseq.series.covariates import Column, Covariates
from foreseq.series.rows import offsets_of

MOST_TEXTS, MOST_SHARE = 100, 0.2
"""Distinct texts of a column, at least and as a share of its rows, from which it is free text."""


ROW_NUMBERS = re.compile(r"|__index_level_\d+__|Unnamed: \d+")
"""Names of columns that pandas writes for the index of a frame."""


class Rows(NamedTuple):
    """Rows of a table with their places on the grid."""

    columns: Columns
    """By series and time, also beyond the last y."""
    steps: NDArray[np.int64]
    """From the start of its series, shape (rows,)."""
    beyond: NDArray[np.bool_]
    """Which rows lie after the last y of their series."""
    lengths: NDArray[np.int64]
    """Steps of each series with what is known ahead, shape (n_series,)."""


class _Found(NamedTuple):
    """A column of the table."""

    column: Column
    values: NDArray[np.float64]
    """Shape (rows,)."""


def names(dataset: DatasetConfig, columns: Sequence[str], roles: Sequence[str]) -> list[str]:
    """Return which columns of a file are read beside those of the three roles.

    Raises:
        DataRefused: If one is called as a role that another column has.
    """
    if dataset.covariates == "none" or dataset.layout == "wide":
        return []
    beside = [name for name in columns if name not in roles and not ROW_NUMBERS.fullmatch(name)]
    if isinstance(dataset.covariates, CovariatesConfig):
        beside = [name for name in beside if name in dataset.covariates.names]
    taken = [name for name in beside if name in ("unique_id", "ds", "y")]
    if taken and dataset.covariates == "auto":
        return [name for name in beside if name not in taken]
    if taken:
        raise DataRefused(
            f"a covariate may not be called {taken[0]}",
            found="it in dataset.covariates",
            remedy="rename the column",
        )
    return beside


def lay_out(rows: Rows, dataset: DatasetConfig) -> tuple[Covariates | None, tuple[str, ...]]:
    """Return the covariates of a panel, and in words how each column is read.

    Raises:
        DataRefused: If a number is infinite, or a column that is said to be static changes.
    """
    table = rows.columns.beside
    if table is None or dataset.covariates == "none":
        return None, ()
    found, notes = [], []
    wanted = dataset.covariates if isinstance(dataset.covariates, CovariatesConfig) else None
    for name in table:
        if wanted and name not in wanted.names:
            continue
        made, note = _find(str(name), table[name], rows, wanted)
        notes.append(f"{name}: {note}")
        if made:
            found.append(made)
    if wanted:
        there = (*table, *holidays.COLUMNS)
        absent = [
            name
            for name in wanted.names
            if name not in there and not name.startswith(events.PREFIX)
        ]
        notes.extend(f"{name}: not in the data, and so unknown" for name in absent)
    return _on_grid(found, rows) if found else None, tuple(notes)


def _find(
    name: str, cells: "pd.Series[Any]", rows: Rows, wanted: CovariatesConfig | None
) -> tuple[_Found | None, str]:
    """Return a column with its role, or None, and why."""
    named = wanted is not None and name in wanted.categories
    values, categories, problem = _numbers(cells, rows.columns, named)
    if problem:
        return None, f"left out, {problem}"
    role, reason = _role(name, values, rows, wanted)
    known = values[np.isfinite(values)]
    if wanted is None and role == "static" and known.min() == known.max():
        return None, "left out, it is the same everywhere"
    if role == "static":
        _check_static(name, values, rows.columns)
    kind = f", {len(categories):,} categories" if categories else ""
    return _Found(Column(name, role, categories), values), f"{reason}{kind}"


def _numbers(
    cells: "pd.Series[Any]", columns: Columns, named: bool
) -> tuple[NDArray[np.float64], tuple[str, ...], str]:
    """Return values, categories if these are what they count, and why a column cannot be read."""
    nothing = np.empty(0)
    cells = cells.infer_objects()
    if cells.isna().all():
        return nothing, (), "it is empty"
    if pd.api.types.is_numeric_dtype(cells) and not named:  # booleans as well
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        infinite = np.isinf(values)
        if infinite.any():
            raise columns.refusal(
                int(infinite.argmax()),
                f"covariate {cells.name} must be finite",
                found=str(cells.iloc[int(infinite.argmax())]),
                remedy="correct the cell or empty it",
            )
        return values, (), ""
    if pd.api.types.is_datetime64_any_dtype(cells):
        return nothing, (), "it holds times"
    texts = cells.map(_text, na_action="ignore")
    codes, unique = pd.factorize(texts, sort=True)
    if len(unique) > max(MOST_TEXTS, MOST_SHARE * len(codes)):
        return nothing, (), f"its {len(unique):,} texts are no categories"
    values = np.where(codes < 0, np.nan, codes.astype(np.float64))
    return values, tuple(str(text) for text in unique), ""


def _text(cell: Any) -> str | None:
    """Return a cell as the name of a category; None if it is blank."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip() or None


def _role(
    name: str, values: NDArray[np.float64], rows: Rows, wanted: CovariatesConfig | None
) -> tuple[Role, str]:
    if wanted is not None:
        role = next(role for role in _MEANING if name in getattr(wanted, role))
        return role, f"{_MEANING[role]}, as dataset.covariates says"
    codes = rows.columns.codes
    grouped = pd.Series(values).groupby(codes)
    if len(rows.columns.names) > 1 and not (grouped.max() > grouped.min()).any():
        return "static", "static, it never changes within a series"
    if np.isfinite(values[rows.beyond]).any():
        return "future", "known ahead, it is filled in beyond the last y"
    return "past", "of the past, it ends with y"


_MEANING: dict[Role, str] = {"past": "of the past", "future": "known ahead", "static": "static"}


def _check_static(name: str, values: NDArray[np.float64], columns: Columns) -> None:
    first = pd.Series(values).groupby(columns.codes).transform("first").to_numpy()
    changed = np.isfinite(values) & (values != first)
    if changed.any():
        raise columns.refusal(
            int(changed.argmax()),
            f"static covariate {name} must not change within a series",
            found="another value in this row than before",
            remedy="make it one value per series, or move it to dataset.covariates.past or future",
        )


def _on_grid(found: list[_Found], rows: Rows) -> Covariates:
    """Return columns on the steps of their series, static ones once for each series."""
    changing = [one for one in found if one.column.role != "static"]
    fixed = [one for one in found if one.column.role == "static"]
    offsets = offsets_of(rows.lengths)
    values = np.full((offsets[-1], len(changing)), np.nan)
    places = offsets[rows.columns.codes] + rows.steps
    for at, one in enumerate(changing):
        values[places, at] = one.values
    static = np.full((len(rows.lengths), len(fixed)), np.nan)
    for at, one in enumerate(fixed):
        first = pd.Series(one.values).groupby(rows.columns.codes).first()
        static[first.index, at] = first.to_numpy()
    order = tuple(one.column for one in (*changing, *fixed))
    return Covariates(order, values, offsets, static)
