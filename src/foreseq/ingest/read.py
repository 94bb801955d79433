"""Files to long tables: columns are renamed, values are not checked yet.

The index of a table is the row number in the file: the line of a CSV (the header being line 1), or
the row of Parquet counted from 1.
"""

import csv
import json
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as parquet

from foreseq.config import ColumnsConfig, DatasetConfig
from foreseq.config.dataset import without_secrets
from foreseq.errors import ConfigError, DataRefused
from foreseq.ingest import covariates, joined, notation, roles, text
from foreseq.ingest.fetch import fetch
from foreseq.ingest.repairs import READING
from foreseq.ingest.roles import Cells

TEXT_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
PARQUET_ENDINGS = (".parquet", ".pq")
EXCEL_ENDINGS = (".xlsx", ".xlsm")
UNREADABLE = (
    OSError,
    EOFError,
    NotImplementedError,
    UnicodeError,
    csv.Error,
    json.JSONDecodeError,
    zlib.error,
    ElementTree.ParseError,
    pa.ArrowException,
)
"""What libraries raise on damaged files, and on those that cannot be opened."""


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
    name, file = path.name.lower(), without_secrets(dataset.source)
    with _refusing_unreadable_files(file):
        if path.is_dir() or name.endswith(PARQUET_ENDINGS):
            cells = _read_parquet(path, dataset)
        elif name.endswith(TEXT_ENDINGS):
            cells = text.read(path, dataset)
        elif name.endswith(EXCEL_ENDINGS):
            cells = _read_excel(path, dataset)
        else:
            endings = (*TEXT_ENDINGS, *PARQUET_ENDINGS, *EXCEL_ENDINGS)
            raise DataRefused(
                "the source must end in " + ", ".join(endings),
                found=path.suffix or "no ending",
                file=file,
                remedy="rename the file, or convert it to CSV or Parquet",
            )
    if dataset.layout == "wide":
        table = _lengthen(cells.table, cells.columns)
    else:
        table = _rename(cells.table, cells.columns, dataset)
    if "unique_id" not in table:
        table.insert(0, "unique_id", pd.Series(dataset.name, table.index, dtype="category"))
    table["ds"], dates = notation.times(table["ds"], dataset.csv, file)
    doubt_dots = cells.separator == ";"
    table["y"], marks = notation.numbers(table["y"], dataset.csv, file, doubt_dots=doubt_dots)
    for name in table.columns.difference(["unique_id", "ds", "y"]):
        table[name], _ = notation.numbers(table[name], dataset.csv, file, doubt_dots=doubt_dots)
    table.attrs[READING] = ", ".join(note for note in (*cells.notes, dates, marks) if note)
    if dataset.future or dataset.static:
        with _refusing_unreadable_files(f"{dataset.future or dataset.static}"):
            return joined.read(table, dataset.model_copy(update={"columns": cells.columns}))
    return table


def open_parquet(
    path: Path, dataset: DatasetConfig
) -> tuple[parquet.FileSystemDataset, ColumnsConfig, str]:
    """Return a Parquet file or folder, the names of its columns, and in words what was guessed.

    Raises:
        DataRefused: If a column is missing.
    """
    source = parquet.dataset(path, format="parquet", partitioning="hive")
    if path.is_dir() and not source.files:
        raise DataRefused(
            "a folder must hold Parquet files",
            found="none",
            file=without_secrets(dataset.source),
            remedy="for CSV set dataset.source to the file, not its folder",
        )

    def sample() -> pd.DataFrame:
        head: pd.DataFrame = source.head(roles.SAMPLE).to_pandas(ignore_metadata=True)
        return head

    columns, guessed = roles.find(source.schema.names, dataset, sample)
    return _open(path, columns.unique_id), columns, guessed


def _open(path: Path, ids: str) -> parquet.FileSystemDataset:
    """Open Parquet files such that ids are as written, in every file and in names of folders.

    Arrow takes the types from the first file, and reads `id=007` in the name of a folder as 7.
    """
    pa.array(pd.PeriodIndex([], freq="D").array)  # lets Arrow know the types of pandas
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


def _read_parquet(path: Path, dataset: DatasetConfig) -> Cells:
    source, columns, guessed = open_parquet(path, dataset)
    names = source.schema.names
    if dataset.layout == "long":
        wanted = list(columns.model_dump().values())
        beside = covariates.names(dataset, names, wanted)
        names = [name for name in wanted if name in names] + beside
    table: pd.DataFrame = source.to_table(columns=names).to_pandas(
        ignore_metadata=True, date_as_object=False
    )
    table.index += 1
    return Cells(table, columns, [guessed])


def _read_excel(path: Path, dataset: DatasetConfig) -> Cells:
    try:
        with pd.ExcelFile(path, engine="openpyxl") as book:
            sheets = [str(name) for name in book.sheet_names]
            cells = pd.read_excel(book, header=None, dtype=object, na_filter=False)
    except ImportError:
        raise ConfigError("Excel files need openpyxl; run `uv sync --extra excel`") from None
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise OSError(str(error)) from None
    if cells.empty:
        raise pd.errors.EmptyDataError
    first, rest = [str(cell).strip() for cell in cells.iloc[0]], cells.iloc[1:]
    header = rest.empty or text.has_header(cells.iloc[0].tolist(), rest, dataset)
    names = first if header else [str(n) for n in range(1, len(first) + 1)]
    table = (rest if header else cells).set_axis(names, axis="columns").replace("", None)
    columns, guessed = roles.find(names, dataset, lambda: table.head(roles.SAMPLE))
    table.index += 1
    notes = [
        f"sheet {sheets[0]!r} of {len(sheets)}" if len(sheets) > 1 else "",
        "" if header else "no header",
        guessed,
    ]
    return Cells(table, columns, notes)


def _rename(table: pd.DataFrame, columns: ColumnsConfig, dataset: DatasetConfig) -> pd.DataFrame:
    """Return the three columns of a long table under our names, then those beside them."""
    names = {columns.unique_id: "unique_id", columns.ds: "ds", columns.y: "y"}
    beside = covariates.names(dataset, [str(name) for name in table], list(names))
    table = table[[*(name for name in names if name in table), *beside]]
    return table.rename(columns=names)


def _lengthen(table: pd.DataFrame, columns: ColumnsConfig) -> pd.DataFrame:
    """Return one row per time and column of a wide table."""
    long = table.rename(columns={columns.ds: "ds"}).melt(
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
        cells = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        raise DataRefused(
            "every row must have as many cells as the header",
            found=f"{cells[3]} instead of {cells[1]}" if cells else "",
            file=file,
            row=int(cells[2]) if cells else None,
            remedy="quote cells that hold a separator, or set dataset.csv.separator",
        ) from None
    except UNREADABLE as error:
        damaged = "a file that is damaged, cut off or of another format"
        raise DataRefused(
            "must be a table in the format of its ending",
            found=getattr(error, "strerror", None) or damaged,  # such as Permission denied
            file=file,
            remedy="fetch it again, or write it again as CSV or Parquet",
        ) from None
