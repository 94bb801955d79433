"""Many files become many parts: each series once, whatever was stopped, whoever did what."""

import numpy as np
import pandas as pd
import pytest
from builders import resolved

from foreseq.config import DatasetConfig, change
from foreseq.errors import ConfigError, DataRefused
from foreseq.forecasting import bulk, bundle, ensemble, writer
from foreseq.forecasting.ensemble import Ensemble
from foreseq.forecasting.writer import ForecastSource
from foreseq.ingest import joined
from foreseq.ingest.table import to_panel
from foreseq.series import examples
from foreseq.series.panel import from_series
from foreseq.training import model_cache, network_weights
from foreseq.training.loop import Fitted

FIELDS = {
    "dataset": {"source": "memory", "horizon": 3, "freq": "D", "season": 7},
    "network": {
        "cells": {"units": [4]}, "context": 14, "patch": 7, "log": False, "naive_lags": [7],
        "recent_inputs": 7, "decoder": "direct", "calendar": False, "covariates": [],
        "quantiles": [0.1, 0.5, 0.9],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def source():
    experiment = resolved(FIELDS)
    weights = network_weights.get_weights(model_cache.build(experiment))
    panel = from_series({"a": np.arange(30.0)}, freq="D", season=7, start="2024-01-01")
    state = bundle.state(panel, panel.lengths, [Fitted(weights, 1, ())])
    return ForecastSource(Ensemble(experiment, state), "demo/1", "d" * 64)


@pytest.fixture
def folder(tmp_path):
    """Write three files of four series each."""
    table = examples.generate(series=12, freq="D", length=40, seed=1)
    (tmp_path / "in").mkdir()
    for number, names in enumerate(np.array_split(table["unique_id"].unique(), 3)):
        part = table[table["unique_id"].isin(names)]
        part.to_parquet(tmp_path / "in" / f"{number}.parquet", index=False)
    return tmp_path / "in"


def plan(folder, output, source):
    dataset = DatasetConfig(source=str(folder), horizon=3, freq="D", season=7)
    return bulk.plan(dataset, folder, output, source.version, source.digest)


def carry_out(job, source, order=(0, 1, 2)):
    parts = {number: bulk.write(job, number, source) for number in order}
    return bulk.finish(job, [parts[number] for number in sorted(parts)])


def test_the_parts_hold_what_forecasting_the_whole_table_gives(source, folder, tmp_path):
    manifest = carry_out(plan(folder, tmp_path / "out", source), source)
    assert (manifest.series, manifest.rows, len(manifest.parts)) == (12, 36, 3)
    whole = ensemble.from_table(source.forecaster, pd.read_parquet(folder), version="demo/1")
    table = writer.read(tmp_path / "out").sort_values(["unique_id", "ds"], ignore_index=True)
    pd.testing.assert_frame_equal(table, whole, check_dtype=False)
    assert (tmp_path / "out" / "_SUCCESS").exists()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in", "out"]


@pytest.fixture
def priced(source, folder, tmp_path):
    """Return a forecaster that reads a price known ahead, and the dataset with its file."""
    rng = np.random.default_rng(1)
    price = {"name": "price", "role": "future", "location": 5.0, "spread": 1.0}
    experiment = change(source.forecaster.experiment, {"network.covariates": [price]})
    weights = [
        weight + rng.normal(0, 0.2, weight.shape).astype(np.float32)
        for weight in network_weights.get_weights(model_cache.build(experiment))
    ]
    panel = from_series({"a": np.arange(30.0)}, freq="D", season=7, start="2024-01-01")
    state = bundle.state(panel, panel.lengths, [Fitted(weights, 1, ())])
    ahead = pd.read_parquet(folder).groupby("unique_id")["ds"].max().reset_index()
    ahead = pd.concat([ahead.assign(ds=ahead["ds"] + pd.Timedelta(days=n)) for n in (1, 2, 3)])
    ahead["price"] = 5 + rng.normal(size=len(ahead))
    ahead.to_csv(tmp_path / "next.csv", index=False)
    dataset = DatasetConfig.model_validate(
        {"source": str(folder), "horizon": 3, "freq": "D", "season": 7,
         "covariates": {"future": ["price"]}, "future": str(tmp_path / "next.csv")}
    )  # fmt: skip
    forecaster = Ensemble(change(experiment, {"dataset.unknown_ahead": "refuse"}), state)
    return ForecastSource(forecaster, "demo/1", "d" * 64), dataset


def test_each_part_reads_what_is_known_ahead_of_its_series(priced, folder, tmp_path):
    source, dataset = priced
    job = bulk.plan(dataset, folder, tmp_path / "out", source.version, source.digest)
    carry_out(job, source)
    joint = joined.read(pd.read_parquet(folder), dataset)
    whole = ensemble.from_panel(source.forecaster, to_panel(joint, dataset)[0], version="demo/1")
    table = writer.read(tmp_path / "out").sort_values(["unique_id", "ds"], ignore_index=True)
    pd.testing.assert_frame_equal(table, whole, check_dtype=False)
    prices = pd.read_csv(tmp_path / "next.csv")
    prices.assign(price=9).to_csv(tmp_path / "next.csv", index=False)
    again = bulk.plan(dataset, folder, tmp_path / "out", source.version, source.digest)
    assert bulk.finished(again) is None
    carry_out(again, source)
    other = writer.read(tmp_path / "out").sort_values(["unique_id", "ds"], ignore_index=True)
    assert not np.isclose(other["y_hat"], whole["y_hat"]).any()
    prices.iloc[:-1].to_csv(tmp_path / "next.csv", index=False)
    short = bulk.plan(dataset, folder, tmp_path / "out", source.version, source.digest)
    refused = carry_out(short, source).refused
    assert list(refused) == ["2.parquet"]
    assert "price must be known 3 steps ahead, found nothing 3 steps after" in refused["2.parquet"]


@pytest.mark.parametrize("kinds", [["int64"] * 3, ["int64", str, "int64"]])
def test_ids_are_of_one_type_in_all_parts(source, folder, tmp_path, kinds):
    for number, (file, kind) in enumerate(zip(sorted(folder.iterdir()), kinds, strict=True)):
        table = pd.read_parquet(file)
        ids = 10 * number + pd.factorize(table["unique_id"])[0]
        table.assign(unique_id=ids.astype(kind)).to_parquet(file, index=False)
    carry_out(plan(folder, tmp_path / "out", source), source)
    parts = list(writer.tables(tmp_path / "out"))
    assert {str(part["unique_id"].dtype) for part in parts} == {"str" if str in kinds else "int64"}


def test_in_any_order_the_output_is_the_same(source, folder, tmp_path):
    one = carry_out(plan(folder, tmp_path / "one", source), source)
    other = carry_out(plan(folder, tmp_path / "other", source), source, order=(2, 0, 1))
    assert one == other


def test_what_is_done_is_not_done_again_and_what_is_damaged_is(source, folder, tmp_path):
    job = plan(folder, tmp_path / "out", source)
    first = [bulk.write(job, number, source) for number in (0, 1)]
    (job.unfinished / "part-00001.parquet").write_bytes(b"half a part")
    assert bulk.done(job, 0) == first[0]
    assert bulk.done(job, 1) is None
    assert bulk.done(job, 2) is None
    assert not (tmp_path / "out").exists()
    assert carry_out(job, source) == carry_out(plan(folder, tmp_path / "calm", source), source)


def test_an_output_that_is_whole_is_known_until_the_input_changes(source, folder, tmp_path):
    job = plan(folder, tmp_path / "out", source)
    assert bulk.finished(job) is None
    manifest = carry_out(job, source)
    assert bulk.finished(plan(folder, tmp_path / "out", source)) == manifest
    (folder / "2.parquet").unlink()
    assert bulk.finished(plan(folder, tmp_path / "out", source)) is None


def test_a_file_that_breaks_a_rule_is_listed_and_the_others_are_forecast(source, folder, tmp_path):
    table = pd.read_parquet(folder / "1.parquet")
    table["y"] = table["y"].astype(str).replace(table["y"].astype(str).iloc[5], "much")
    table.to_parquet(folder / "1.parquet", index=False)
    manifest = carry_out(plan(folder, tmp_path / "out", source), source)
    assert (manifest.series, list(manifest.refused)) == (8, ["1.parquet"])
    assert "much" in manifest.refused["1.parquet"]
    assert sorted(manifest.parts) == ["part-00000.parquet", "part-00002.parquet"]
    assert not (tmp_path / "out" / "_SUCCESS").exists()


def test_series_without_a_forecast_are_listed(source, folder, tmp_path):
    table = pd.read_parquet(folder / "0.parquet")
    name = table["unique_id"].iloc[0]
    table.loc[table["unique_id"] == name, "y"] = np.nan
    table.to_parquet(folder / "0.parquet", index=False)
    manifest = carry_out(plan(folder, tmp_path / "out", source), source)
    assert (manifest.series, list(manifest.failures)) == (11, [name])
    assert not (tmp_path / "out" / "_SUCCESS").exists()


def test_a_series_in_two_files_is_refused_before_any_work(source, folder, tmp_path):
    table = pd.read_parquet(folder / "0.parquet")
    table.tail(3).to_parquet(folder / "9.parquet", index=False)
    with pytest.raises(DataRefused, match=r"9\.parquet.*whole, found it in .*0\.parquet"):
        plan(folder, tmp_path / "out", source)


def test_half_written_and_hidden_files_are_not_read(source, folder, tmp_path):
    (folder / ".part.parquet").write_bytes(b"half")
    (folder / "_tmp").mkdir()
    (folder / "_tmp" / "part.parquet").write_bytes(b"half")
    assert len(plan(folder, tmp_path / "out", source).files) == 3


def test_an_empty_folder_and_a_foreign_output_are_refused(source, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataRefused, match="must hold Parquet files"):
        plan(tmp_path / "empty", tmp_path / "out", source)
    with pytest.raises(ConfigError, match="name another"):
        plan(folder, folder, source)
