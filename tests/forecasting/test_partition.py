"""Folders of forecasts are read in one line, however they are divided, and give back every row."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pyarrow import parquet

from foreseq.durable import files
from foreseq.errors import ConfigError
from foreseq.forecasting import partition, writer
from foreseq.forecasting.output import By
from foreseq.forecasting.writer import Part, Request

IDS = ["007", "A", "a", "shop 1/ä", "zz=%"]
REQUEST = Request(model_version="shop/1", model_digest="d", data="e", horizon=2)


def frame(ids, zone="Europe/Berlin"):
    """Return a forecast table."""
    days = pd.date_range("2024-03-31", periods=2, tz=zone).as_unit("us")  # the clocks change
    rows = [(name, day, float(n)) for n, name in enumerate(ids) for day in days]
    table = pd.DataFrame(rows, columns=["unique_id", "ds", "y_hat"])
    return table.assign(cutoff=days[0] - pd.Timedelta(1, "h"), model_version="shop/1")


def folder_of(tables, folder, by: By):
    """Write a folder of forecasts, a part for each table."""
    folder.mkdir()
    parts = []
    for number, table in enumerate(tables):
        file = folder / writer.part_name(number)
        writer.store(table, file)
        parts.append(Part(sha256=files.sha256(file), series=1, rows=len(table)))
    return writer.seal(folder, REQUEST.model_copy(update={"by": by}), parts)


def by_duckdb(folder):
    """Return what DuckDB reads; in a process of its own, as it complains at the end of others."""
    line = (
        f"import duckdb; duckdb.sql(\"FROM '{folder}/**/*.parquet'\").write_parquet('{folder}.pq')"
    )
    subprocess.run([sys.executable, "-c", line], check=True)  # noqa: S603 our own words
    return pd.read_parquet(f"{folder}.pq")


READERS = {
    "pandas": pd.read_parquet,
    "polars": lambda folder: pl.read_parquet(f"{folder}/**/*.parquet").to_pandas(),
    "duckdb": by_duckdb,
    "foreseq": writer.read,
}


@pytest.mark.parametrize("by", ["", "unique_id", "hash"])
@pytest.mark.parametrize("reader", READERS)
def test_one_line_reads_ids_and_times_as_they_came_in(tmp_path, by, reader):
    whole = frame(IDS)
    folder_of([whole[:4], whole[4:]], tmp_path / "out", by)
    found = READERS[reader](tmp_path / "out").sort_values(["unique_id", "ds"], ignore_index=True)
    for name in ("unique_id", "y_hat", "model_version"):
        assert found[name].tolist() == whole[name].tolist()
    for name in ("ds", "cutoff"):
        assert (found[name] == whole[name]).all()
        assert reader == "duckdb" or str(found[name].dt.tz) == "Europe/Berlin"  # it gives UTC


@pytest.mark.parametrize("by", ["unique_id", "hash"])
def test_every_file_is_sorted_of_one_schema_and_of_one_folder(tmp_path, by):
    whole = frame(IDS)
    manifest = folder_of([whole[:4], whole[4:]], tmp_path / "out", by)
    schemas = [parquet.read_schema(tmp_path / "out" / name) for name in manifest.parts]
    assert all(schema.equals(schemas[0]) for schema in schemas)
    for name in manifest.parts:
        table = pd.read_parquet(tmp_path / "out" / name, partitioning=None)
        rows = list(table[["unique_id", "ds"]].itertuples(index=False))
        assert all(one < other for one, other in pairwise(rows))
        assert {partition.key(series, by) for series in table["unique_id"]} == {name.split("/")[0]}
    assert len(set(manifest.parts)) == len({name.lower() for name in manifest.parts})
    assert writer.is_whole(tmp_path / "out", manifest)


def test_a_divided_folder_may_be_replaced_unless_something_was_put_into_it(tmp_path):
    folder_of([frame(IDS)], tmp_path / "out", "unique_id")
    writer.check_replaceable(tmp_path / "out")
    (tmp_path / "out" / "series=007" / "notes.txt").touch()
    with pytest.raises(ConfigError, match="name another"):
        writer.check_replaceable(tmp_path / "out")


def test_no_forecast_at_all_is_an_empty_table_however_divided(tmp_path):
    folder_of([frame(IDS)[:0]], tmp_path / "out", "hash")
    assert list(pd.read_parquet(tmp_path / "out")) == list(frame(IDS))


def test_the_verdict_of_the_gate_stays_with_the_table(tmp_path):
    table = frame(IDS)
    table.attrs["verdict"] = "rejected"
    folder_of([table], tmp_path / "out", "hash")
    assert next(writer.tables(tmp_path / "out")).attrs == {"verdict": "rejected"}


def test_a_series_is_in_the_same_bucket_every_night_and_buckets_fill_alike():
    keys = [partition.key(f"s{n}", "hash") for n in range(6400)]
    assert keys == [partition.key(f"s{n}", "hash") for n in range(6400)]
    _, counts = np.unique(keys, return_counts=True)
    assert (len(counts), counts.min() > 50, counts.max() < 200) == (64, True, True)


def test_too_many_series_or_too_long_ids_for_folders_are_sent_to_the_hash():
    with pytest.raises(ConfigError, match=r"at most 10,000 .* found 10,001; take --by hash"):
        partition.check(10_001, "unique_id")
    partition.check(10_001, "hash")
    with pytest.raises(ConfigError, match="too long for a folder; take --by hash"):
        partition.key("ä" * 100, "unique_id")
