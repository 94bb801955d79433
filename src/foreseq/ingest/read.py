"""Files to long tables: columns are renamed, values are not checked yet.

The index of a table is the row number in the file: the line of a CSV (the header being line 1), or
the row of Parquet counted from 1.
"""

import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as parquet

from foreseq.config import DatasetConfig
from foreseq.config.dataset import without_secrets
from foreseq.errors import DataRefused
from foreseq.ingest.fetch import fetch

EMPTY = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
"""Cells of a CSV that are an empty y."""
TEXT_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
PARQUET_ENDINGS = (".parquet", ".pq")


def read_table(dataset: DatasetConfig) -> pd.DataFrame:
    """Return the source of a dataset, local or remote, as a table `unique_id, ds, y`.

    Raises:
        ConfigError: If there is no source, or no installed package reads such a URL.
        DataRefused: If the source cannot be read or lacks a column.
    """
    with tempfile.TemporaryDirectory() as folder:
        return read_file(fetch(dataset, Path(folder)), dataset)


def read_file(path: Path, dataset: DatasetConfig) -> pd.DataFrame:
    """Return a local file, or a folder of Parquet files, as a table `unique_id, ds, y`.

    Raises:
        DataRefused: If it cannot be read or lacks a column.
    """
    name = path.name.lower()
    with _refusing_unreadable_files(without_secrets(dataset.source)):
        if path.is_dir() or name.endswith(PARQUET_ENDINGS):
            table = _read_parquet(path, dataset)
        elif name.endswith(TEXT_ENDINGS):
            table = _read_text(path, dataset)
        else:
            raise DataRefused(
                "the source must end in " + ", ".join((*TEXT_ENDINGS, *PARQUET_ENDINGS)),
                found=path.suffix or "no ending",
                file=without_secrets(dataset.source),
                remedy="rename the file, or convert it to CSV or Parquet",
            )
    return _lengthen(table, dataset) if dataset.layout == "wide" else _rename(table, dataset)


def _read_text(path: Path, dataset: DatasetConfig) -> pd.DataFrame:
    separator = "\t" if ".tsv" in path.name.lower() else ","
    top = pd.read_csv(
        path,
        sep=separator,
        header=None,
        nrows=1,
        dtype=str,
        encoding="utf-8-sig",
        skip_blank_lines=False,
    )
    header = top.iloc[0].fillna("").str.strip().tolist()
    wanted = _wanted(header, dataset)
    texts = [name for name in wanted if name == dataset.columns.ds]
    if dataset.layout == "long":
        texts = [name for name in wanted if name != dataset.columns.y]
    with warnings.catch_warnings():
        # More cells than the header has. All columns are read for the same reason: pandas counts
        # no cells where it reads some columns only, and would take y 1,5 for 1.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        table = pd.read_csv(
            path,
            sep=separator,
            header=0,
            names=header,
            index_col=False,
            dtype=dict.fromkeys(texts, object),  # text as written: an id 007 stays 007
            keep_default_na=False,
            na_values={name: list(EMPTY) for name in header if name not in texts},
            skip_blank_lines=False,
            skipinitialspace=True,
            low_memory=False,
            encoding="utf-8-sig",
        )
    table.index += 2
    ordered: pd.DataFrame = table[wanted].astype(dict.fromkeys(texts, "category"))
    return ordered


def _read_parquet(path: Path, dataset: DatasetConfig) -> pd.DataFrame:
    source = _open(path, dataset.columns.unique_id)
    if path.is_dir() and not source.files:
        raise DataRefused(
            "a folder must hold Parquet files",
            found="none",
            file=without_secrets(dataset.source),
            remedy="for CSV set dataset.source to the file, not its folder",
        )
    wanted = _wanted(source.schema.names, dataset)
    table: pd.DataFrame = source.to_table(columns=wanted).to_pandas(
        ignore_metadata=True, date_as_object=False
    )
    table.index += 1
    return table


def _open(path: Path, ids: str) -> parquet.FileSystemDataset:
    """Open Parquet files such that ids are as written, in every file and in names of folders.

    Arrow takes the types from the first file, and reads `id=007` in the name of a folder as 7.
    """
    form = parquet.ParquetFileFormat(dictionary_columns=[ids])
    source = parquet.dataset(path, format=form, partitioning="hive")
    position = source.schema.get_field_index(ids)
    files = [fragment.physical_schema for fragment in source.get_fragments()]
    types = {schema.field(ids).type for schema in files if ids in schema.names}
    if position < 0 or len(types) == 1:
        return source
    schema = source.schema.set(position, pa.field(ids, pa.string()))
    folders = pa.schema([field for field in schema if field.name not in files[0].names])
    partitioning = parquet.partitioning(folders, flavor="hive")
    return parquet.dataset(path, schema=schema, format=form, partitioning=partitioning)


def _wanted(names: list[str], dataset: DatasetConfig) -> list[str]:
    """Return the columns to read, in order, after checking that they exist."""
    columns = dataset.columns
    needed = {"ds": columns.ds}
    if dataset.layout == "long":
        needed["y"] = columns.y
    if dataset.layout == "long" and columns.unique_id != "unique_id":
        needed["unique_id"] = columns.unique_id
    for role, name in needed.items():
        if name not in names:
            raise DataRefused(
                f"column {name!r} is needed",
                found="the columns " + ", ".join(names),
                file=without_secrets(dataset.source),
                remedy=f"name the right column with dataset.columns.{role}=NAME",
            )
    if len(set(names)) < len(names):
        raise DataRefused(
            "every column must have its own name",
            found=f"{next(name for name in names if names.count(name) > 1)!r} twice",
            file=without_secrets(dataset.source),
            remedy="rename one of them",
        )
    if dataset.layout == "wide":
        return [columns.ds, *(name for name in names if name != columns.ds)]
    return [name for name in (columns.unique_id, columns.ds, columns.y) if name in names]


def _rename(table: pd.DataFrame, dataset: DatasetConfig) -> pd.DataFrame:
    columns = dataset.columns
    names = {columns.unique_id: "unique_id", columns.ds: "ds", columns.y: "y"}
    table = table.rename(columns=names)
    if "unique_id" not in table:
        table.insert(0, "unique_id", pd.Series(dataset.name, table.index, dtype="category"))
    return table


def _lengthen(table: pd.DataFrame, dataset: DatasetConfig) -> pd.DataFrame:
    """Return one row per time and column of a wide table."""
    long = table.rename(columns={dataset.columns.ds: "ds"}).melt(
        id_vars="ds", var_name="unique_id", value_name="y", ignore_index=False
    )
    return long[["unique_id", "ds", "y"]]


@contextmanager
def _refusing_unreadable_files(file: str) -> Iterator[None]:
    """Turn the errors of pandas and Arrow into a refusal of `file`."""
    try:
        yield
    except pd.errors.EmptyDataError:
        raise DataRefused(
            "a header and rows are needed", found="an empty file", file=file, remedy="fill it"
        ) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        line = re.search(r"in line (\d+)", str(error))
        raise DataRefused(
            "every row must have as many cells as the header",
            found=str(error).strip(),
            file=file,
            row=int(line[1]) if line else None,
            remedy="quote cells that hold a separator",
        ) from None
    except (UnicodeDecodeError, pa.ArrowException, OSError, EOFError) as error:
        raise DataRefused(
            "must be a table in the format of its ending, text in UTF-8",
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            file=file,
            remedy="write it again as CSV or Parquet",
        ) from None
