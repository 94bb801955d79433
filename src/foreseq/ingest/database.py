"""Tables and queries of databases, by SQLAlchemy URL, copied as Parquet."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError

from foreseq.config import DatasetConfig
from foreseq.config.dataset import without_secrets
from foreseq.errors import ConfigError, DataRefused

ROWS = "rows.parquet"


def copy(dataset: DatasetConfig, source: str, folder: Path) -> None:
    """Write the rows that a query selects as `rows.parquet` into a folder.

    Nothing is written to the database: its transaction is rolled back.

    Args:
        dataset: Its `query`.
        source: SQLAlchemy URL, in which variables of the environment are filled in.
        folder: For the copy.

    Raises:
        ConfigError: If the URL is none, or its driver is not installed.
        DataRefused: If the database does not answer, or refuses the query.
    """
    shown = without_secrets(dataset.source)
    engine = connect(source, f"dataset.source: {shown}")
    _require_existing(engine.url, shown)
    try:
        with engine.connect() as connection:
            rows = connection.execute(_select(dataset.query))
            cells = [tuple(row) for row in rows]
            table = pd.DataFrame.from_records(cells, columns=list(rows.keys()), coerce_float=True)
    except SQLAlchemyError as error:
        raise DataRefused(
            "the database must answer the query",
            found=reason(error, engine.url),
            file=shown,
            remedy="check dataset.source, dataset.query and the rights of the user",
        ) from (ConnectionError() if is_away(error, engine.url) else None)  # which a retry can help
    finally:
        engine.dispose()
    pq.write_table(_to_arrow(table, shown), folder / ROWS)


def connect(source: str, what: str) -> sa.Engine:
    """Return what connects to a database, which it does not yet.

    Args:
        source: SQLAlchemy URL with its password.
        what: Field or option and URL for messages, without the password.

    Raises:
        ConfigError: If the URL is none, or its driver is not installed.
    """
    try:
        return sa.create_engine(sa.make_url(source))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        # the text of other errors may hold the password
        is_safe = isinstance(error, NoSuchModuleError | ImportError)
        reason = str(error) if is_safe else type(error).__name__
        raise ConfigError(
            f"{what} is no database that can be reached ({reason}); write it as"
            " postgresql://USER@HOST/DATABASE or sqlite:///FILE, and install the driver: that of"
            " PostgreSQL comes with foreseq[server]"
        ) from None


def reason(error: SQLAlchemyError, url: URL) -> str:
    """Return the database's own words in one line, without the password."""
    words = str(getattr(error, "orig", None) or type(error).__name__).split("\n", 1)[0]
    return words.replace(str(url.password), "***") if url.password else words


def is_away(error: SQLAlchemyError, url: URL) -> bool:
    """Return whether the database may answer later."""
    return isinstance(error, OperationalError) and url.get_backend_name() != "sqlite"


def _require_existing(url: URL, shown: str) -> None:
    """Refuse a file that is not there, which SQLite would make."""
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise DataRefused(
            "the database must exist",
            found="no such file",
            file=shown,
            remedy=f"check dataset.source; a relative path starts at {Path.cwd()}",
        )


def _select(query: str) -> sa.Executable:
    """Return the statement of a query, or that selects all of a table."""
    if re.search(r"\s", query.strip()):
        return sa.text(query.replace(":", r"\:"))  # a colon would be a parameter
    schema, _, name = query.strip().rpartition(".")
    return sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None))


def _to_arrow(table: pd.DataFrame, shown: str) -> pa.Table:
    if table.columns.has_duplicates:
        raise DataRefused(
            "every column must have its own name",
            found=f"{table.columns[table.columns.duplicated()][0]!r} twice",
            file=shown,
            remedy="rename one of them in dataset.query with AS",
        )
    try:
        return pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata()
    except (pa.ArrowException, TypeError):  # such as UUIDs
        texts: dict[Any, Any] = {
            name: column.map(str, na_action="ignore")
            for name, column in table.items()
            if column.dtype == object
        }
        return pa.Table.from_pandas(table.assign(**texts), preserve_index=False)
