"""Databases: what a query answers is read like a file, and no password is ever kept or shown."""

import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
import sqlalchemy as sa

from foreseq.config import DatasetConfig, build_experiment
from foreseq.errors import ConfigError, DataRefused, Unavailable
from foreseq.forecasting import export
from foreseq.forecasting.output import parse
from foreseq.ingest.fetch import fetch
from foreseq.ingest.store import ingest
from foreseq.series import panel

ROWS = [("a", "2024-01-01", 1.5), ("a", "2024-01-02", 2.5), ("b", "2024-01-01", 3.5)]


def dataset(source: str, query: str, **fields) -> DatasetConfig:
    return DatasetConfig(name="shop", source=source, query=query, horizon=1, freq="D", **fields)


def fill(url: str, ds: str = "TEXT") -> None:
    """Write a table `sales` into a database."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE sales (shop TEXT, day {ds}, price NUMERIC)"))
        for row in ROWS:
            values = dict(zip(("shop", "day", "price"), row, strict=True))
            connection.execute(sa.text("INSERT INTO sales VALUES (:shop, :day, :price)"), values)
    engine.dispose()


@pytest.fixture
def sqlite(tmp_path) -> str:
    url = f"sqlite:///{tmp_path}/shop.db"
    fill(url)
    return url


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Return the URL of a PostgreSQL server with a database, without its password."""
    pytest.importorskip("psycopg2", reason="needs foreseq[server]")
    found = shutil.which("initdb") or next(
        map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None
    )
    if found is None:
        pytest.skip("PostgreSQL's server is not installed")
    programs = Path(found).resolve().parent
    user = {"user": "postgres"} if os.geteuid() == 0 else {}  # it refuses to run as root
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:

        def call(program: str, *words: str) -> None:
            subprocess.run(  # noqa: S603 our own words
                [programs / program, "-D", f"{folder}/data", *words],
                check=True, cwd=folder, stdout=subprocess.DEVNULL, **user,
            )  # fmt: skip

        secret = Path(folder) / "secret"
        secret.write_text("hush")
        for path in (folder, secret) if user else ():
            shutil.chown(path, "postgres")
        call("initdb", "-A", "scram-sha-256", "-U", "me", "--pwfile", str(secret))
        options = f"-p {port} -k {folder} -h 127.0.0.1"
        call("pg_ctl", "-w", "-o", options, "-l", f"{folder}/log", "start")
        try:
            fill(f"postgresql://me:hush@127.0.0.1:{port}/postgres", "DATE")
            yield f"postgresql://me@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-m", "immediate", "stop")


COLUMNS = {"unique_id": "shop", "ds": "day", "y": "price"}


@pytest.mark.parametrize("query", ["sales", "SELECT shop, day, price FROM sales ORDER BY day"])
def test_a_table_and_a_query_are_read_like_a_file(sqlite, tmp_path, query):
    config = dataset(sqlite, query, columns=COLUMNS)
    ingested = ingest(config, tmp_path / "series")
    made = panel.load(ingested.folder)
    assert made.ids.tolist() == ["a", "b"]
    assert made.values.tolist() == [1.5, 2.5, 3.5]
    assert ingest(config, tmp_path / "series").fresh is False


def test_columns_of_a_database_are_guessed_and_said(sqlite, tmp_path):
    ingested = ingest(dataset(sqlite, "sales"), tmp_path / "series")
    assert ingested.repairs.reading == "ds from 'day', y from 'price', unique_id from 'shop'"


def test_new_rows_of_a_database_are_a_new_version(sqlite, tmp_path):
    config = dataset(sqlite, "sales")
    ingest(config, tmp_path / "series")
    with closing(sqlite3.connect(sqlite.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("INSERT INTO sales VALUES ('b', '2024-01-02', 4.5)")
    assert ingest(config, tmp_path / "series").changes == "1 steps appended"


def test_a_query_changes_nothing(sqlite, tmp_path):
    with pytest.raises(DataRefused):
        fetch(dataset(sqlite, "DELETE FROM sales"), tmp_path / "raw")
    assert panel.load(ingest(dataset(sqlite, "sales"), tmp_path / "series").folder).n_series == 2


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("nosuch", "the database must answer the query, found no such table: nosuch"),
        ("SELECT * FORM sales", "found near"),
        ("SELECT day AS ds, price AS ds FROM sales", "must have its own name, found 'ds' twice"),
    ],
)  # fmt: skip
def test_a_query_that_fails_is_refused_in_the_words_of_the_database(sqlite, tmp_path, query, says):
    with pytest.raises(DataRefused) as caught:
        fetch(dataset(sqlite, query), tmp_path / "raw")
    assert says in str(caught.value)
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_database_that_is_not_there_is_refused_and_not_made(tmp_path):
    with pytest.raises(DataRefused, match="the database must exist, found no such file"):
        fetch(dataset(f"sqlite:///{tmp_path}/no.db", "sales"), tmp_path / "raw")
    assert not (tmp_path / "no.db").exists()


@pytest.mark.parametrize("url", ["sqlite:///shop.db", "postgresql://me@host/shop"])
def test_a_database_needs_a_query(tmp_path, url):
    with pytest.raises(ConfigError, match=r"dataset\.query: .* is a database; set it to a SELECT"):
        fetch(dataset(url, ""), tmp_path)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("carrierpigeon://coop/shop", "sqlalchemy.dialects:carrierpigeon"),
        ("shop.csv", "ArgumentError"),
        ("mysql+nosuchdriver://host/shop", "nosuchdriver"),
    ],
)
def test_a_source_that_is_no_database_is_a_mistake_of_the_configuration(tmp_path, url, says):
    with pytest.raises(ConfigError, match=r"sqlite:///FILE") as caught:
        fetch(dataset(url, "sales"), tmp_path)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "postgresql://me:hush@host/shop",
        "postgresql://me:one/hush@host/shop",
        "postgresql://host/shop?user=me&password=hush",
    ],
)
def test_a_password_in_a_config_is_refused_and_not_shown(source):
    with pytest.raises(ConfigError, match=r"write \$\{NAME\}") as caught:
        build_experiment({"dataset": {"source": source, "query": "sales", "horizon": 1}})
    assert "hush" not in str(caught.value)


def test_postgresql_is_read_with_a_password_of_the_environment(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "hush")
    config = dataset(postgres.replace("me@", "me:${SHOP_PASSWORD}@"), "public.sales")
    ingested = ingest(config, tmp_path / "series")
    made = panel.load(ingested.folder)
    assert made.values.tolist() == [1.5, 2.5, 3.5]
    assert made.freq == "D"
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"hush" not in kept
    monkeypatch.setenv("DATABASE_URL", postgres.replace("me@", "me:hush@"))
    whole = ingest(dataset("${DATABASE_URL}", "SELECT * FROM sales"), tmp_path / "series")
    assert whole.fingerprint == ingested.fingerprint


def test_a_wrong_password_is_refused_and_not_shown(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "wrongly")
    config = dataset(postgres.replace("me@", "me:${SHOP_PASSWORD}@"), "sales")
    with pytest.raises(DataRefused, match="password authentication failed") as caught:
        fetch(config, tmp_path / "raw")
    assert "wrongly" not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError), "worth a retry"


def test_forecasts_sent_to_postgresql_are_replaced_by_night_and_keep_their_zone(
    postgres, monkeypatch
):
    monkeypatch.setenv("DATABASE_URL", postgres.replace("me@", "me:hush@"))
    days = pd.date_range("2024-03-30", periods=3, tz="Europe/Berlin")
    table = pd.DataFrame({"unique_id": "007", "ds": days[1:], "y_hat": [1.0, 2.0]})
    table = table.assign(cutoff=days[0], model_version="shop/1")
    output = parse("${DATABASE_URL}", table="public.forecasts")
    export.check(output)
    for value in (5.0, 7.0):
        export.write(iter([table.assign(y_hat=value)]), output)
    engine = sa.create_engine(os.environ["DATABASE_URL"])
    found = pd.read_sql("SELECT * FROM public.forecasts", engine)
    engine.dispose()
    assert found["y_hat"].tolist() == [7.0, 7.0]
    assert found["unique_id"].tolist() == ["007", "007"]
    assert (pd.to_datetime(found["ds"], utc=True) == table["ds"]).all()
    assert "hush" not in output.model_dump_json()


def test_a_database_that_refuses_forecasts_is_quoted_without_the_password(postgres, monkeypatch):
    monkeypatch.setenv("SECRET", "wrongly")
    output = parse(postgres.replace("me@", "me:${SECRET}@"))
    with pytest.raises(Unavailable, match="password authentication failed") as caught:
        export.check(output)
    assert "wrongly" not in str(caught.value)
