import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import SMALL_NETWORK
from pyarrow import parquet

from foreseq.config import build_experiment
from foreseq.errors import ConfigError, DataRefused
from foreseq.forecasting import bundle, ensemble, writer
from foreseq.forecasting.calibration import Calibration
from foreseq.forecasting.ensemble import Ensemble
from foreseq.forecasting.writer import ForecastSource
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.training import model_cache, network_weights
from foreseq.training.loop import Fitted

CALIBRATION = Calibration(
    (0.1, 0.5, 0.9),
    np.array([[-1.0, 0, 1]] * 3),
    log=False,
    together=np.array([[0, 1, 0], [1, 0, 1]]),
)


class StoppedError(Exception):
    """What ends a batch from outside."""


def make_panel(*, missing=()):
    rng = np.random.default_rng(1)
    series = {name: rng.gamma(9, 1, size=20) for name in "abcde"}
    return from_series(
        series | {name: [1.0, *[np.nan] * 19] for name in missing},
        freq="D",
        season=4,
        start="2024-01-01",
    )


@pytest.fixture(scope="module")
def source():
    fields = {
        "dataset": {"source": "memory", "horizon": 3, "freq": "D", "season": 4},
        "network": SMALL_NETWORK | {"quantiles": [0.1, 0.5, 0.9]},
    }
    experiment = build_experiment(fields)
    weights = network_weights.get_weights(model_cache.build(experiment))
    panel = make_panel()
    state = bundle.state(panel, panel.lengths, [Fitted(weights, 1, ())])
    return ForecastSource(Ensemble(experiment, state), "demo/1", "d" * 64)


def listing(folder: Path):
    """Return every file with its time of change and content."""
    return {
        file.name: (file.stat().st_mtime_ns, file.stat().st_ino, file.read_bytes())
        for file in folder.iterdir()
    }


def test_a_folder_of_forecasts_holds_the_table_of_every_series(source, tmp_path):
    panel = make_panel()
    manifest = writer.write(source, panel, tmp_path / "out")
    chosen = windows.newest(panel)
    forecasts = source.forecaster(panel, chosen)
    expected = ensemble.table(panel, chosen, forecasts, (0.1, 0.5, 0.9), version="demo/1")
    table = writer.read(tmp_path / "out")
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert (manifest.series, manifest.rows, manifest.horizon) == (5, 15, 3)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "_SUCCESS",
        "_manifest.json",
        "part-00000.parquet",
    ]
    assert writer.read_manifest(tmp_path / "out") == manifest


def test_ids_that_came_as_integers_are_integers(source, tmp_path):
    panel = replace(make_panel(), ids=np.array(["1", "10", "2", "3", "4"]), id_type="int32")
    manifest = writer.write(source, panel, tmp_path / "out")
    schema = parquet.read_schema(tmp_path / "out" / "part-00000.parquet")
    assert str(schema.field("unique_id").type) == "int32"
    assert writer.read(tmp_path / "out")["unique_id"].tolist()[::3] == [1, 10, 2, 3, 4]
    as_text = writer.write(source, replace(panel, id_type=""), tmp_path / "out")
    assert not as_text.is_same(manifest)
    assert writer.read(tmp_path / "out")["unique_id"].tolist()[::3] == ["1", "10", "2", "3", "4"]


@pytest.mark.parametrize(("freq", "unit"), [("D", "us"), ("100ns", "ns")])
def test_times_are_microseconds_unless_that_would_change_them(source, tmp_path, freq, unit):
    panel = from_series({"a": np.arange(20.0)}, freq=freq, season=4, start="2024-01-01")
    writer.write(source, panel, tmp_path / "out")
    schema = parquet.read_schema(tmp_path / "out" / "part-00000.parquet")
    assert {schema.field(name).type.unit for name in ("ds", "cutoff")} == {unit}
    whole = ensemble.from_panel(source.forecaster, panel, version="demo/1")
    np.testing.assert_array_equal(writer.read(tmp_path / "out")["ds"], whole["ds"])


def test_times_are_written_in_the_zone_of_the_data(source, tmp_path):
    start = "2024-03-11T23:00"  # 12 March, midnight in Berlin; clocks change within the horizon
    panel = from_series({"a": np.arange(20.0)}, freq="D@Europe/Berlin", season=4, start=start)
    writer.write(source, panel, tmp_path / "out")
    table = writer.read(tmp_path / "out")
    expected = pd.date_range("2024-03-31", periods=4, freq="D", tz="Europe/Berlin")
    assert [table["cutoff"].iloc[0], *table["ds"]] == [expected[0], *expected[1:]]
    schema = parquet.read_schema(tmp_path / "out" / "part-00000.parquet")
    assert str(schema.field("ds").type) == "timestamp[us, tz=Europe/Berlin]"


def test_parts_are_the_whole_in_order(source, tmp_path, monkeypatch):
    writer.write(source, make_panel(), tmp_path / "whole")
    monkeypatch.setattr(writer, "PART", 2)
    manifest = writer.write(source, make_panel(), tmp_path / "parts")
    assert len(manifest.parts) == 3
    pd.testing.assert_frame_equal(writer.read(tmp_path / "whole"), writer.read(tmp_path / "parts"))


@pytest.mark.parametrize("verdict", ["published", "rejected"])
def test_the_gates_verdict_is_in_manifest_table_and_summary(source, tmp_path, verdict):
    manifest = writer.write(source._replace(verdict=verdict), make_panel(), tmp_path)
    assert manifest.verdict == verdict
    assert pd.read_parquet(tmp_path).attrs["verdict"] == verdict
    assert ("by demo/1, which the gate rejected" in writer.summary(manifest, tmp_path)) is (
        verdict == "rejected"
    )
    again = writer.write(source._replace(verdict="published"), make_panel(), tmp_path)
    assert again.verdict == "published"


def test_a_second_identical_run_touches_nothing(source, tmp_path):
    first = writer.write(source, make_panel(), tmp_path / "out")
    before = listing(tmp_path / "out")
    assert writer.write(source, make_panel(), tmp_path / "out") == first
    assert listing(tmp_path / "out") == before


def test_the_same_forecasts_are_the_same_bytes(source, tmp_path):
    one, other = (writer.write(source, make_panel(), tmp_path / name) for name in ("one", "other"))
    assert one == other


@pytest.mark.parametrize(
    "changed",
    [{"version": "demo/2"}, {"digest": "e" * 64}],
    ids=["other-version", "other-bundle"],
)
def test_another_forecaster_replaces_the_folder(source, tmp_path, changed):
    writer.write(source, make_panel(), tmp_path / "out")
    newer = source._replace(**changed)
    writer.write(newer, make_panel(), tmp_path / "out")
    manifest = writer.read_manifest(tmp_path / "out")
    assert (manifest.model_version, manifest.model_digest) == (newer.version, newer.digest)
    assert set(writer.read(tmp_path / "out")["model_version"]) == {newer.version}


def test_newer_data_replace_the_folder(source, tmp_path):
    writer.write(source, make_panel(missing="f"), tmp_path / "out")
    writer.write(source, make_panel(), tmp_path / "out")
    assert writer.read_manifest(tmp_path / "out").failures == {}
    assert (tmp_path / "out" / "_SUCCESS").exists()


@pytest.mark.parametrize("name", ["part-00000.parquet", "_SUCCESS"])
def test_a_damaged_folder_is_written_anew(source, tmp_path, name):
    writer.write(source, make_panel(), tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    writer.write(source, make_panel(), tmp_path / "out")
    assert (tmp_path / "out" / name).exists()


def test_a_batch_that_breaks_off_leaves_what_was_there(source, tmp_path, monkeypatch):
    writer.write(source, make_panel(), tmp_path / "out")
    before = listing(tmp_path / "out")

    def stop(*_args):
        raise StoppedError

    monkeypatch.setattr(writer, "forecast", stop)
    for name in ("out", "new"):
        with pytest.raises(StoppedError):
            writer.write(source, make_panel(missing="f"), tmp_path / name)
    assert listing(tmp_path / "out") == before
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208 - hidden ones too


def test_series_without_a_forecast_are_listed_and_there_is_no_success(source, tmp_path):
    manifest = writer.write(source, make_panel(missing="fg"), tmp_path / "out")
    assert list(manifest.failures) == ["f", "g"]
    assert "bring newer history" in manifest.failures["f"]
    assert (manifest.series, manifest.rows) == (5, 15)
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    assert set(writer.read(tmp_path / "out")["unique_id"]) == set("abcde")
    before = listing(tmp_path / "out")
    writer.write(source, make_panel(missing="fg"), tmp_path / "out")
    assert listing(tmp_path / "out") == before


def test_a_batch_without_any_forecast_is_an_empty_table(source, tmp_path):
    panel = from_series({"a": [1.0, *[np.nan] * 19]}, freq="D", season=4, start="2024-01-01")
    manifest = writer.write(source, panel, tmp_path / "out")
    assert (manifest.series, manifest.rows, list(manifest.failures)) == (0, 0, ["a"])
    table = writer.read(tmp_path / "out")
    assert len(table) == 0
    assert "y_hat" in table


@pytest.mark.parametrize("foreign", ["thesis.txt", "_manifest.json"])
def test_a_foreign_folder_is_refused_and_kept(source, tmp_path, foreign):
    (tmp_path / foreign).write_text("{}")
    with pytest.raises(ConfigError, match="name another"):
        writer.write(source, make_panel(), tmp_path)
    assert (tmp_path / foreign).read_text() == "{}"


def test_a_file_put_next_to_the_forecasts_is_kept(source, tmp_path):
    writer.write(source, make_panel(missing="f"), tmp_path / "out")
    (tmp_path / "out" / "notes.txt").touch()
    with pytest.raises(ConfigError, match="name another"):
        writer.write(source, make_panel(), tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(source, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ConfigError, match="name another"):
        writer.write(source, make_panel(), tmp_path / "out")


def test_an_empty_folder_is_filled(source, tmp_path):
    (tmp_path / "out").mkdir()
    assert writer.write(source, make_panel(), tmp_path / "out").series == 5


def test_sample_paths_are_columns_whose_median_is_the_forecast(source, tmp_path):
    plain = source.forecaster
    made = Ensemble(plain.experiment, bundle.State(plain.members, None, CALIBRATION))
    manifest = writer.write(
        source._replace(forecaster=made, sample_paths=5), make_panel(), tmp_path
    )
    table = writer.read(tmp_path)
    drawn = np.sort(table[[f"sample{number}" for number in range(1, 6)]], axis=1)
    np.testing.assert_allclose(drawn[:, [0, 2, 4]], table[["q10", "q50", "q90"]], rtol=1e-6)
    assert manifest.sample_paths == 5
    before = listing(tmp_path)
    writer.write(source._replace(forecaster=made, sample_paths=5), make_panel(), tmp_path)
    assert listing(tmp_path) == before
    writer.write(source._replace(forecaster=made), make_panel(), tmp_path)
    assert "sample1" not in writer.read(tmp_path)


def test_a_forecast_that_is_no_number_is_a_failure(source, tmp_path):
    panel = make_panel()
    values = np.array(panel.values)
    values[panel.offsets[2] : panel.offsets[3]] = 1e308  # their sum is none
    broken = replace(panel, values=values)
    manifest = writer.write(source, broken, tmp_path / "out")
    assert manifest.failures == {"c": ensemble.NOT_FINITE}
    assert (manifest.series, manifest.rows) == (4, 12)
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    assert np.isfinite(writer.read(tmp_path / "out")[["y_hat", "q10", "q90"]]).all(axis=None)
    with pytest.raises(DataRefused, match="series c: has no finite forecast"):
        ensemble.from_panel(source.forecaster, broken, version="demo/1")
