"""Frames of a user to long tables and back: pandas, polars, pyarrow and all that narwhals reads."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import narwhals as nw
import pandas as pd
import pyarrow as pa

from foreseq.config import ColumnsConfig, DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest import covariates, joined, roles
from foreseq.ingest.columns import distinct


class Style(NamedTuple):
    """How a frame is made, so that forecasts can be returned as one of the same kind."""

    backend: Any
    """Library of the frame, a `narwhals.Implementation`."""
    columns: ColumnsConfig
    ids: pd.Series[Any]
    """Every id once, of the type it came in; the index is its text."""
    dates: bool
    """Whether times are dates without a time of day."""


def read(frame: Any, dataset: DatasetConfig) -> tuple[pd.DataFrame, Style]:
    """Return the table `unique_id, ds, y` of a frame, and how the frame is made.

    Args:
        frame: With the columns that `dataset.columns` names, in any order, among others or not; a
            lazy one is collected. Columns of other names are found as those of files are; if none
            tells apart series, it is one, named as the dataset.
        dataset: Its `columns` and `name`.

    Raises:
        DataRefused: If it is no frame, or lacks a column and no other is unmistakably meant.
    """
    if isinstance(frame, pd.DataFrame) and dataset.columns.unique_id in frame.index.names:
        frame = frame.reset_index()
    eager = _eager(frame)
    here = dataset.model_copy(update={"source": "", "layout": "long"})
    names = [name for name in eager.columns if isinstance(name, str)]
    columns, _ = roles.find(names, here, lambda: eager.head(roles.SAMPLE).to_pandas())
    wanted = columns.model_dump()
    if columns.unique_id not in names:
        del wanted["unique_id"]
    types = eager.schema
    dates = types[columns.ds] == nw.Date
    if dates:
        eager = eager.with_columns(nw.col(columns.ds).cast(nw.Datetime("ns")))
    beside = covariates.names(dataset, eager.columns, list(columns.model_dump().values()))
    table = eager.select([*wanted.values(), *beside]).to_pandas()
    table = table.rename(columns={name: role for role, name in wanted.items()})
    if "unique_id" not in wanted:
        table.insert(0, "unique_id", pd.Series(dataset.name, table.index, dtype="category"))
    _, unique = distinct(table["unique_id"])
    texts = pd.Index([str(name) for name in unique])
    ids = pd.Series(unique, index=texts)[~texts.duplicated()]
    return table, Style(eager.implementation, columns, ids, bool(dates))


def join(
    table: pd.DataFrame, future: Any, static: Any, dataset: DatasetConfig, columns: ColumnsConfig
) -> pd.DataFrame:
    """Return a history with frames of what is known ahead and of features of its series.

    Args:
        table: From `read`.
        future: A frame of any kind, without y; None: there is none.
        static: A frame with a row for each series; None: there is none.
        dataset: Roles of the covariates.
        columns: Names in all of these frames, from `read`.

    Raises:
        DataRefused: If one is no frame, or lacks a column.
    """
    named = dataset.model_copy(update={"columns": columns})
    return joined.join(table, _plain(future), _plain(static), named)


def _eager(frame: Any) -> nw.DataFrame[Any]:
    try:
        read = nw.from_native(frame)
    except TypeError:
        raise DataRefused(
            "data must be a frame of pandas, polars, pyarrow or another library narwhals reads",
            found=type(frame).__name__,
            remedy="convert it",
        ) from None
    return read.collect() if isinstance(read, nw.LazyFrame) else read


def _plain(frame: Any) -> pd.DataFrame | None:
    return None if frame is None else _eager(frame).to_pandas()


def write(table: pd.DataFrame, style: Style) -> Any:
    """Return a table as a frame of a style: its library, column names and types.

    Args:
        table: With `unique_id` and `ds`, perhaps `y` and `cutoff`.
        style: From `read`.
    """
    codes, unique = pd.factorize(table["unique_id"])
    places = style.ids.index.get_indexer(unique.astype(str))[codes]
    table = table.assign(unique_id=style.ids.array.take(places))
    table = table.rename(columns=style.columns.model_dump())
    if style.backend.is_pandas():
        return table
    with warnings.catch_warnings():  # Arrow's way to read times of a zone, old to pandas 3.1
        warnings.filterwarnings("ignore", "Series.values", DeprecationWarning)
        arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata()
    frame = nw.from_arrow(arrow, backend=style.backend)
    if style.dates:
        times = [name for name in (style.columns.ds, "cutoff") if name in frame.columns]
        frame = frame.with_columns(nw.col(*times).cast(nw.Date))
    return frame.to_native()
