"""Forecasts as files and tables: whole or not at all, and never over what is no forecast."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pandas as pd
import pytest

from foreseq.errors import ConfigError
from foreseq.forecasting import export
from foreseq.forecasting.output import Output, parse

DAYS = pd.date_range("2024-03-30", periods=3, tz="Europe/Berlin")
KILLED = """
import os, signal, sys
import pandas as pd, sqlalchemy as sa
from foreseq.forecasting import export
from foreseq.forecasting.output import parse

@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def die(connection, cursor, statement, parameters, context, many):
    if statement.startswith("INSERT"):
        cursor.execute(statement, parameters[0])  # the first row, and no more
        assert connection.exec_driver_sql("SELECT count(*) FROM forecasts").scalar() == 1
        os.kill(os.getpid(), signal.SIGKILL)

table = pd.read_csv("new.csv", dtype={"unique_id": str})
export.write(iter([table]), parse(sys.argv[1]))
"""


def frame(ids=("007", "b"), value=1.0, days=DAYS, version="shop/1"):
    """Return a forecast table from one cutoff."""
    rows = [(name, day, value) for name in ids for day in days[1:]]
    table = pd.DataFrame(rows, columns=["unique_id", "ds", "y_hat"])
    return table.assign(q10=value - 1, cutoff=days[0], model_version=version)


def write(output: str, *tables, **fields) -> Output:
    place = parse(output, **fields)
    export.check(place)
    assert export.write(iter(tables), place) == sum(map(len, tables))
    return place


def rows_of(database, table="forecasts"):
    with closing(sqlite3.connect(database)) as connection:
        return pd.read_sql(f"SELECT * FROM {table} ORDER BY unique_id, cutoff, ds", connection)  # noqa: S608 ours


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_a_file_holds_what_the_folder_holds(tmp_path, name):
    write(f"{tmp_path}/{name}", frame(["007"]), frame(["=1+1"]))
    read = pd.read_csv if name == "out.csv" else pd.read_excel
    found = read(tmp_path / name, dtype={"unique_id": str})
    for column in ("ds", "cutoff"):
        found[column] = pd.to_datetime(found[column], utc=True).dt.tz_convert("Europe/Berlin")
    expected = frame(["007", "=1+1"])
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    write(f"{tmp_path}/{name}", frame(["c"]))  # ours may be replaced
    assert len(read(tmp_path / name)) == 2


@pytest.mark.parametrize("name", ["my.csv", "my.xlsx"])
def test_a_file_that_holds_no_forecasts_is_kept(tmp_path, name):
    (tmp_path / name).write_text("unique_id,ds,y\na,2024-01-01,5\n")
    with pytest.raises(ConfigError, match="holds no forecasts; name another --output"):
        export.check(parse(f"{tmp_path}/{name}"))
    assert (tmp_path / name).read_text().endswith("a,2024-01-01,5\n")


def test_more_rows_than_excel_holds_leave_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "MOST_ROWS", 3)
    with pytest.raises(ConfigError, match="Excel holds 3 rows"):
        export.write(iter([frame()]), parse(f"{tmp_path}/out.xlsx"))
    assert not list(tmp_path.iterdir())


def test_rows_of_the_same_series_and_cutoff_are_replaced_and_others_stay(tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    write(url, frame(value=1.0))
    write(url, frame(["b", "c"], value=5.0, version="other/2"))
    write(url, frame(["b"], value=7.0, days=DAYS + pd.Timedelta(1, "D")))
    found = rows_of(tmp_path / "shop.db")
    assert found["unique_id"].tolist() == ["007"] * 2 + ["b"] * 4 + ["c"] * 2
    assert found["y_hat"].tolist() == [1, 1, 5, 5, 7, 7, 5, 5]
    assert found["ds"][0] == "2024-03-31T00:00:00+01:00"  # SQLite has no zones
    assert set(found["model_version"][2:4]) == {"other/2"}


def test_series_that_a_model_no_longer_forecasts_leave_its_newest_cutoff(tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    later = DAYS + pd.Timedelta(1, "D")
    for version in ("shop/1", "shop_2/1", "pretrained/day"):
        write(url, frame([f"of {version}"], version=version, days=later))
    write(url, frame(["gone", "late"]), frame(["gone", "a"], days=later))
    write(url, frame(["late"], version="shop/2"), frame(["a"], days=later, version="shop/2"))
    write(url, frame(["any"], version="pretrained/day", days=later))
    left = rows_of(tmp_path / "shop.db").groupby("unique_id")["cutoff"].unique().str.join(" ")
    first, second = (day.isoformat() for day in (DAYS[0], later[0]))
    expected = {"late": first, "gone": first, "a": second, "any": second}
    expected |= {"of shop_2/1": second, "of pretrained/day": second}
    assert left.to_dict() == expected


def test_a_process_killed_between_two_rows_leaves_the_old_ones(tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    table = frame(days=DAYS.tz_localize(None))
    write(url, table)
    before = rows_of(tmp_path / "shop.db")
    newer = table.assign(y_hat=9.0, ds=table["ds"].astype(str), cutoff="2024-03-30 00:00:00.000000")
    newer.to_csv(tmp_path / "new.csv", index=False)
    ended = subprocess.run(  # noqa: S603 our own words
        [sys.executable, "-c", KILLED, url], cwd=tmp_path, env=os.environ, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / "shop.db-journal").exists()  # it had begun to write
    pd.testing.assert_frame_equal(rows_of(tmp_path / "shop.db"), before)
    assert set(before["y_hat"]) == {1.0}


def test_what_is_refused_in_the_middle_leaves_the_old_rows(tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    write(url, frame())
    before = rows_of(tmp_path / "shop.db")
    with pytest.raises(ConfigError, match=r"needs the column q99, found none; add it, or name"):
        export.write(iter([frame(value=9.0), frame(["c"]).assign(q99=1.0)]), parse(url))
    pd.testing.assert_frame_equal(rows_of(tmp_path / "shop.db"), before)


def test_integer_steps_and_nanoseconds_are_kept(tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    write(url, frame(days=pd.Index([7, 8, 9])), table="steps")
    assert rows_of(tmp_path / "shop.db", "steps")["ds"].tolist() == [8, 9, 8, 9]
    write(url, frame(days=pd.date_range("2024", periods=3, freq="100ns")), table="fast")
    assert rows_of(tmp_path / "shop.db", "fast")["ds"][1].endswith("00.000000200")


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("s3://bucket/out", "must be a folder, FILE.csv, FILE.xlsx or a database"),
        ("out.json", "must be a folder, FILE.csv, FILE.xlsx or a database"),
        ("postgresql://me:hush@host/shop", r"write \$\{NAME\} for"),
        ("postgresql://me:hu/sh@host/shop", r"write \$\{NAME\} for"),
        ("postgresql://host/shop?password=hush", r"write \$\{NAME\} for"),
        ("${NO_SUCH_URL}", r"--output: needs \$\{NO_SUCH_URL\}, found no such variable"),
        ("carrierpigeon://coop/shop", "no database that can be reached"),
    ],
)
def test_where_forecasts_cannot_go_is_said_before_the_work(output, says):
    with pytest.raises(ConfigError, match=says) as caught:
        export.check(parse(output))
    assert "hush" not in str(caught.value)
    assert "hu/sh" not in str(caught.value)


def test_only_a_folder_is_divided():
    with pytest.raises(ConfigError, match="name a folder"):
        parse("out.csv", by="hash")
    assert parse("out.csv").export == "out.csv"
    assert parse("out", by="hash").folder.name == "out"
