"""Text files of cells: encoding, separator and header are recognised, unless they are set."""

import codecs
import csv
import gzip
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from foreseq.config import DatasetConfig
from foreseq.config.dataset import without_secrets
from foreseq.errors import DataRefused
from foreseq.ingest import roles
from foreseq.ingest.notation import kind
from foreseq.ingest.roles import Cells

T = TypeVar("T")
EMPTY = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
"""Cells of a CSV that are an empty y."""
SEPARATORS = (";", "\t", "|", ",")
"""The likelier ones first, as a comma may be in a number."""
HEAD = 1 << 16
"""Bytes looked at to recognise a file."""
MOSTLY = 0.7
"""Above this share of zeros in every other byte, a text is in UTF-16."""
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""First bytes to encoding."""


class _Form(NamedTuple):
    """How a file is written."""

    encoding: str
    separator: str
    header: bool
    names: list[str]
    """Of the header; without one, positions from 1."""


def read(path: Path, dataset: DatasetConfig) -> Cells:
    """Return the columns of a text file; ids and times are the text that was written.

    Raises:
        DataRefused: If a column is missing, or the text is in none of the usual encodings.
    """
    return _decoded(path, dataset, partial(_read, path, dataset))


def read_any(path: Path, dataset: DatasetConfig) -> pd.DataFrame:
    """Return the cells of a text file whatever columns it has; ids and times are text.

    Raises:
        DataRefused: If the text is in none of the usual encodings.
    """
    texts = {dataset.columns.unique_id, dataset.columns.ds}

    def load(encoding: str) -> pd.DataFrame:
        form = _recognize(path, dataset, encoding)
        return _load(path, form, [name for name in form.names if name in texts])

    return _decoded(path, dataset, load)


def has_header(first: list[Any], rest: pd.DataFrame, dataset: DatasetConfig) -> bool:
    """Return whether a first row names columns rather than holding data.

    Args:
        first: Its cells.
        rest: The next rows.
        dataset: Names that make it a header.
    """
    wanted = {name.strip().casefold() for name in dataset.columns.model_dump().values()}
    if any(str(c).strip().casefold() in wanted and not str(c).strip().isdigit() for c in first):
        return True
    times = [n for n, cell in enumerate(first) if kind(pd.Series([cell], dtype=object)) == "time"]
    return not times or any(kind(rest.iloc[:, n]) != "time" for n in times)


def _decoded(path: Path, dataset: DatasetConfig, load: Callable[[str], T]) -> T:
    """Return what is loaded in the likeliest encoding in which the file can be read."""
    *first, last = _encodings(path, dataset)
    for encoding in first:
        try:
            return load(encoding)
        except UnicodeDecodeError:
            continue
    return load(last)


def _read(path: Path, dataset: DatasetConfig, encoding: str) -> Cells:
    form = _recognize(path, dataset, encoding)
    with warnings.catch_warnings():
        # More cells than the header has. All columns are read for the same reason: pandas counts
        # no cells where it reads some columns only, and would take y 1,5 for 1.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        columns, guessed = roles.find(form.names, dataset, partial(_load, path, form))
        texts = [columns.ds]
        if dataset.layout == "long" and columns.unique_id in form.names:
            texts.append(columns.unique_id)
        marked = dataset.csv.decimal or dataset.csv.thousands or form.separator == ";"
        # as written: an id 007 stays 007, and 1.234 may be 1234
        table = _load(path, form, form.names if marked else texts, texts)
    table = table.astype(dict.fromkeys(texts, "category"))
    table.index += 2 if form.header else 1
    usual = "\t" if ".tsv" in path.name.lower() else ","
    notes = [
        f"separator {form.separator!r}" if form.separator != usual else "",
        f"encoding {form.encoding}" if not form.encoding.startswith("utf-8") else "",
        "" if form.header else "no header",
        guessed,
    ]
    return Cells(table, columns, notes, form.separator)


def _load(
    path: Path, form: _Form, as_text: list[str] | None = None, filled: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the cells of a file.

    Args:
        path: The file.
        form: How it is written.
        as_text: Columns that are not turned into numbers; None: none are, and only a sample of the
            rows is read.
        filled: Columns in which `NA` and the like are text.
    """
    table: pd.DataFrame = pd.read_csv(
        path,
        sep=form.separator,
        header=0 if form.header else None,
        names=form.names,
        index_col=False,
        nrows=roles.SAMPLE if as_text is None else None,
        dtype=dict.fromkeys(form.names if as_text is None else as_text, object),
        keep_default_na=False,
        na_values={name: list(EMPTY) for name in form.names if name not in filled},
        skip_blank_lines=False,
        skipinitialspace=True,
        low_memory=False,
        encoding=form.encoding,
    )
    return table


def _encodings(path: Path, dataset: DatasetConfig) -> list[str]:
    """Return the encodings that a file may have, the likeliest first."""
    if dataset.csv.encoding is not None:
        return [dataset.csv.encoding]
    head = _head(path)
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return [encoding]
    for encoding, zeros in (("utf-16-be", head[::2]), ("utf-16-le", head[1::2])):
        if zeros.count(0) > MOSTLY * len(zeros):  # UTF-16 without a mark
            return [encoding]
    return ["utf-8", "cp1252"]


def _recognize(path: Path, dataset: DatasetConfig, encoding: str) -> _Form:
    text = _head(path).decode(encoding, errors="ignore")
    if "\0" in text:
        raise DataRefused(
            "must be a table in the format of its ending",
            found="bytes that are no text",
            file=without_secrets(dataset.source),
            remedy="write it again as CSV or Parquet, or set dataset.csv.encoding",
        )
    lines = text.removeprefix("\ufeff").splitlines()
    lines = lines[:-1] if len(text) >= HEAD // 4 and len(lines) > 1 else lines
    if not any(lines):
        raise pd.errors.EmptyDataError
    usual = "\t" if ".tsv" in path.name.lower() else ","
    separator = dataset.csv.separator or _separator(lines, usual)
    rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    first = [cell.strip() for cell in rows[0]]
    rest = pd.DataFrame([row for row in rows[1:] if len(row) == len(first)], dtype=object)
    if rest.empty or has_header(first, rest, dataset):
        return _Form(encoding, separator, True, first)
    return _Form(encoding, separator, False, [str(n) for n in range(1, len(first) + 1)])


def _separator(lines: list[str], usual: str) -> str:
    """Return the separator that the header has, and that gives most rows as many cells."""
    merits = {}
    for separator in SEPARATORS:
        cells = [len(row) for row in csv.reader(lines, delimiter=separator, skipinitialspace=True)]
        alike = sum(count == cells[0] for count in cells) if cells[0] > 1 else 0
        merits[separator] = (alike, cells[0])
    best = max(merits, key=lambda separator: merits[separator])
    return best if merits[best][0] else usual


def _head(path: Path) -> bytes:
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
        return stream.read(HEAD)
