"""Forecasts of a folder as a CSV or Excel file, or as rows of a database's table.

A file appears whole or not at all. In a table the rows of the same series and cutoff are replaced
within one transaction: whoever reads it sees the old ones or the new ones, also if this process is
killed in between. With them go rows of the newest cutoff that the same model made for series which
it no longer forecasts. Other rows stay, so that a table may hold many nights and several models.
"""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from foreseq.durable import files
from foreseq.errors import ConfigError, Unavailable
from foreseq.forecasting.output import EXCEL, PRETRAINED, Output
from foreseq.ingest import database
from foreseq.ingest.fetch import expand

FIRST = ["unique_id", "ds", "y_hat"]
"""Columns that every forecast table begins with."""
KEY = ("cutoff", "unique_id", "ds")
"""Of the table: no step of a series is there twice for one cutoff."""
MOST_ROWS = 1_048_575
"""Of an Excel sheet, below its header."""
ID, TIME = 250, 40
"""Letters of an id or version, and of a time with its zone as text."""


def check(output: Output) -> None:
    """Check that forecasts can be exported, if they are to be, before the work of making them.

    Raises:
        ConfigError: If a file is there that holds no forecasts, or a package is missing.
        Unavailable: If the database does not answer.
    """
    if not output.export:
        return
    if output.is_table:
        engine = _connect(output)
        try:
            with engine.connect():
                pass
        except SQLAlchemyError as error:
            raise _refused(error, engine, output) from None
        finally:
            engine.dispose()
        return
    file = Path(output.export)
    if file.suffix.lower() == EXCEL:
        _excel()
    if file.exists() and _header(file)[: len(FIRST)] != FIRST:
        raise ConfigError(f"{file}: is there and holds no forecasts; name another --output")


def write(tables: Iterator[pd.DataFrame], output: Output) -> int:
    """Write forecast tables of the same columns to where `output.export` says; return their rows.

    Where it says nothing, nothing is written.

    Raises:
        ConfigError: If the rows are too many for Excel, or do not fit the table that is there.
        Unavailable: If the database does not answer.
    """
    if not output.export:
        return 0
    if output.is_table:
        return _to_database(tables, output)
    file = Path(output.export)
    with files.new_file(file.absolute()) as temporary:
        to_file = _to_excel if file.suffix.lower() == EXCEL else _to_csv
        return to_file(tables, temporary)


def _to_csv(tables: Iterator[pd.DataFrame], file: Path) -> int:
    rows = 0
    with file.open("w", encoding="utf-8", newline="") as stream:
        for number, table in enumerate(tables):
            table.to_csv(stream, index=False, header=number == 0)
            rows += len(table)
    return rows


def _to_excel(tables: Iterator[pd.DataFrame], file: Path) -> int:
    openpyxl, rows = _excel(), 0
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("forecasts")
    for number, table in enumerate(tables):
        if number == 0:
            sheet.append(list(table.columns))
        rows += len(table)
        if rows > MOST_ROWS:
            sheet.close()
            raise ConfigError(
                f"Excel holds {MOST_ROWS:,} rows, found more; take a .csv or a folder"
            )
        zones = table.select_dtypes("datetimetz").columns
        plain = table.assign(**{name: _as_text(table[name]) for name in zones})  # it has no zones
        for row in plain.itertuples(index=False):
            sheet.append([_cell(openpyxl, sheet, value) for value in row])
    book.save(file)
    return rows


def _cell(openpyxl: Any, sheet: Any, value: Any) -> Any:
    """Return a value for a cell; text is text, even if it begins like a formula."""
    if not isinstance(value, str):
        return value
    cell = openpyxl.cell.WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    return cell


def _excel() -> Any:
    try:
        import openpyxl  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError("Excel files need openpyxl; run `uv sync --extra excel`") from None
    return openpyxl


def _header(file: Path) -> list[Any]:
    """Return the first row of a file; nothing if it is not of its kind."""
    try:
        if file.suffix.lower() == EXCEL:
            book = _excel().load_workbook(file, read_only=True)
            rows = list(islice(book.active.iter_rows(values_only=True), 1))
            book.close()
            return list(rows[0]) if rows else []
        with file.open(encoding="utf-8", newline="") as stream:
            return next(csv.reader(stream), [])
    except (OSError, ValueError, KeyError, csv.Error, BadZipFile):
        return []


def _to_database(tables: Iterator[pd.DataFrame], output: Output) -> int:
    engine, rows = _connect(output), 0
    newest, kept = None, set[Any]()
    try:
        with engine.begin() as connection:
            for frame in tables:
                table, values = _table(connection, frame, output)
                rows += _replace(connection, table, values)
                if len(frame) and (newest is None or frame["cutoff"].max() > newest):
                    newest, kept = frame["cutoff"].max(), set()
                    last = values.iloc[int(frame["cutoff"].argmax())]
                kept.update(values.loc[frame["cutoff"] == newest, "unique_id"])
            if kept:
                _drop_others(connection, table, last, kept)
    except SQLAlchemyError as error:
        raise _refused(error, engine, output) from None
    finally:
        engine.dispose()
    return rows


def _table(
    connection: sa.Connection, frame: pd.DataFrame, output: Output
) -> tuple[sa.Table, pd.DataFrame]:
    """Return the table in the database, made if it is not there, and the rows as it takes them."""
    columns, values = [], frame.astype(object)
    for name in map(str, frame.columns):
        kind, values[name] = _typed(frame[name], connection.dialect.name)
        columns.append(sa.Column(name, kind, autoincrement=False))
    schema, _, name = output.table.rpartition(".")
    key = sa.PrimaryKeyConstraint(*KEY)  # in this order, so that it finds the rows to replace
    table = sa.Table(name, sa.MetaData(), *columns, key, schema=schema or None)
    table.create(connection, checkfirst=True)
    there = {one["name"] for one in sa.inspect(connection).get_columns(name, schema or None)}
    if missing := [column.name for column in columns if column.name not in there]:
        raise ConfigError(
            f"{output.shown}: needs the column {missing[0]}, found none; add it, or name another"
            " --table"
        )
    return table, values


def _typed(column: "pd.Series[Any]", dialect: str) -> tuple[Any, "pd.Series[Any]"]:
    """Return the type of a column in a database, and its values.

    Times that the database would change are text: with a zone, for all but PostgreSQL, and with
    nanoseconds.
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind == "M":
        zoned = isinstance(column.dtype, pd.DatetimeTZDtype)
        if (zoned and dialect != "postgresql") or column.dt.nanosecond.any():
            return sa.String(TIME), _as_text(column).astype(object)
        times = [time.to_pydatetime() for time in column]
        return sa.DateTime(timezone=zoned), pd.Series(times, column.index, dtype=object)
    if column.dtype.kind == "f":
        return sa.Double(), column.astype(object)
    if column.dtype.kind in "iu":
        return sa.BigInteger(), column.astype(object)
    return sa.String(ID), column.astype(object)


def _replace(connection: sa.Connection, table: sa.Table, values: pd.DataFrame) -> int:
    """Replace the rows of the same series and cutoff; return how many there are now."""
    if values.empty:
        return 0
    old = values[["unique_id", "cutoff"]].drop_duplicates()
    mine = [{"series": series, "until": cutoff} for series, cutoff in old.to_numpy().tolist()]
    connection.execute(
        sa.delete(table).where(
            table.c.unique_id == sa.bindparam("series"), table.c.cutoff == sa.bindparam("until")
        ),
        mine,
    )
    connection.execute(
        sa.insert(table), [{str(k): v for k, v in row.items()} for row in values.to_dict("records")]
    )
    return len(values)


def _drop_others(
    connection: sa.Connection, table: sa.Table, last: "pd.Series[Any]", kept: set[Any]
) -> None:
    """Delete rows of the same model and cutoff as the row `last`, but not of series in `kept`."""
    model, _, number = str(last["model_version"]).rpartition("/")
    if not number or model == PRETRAINED:  # its other series may be those of other data
        return
    same = (table.c.cutoff == last["cutoff"]) & table.c.model_version.startswith(
        f"{model}/", autoescape=True
    )
    series = connection.scalars(sa.select(table.c.unique_id).where(same).distinct())
    if gone := [{"series": one} for one in series if one not in kept]:
        connection.execute(
            sa.delete(table).where(same, table.c.unique_id == sa.bindparam("series")), gone
        )


def _as_text(times: "pd.Series[Any]") -> "pd.Series[Any]":
    return times.map(lambda time: time.isoformat())


def _connect(output: Output) -> sa.Engine:
    return database.connect(expand(output.export, "--output"), f"--output {output.shown}")


def _refused(error: SQLAlchemyError, engine: sa.Engine, output: Output) -> Exception:
    """Return the refusal of a database, in its words and without the password."""
    found = database.reason(error, engine.url)
    if database.is_away(error, engine.url):
        return Unavailable(f"{output.shown}: cannot be reached ({found}); check --output")
    return ConfigError(f"{output.shown}: refused ({found}); check its columns and your rights")
