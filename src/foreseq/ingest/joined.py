"""Tables beside the history: rows of what is known ahead, and a row of features for each series."""

import tempfile
from pathlib import Path

import pandas as pd

from foreseq.config import ColumnsConfig, DatasetConfig
from foreseq.config.dataset import without_secrets
from foreseq.errors import DataRefused
from foreseq.ingest import notation, text
from foreseq.ingest.fetch import content, fetch


def digests(dataset: DatasetConfig, raw: Path) -> list[str]:
    """Return the digest of each table beside the history that a dataset names."""
    return [content(fetch(_source(dataset, source), raw)) for source in _sources(dataset) if source]


def read(table: pd.DataFrame, dataset: DatasetConfig) -> pd.DataFrame:
    """Return a history with the rows and columns of the tables beside it that a dataset names.

    Args:
        table: Columns `unique_id, ds, y` and perhaps others.
        dataset: Its `future` and `static`.

    Raises:
        DataRefused: If one cannot be read, or lacks a column.
    """
    future, static = (
        _table(_source(dataset, source)) if source else None for source in _sources(dataset)
    )
    return join(table, future, static, dataset)


def join(
    table: pd.DataFrame,
    future: pd.DataFrame | None,
    static: pd.DataFrame | None,
    dataset: DatasetConfig,
) -> pd.DataFrame:
    """Return a history with further rows, whose y is empty, and with columns of its series.

    A further row takes the place of one without y; where there is a y, or the history lacks the
    series, it is left out.

    Args:
        table: Columns `unique_id, ds, y` and perhaps others.
        future: Columns as the dataset names them, without y.
        static: The same without times: a row for each series.
        dataset: Names of the columns; its name is that of a single series.

    Raises:
        DataRefused: If a table lacks a column, or has two rows for a series.
    """
    if future is not None:
        ahead = _named(future, dataset, ["unique_id", "ds"], dataset.future)
        ahead = ahead.drop(columns="y", errors="ignore")
        _check_known_ahead(ahead, dataset)
        ahead["ds"], _ = notation.times(ahead["ds"], dataset.csv, without_secrets(dataset.future))
        table = _with_rows(table, ahead)
    if static is not None:
        features = _named(static, dataset, ["unique_id"], dataset.static)
        features["unique_id"] = features["unique_id"].astype(str)
        if features["unique_id"].duplicated().any():
            raise DataRefused(
                "a table of static covariates has one row for each series",
                found="two",
                file=without_secrets(dataset.static),
                series=str(features["unique_id"][features["unique_id"].duplicated()].iloc[0]),
                remedy="drop one of them",
            )
        features = features.set_index("unique_id").drop(columns=["ds", "y"], errors="ignore")
        names = table["unique_id"].astype(str)
        for name in features:
            table[name] = features[name].reindex(names).set_axis(table.index)
    return table


def _with_rows(table: pd.DataFrame, ahead: pd.DataFrame) -> pd.DataFrame:
    known, new = (pd.MultiIndex.from_frame(_comparable(part)) for part in (table, ahead))
    observed = table["y"].notna().to_numpy()
    kept = table[observed | ~known.isin(new)]
    added = ahead[~new.isin(known[observed]) & new.isin(known.levels[0], level=0)]
    ids = table["unique_id"].drop_duplicates()  # a CSV holds text, where the history has numbers
    written = dict(zip(ids.astype(str), ids.astype(object), strict=True))
    added = added.assign(unique_id=added["unique_id"].astype(str).map(written))
    parts = [part.astype({"unique_id": object, "ds": object}) for part in (kept, added)]
    joined = pd.concat(parts)
    joined.attrs = table.attrs
    return joined


def _check_known_ahead(ahead: pd.DataFrame, dataset: DatasetConfig) -> None:
    if isinstance(dataset.covariates, str):
        return
    if past := [name for name in dataset.covariates.past if name in ahead]:
        raise DataRefused(
            f"covariate {past[0]} was read as one of the past, which is never read ahead",
            found="it among what is known ahead",
            file=without_secrets(dataset.future),
            remedy="leave it out, or train with it in dataset.covariates.future",
        )


def _sources(dataset: DatasetConfig) -> tuple[str, str]:
    return dataset.future, dataset.static


def _source(dataset: DatasetConfig, source: str) -> DatasetConfig:
    return dataset.model_copy(update={"source": source, "query": ""})


def _table(dataset: DatasetConfig) -> pd.DataFrame:
    """Return the cells of a file whatever columns it has."""
    with tempfile.TemporaryDirectory() as folder:
        path = fetch(dataset, Path(folder))
        if path.is_dir() or path.suffix in (".parquet", ".pq"):
            return pd.read_parquet(path)
        return text.read_any(path, dataset)


def _named(
    table: pd.DataFrame, dataset: DatasetConfig, needed: list[str], source: str
) -> pd.DataFrame:
    """Return a table with our names for the columns of its series and times."""
    columns: ColumnsConfig = dataset.columns
    names = {columns.unique_id: "unique_id", columns.ds: "ds", columns.y: "y"}
    table = table.rename(columns=names)
    if "unique_id" not in table and columns.unique_id == "unique_id":
        table.insert(0, "unique_id", dataset.name)
    for role in needed:
        if role not in table:
            raise DataRefused(
                f"column {getattr(columns, role)!r} is needed",
                found="the columns " + ", ".join(map(str, table.columns)),
                file=without_secrets(source),
                remedy="rename the column that holds it",
            )
    return table


def _comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Return ids as text and times as times, however they were written."""
    ds = table["ds"]
    if not pd.api.types.is_numeric_dtype(ds):
        ds = pd.to_datetime(ds.astype(object), errors="coerce", format="ISO8601", utc=True)
    return pd.DataFrame({"unique_id": table["unique_id"].astype(str), "ds": ds})
