import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from foreseq.config import DatasetConfig, ExperimentConfig
from foreseq.errors import DataRefused
from foreseq.ingest.read import read_table
from foreseq.ingest.store import ingest
from foreseq.ingest.table import to_panel
from foreseq.selection.choose import facts_of
from foreseq.series import panel

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs" / "datasets").glob("*.yaml"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text("unique_id,ds,y\na,1,1\na,2,\na,4,4\n")
    return path


def dataset(source: Path, **fields) -> DatasetConfig:
    return DatasetConfig(**{"source": str(source), "horizon": 1, "name": "shop"} | fields)


def test_the_store_holds_the_panel_and_its_repairs(source, tmp_path):
    done = ingest(dataset(source), tmp_path / "series")
    assert done.fresh
    assert done.folder.parent == tmp_path / "series" / "shop"
    assert len(done.folder.name) == 16
    built, repairs = to_panel(read_table(dataset(source)), dataset(source))
    assert panel.load(done.folder).fingerprint() == done.fingerprint == built.fingerprint()
    assert done.repairs == repairs
    assert (repairs.gaps, repairs.missing) == (1, 1)
    assert (done.folder / "repairs.json").is_file()


def test_unchanged_input_is_not_parsed_again(source, tmp_path):
    first = ingest(dataset(source), tmp_path / "series")
    stamp = (first.folder / "panel.json").stat().st_mtime_ns
    again = ingest(dataset(source), tmp_path / "series")
    assert not again.fresh
    assert (again.folder, again.fingerprint) == (first.folder, first.fingerprint)
    assert again.repairs == first.repairs
    assert (first.folder / "panel.json").stat().st_mtime_ns == stamp


def test_the_place_of_a_file_and_the_horizon_matter_not(source, tmp_path):
    first = ingest(dataset(source), tmp_path / "series")
    moved = Path(shutil.copy(source, tmp_path / "moved.csv"))
    assert ingest(dataset(moved, horizon=5), tmp_path / "series").folder == first.folder


@pytest.mark.parametrize("fields", [{"gaps": "interpolate"}, {"missing": "zero"}])
def test_what_decides_the_panel_decides_its_folder(source, tmp_path, fields):
    first = ingest(dataset(source), tmp_path / "series")
    other = ingest(dataset(source, **fields), tmp_path / "series")
    assert other.fresh
    assert other.folder != first.folder
    assert other.fingerprint != first.fingerprint


def test_one_more_row_makes_another_folder(source, tmp_path):
    first = ingest(dataset(source), tmp_path / "series")
    source.write_text(source.read_text() + "a,5,5\n")
    assert ingest(dataset(source), tmp_path / "series").folder != first.folder
    assert first.folder.is_dir()


def test_a_damaged_panel_is_made_anew(source, tmp_path):
    first = ingest(dataset(source), tmp_path / "series")
    (first.folder / "repairs.json").write_text("{")
    again = ingest(dataset(source), tmp_path / "series")
    assert again.fresh
    assert again.fingerprint == first.fingerprint
    assert not ingest(dataset(source), tmp_path / "series").fresh


def test_a_refusal_leaves_nothing_behind(source, tmp_path):
    source.write_text("unique_id,ds,y\na,1,many\n")
    with pytest.raises(DataRefused, match=r"shop.csv, series a, row 2"):
        ingest(dataset(source), tmp_path / "series")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_yaml_says_only_what_differs_from_the_default(path):
    fields = yaml.safe_load(path.read_text())
    assert DatasetConfig(**fields).model_dump(mode="json", exclude_defaults=True) == fields


EXPECTED = {
    "air-passengers": ("MS", 12, 1, 144),
    "daily-min-temperatures": ("D", 365, 1, 3287),
    "etth1": ("h", 24, 7, 7 * 17420),
    "exchange-rate": ("1", 1, 8, 48568),
    "m4-hourly": ("h", 24, 414, 353500),
    "m4-weekly": ("1", 1, 359, 366912),
    "monthly-sunspots": ("MS", 132, 1, 2688),
}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_dataset_of_the_project_is_understood(path, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = DatasetConfig(**yaml.safe_load(path.read_text()))
    if not Path(config.source).exists():
        pytest.skip(f"{config.source} is not part of the project")
    series = panel.load(ingest(config, tmp_path / "series").folder, config.season)
    series = facts_of(ExperimentConfig(dataset=config), series).panel
    found = (series.freq, series.season, series.n_series, len(series.values))
    assert found == EXPECTED[path.stem]


def test_air_passengers_are_the_published_numbers(shared):
    parts = [shared / f"airline_passengers-{part}.parquet" for part in ("train", "test")]
    published = pd.concat([pd.read_parquet(part) for part in parts])
    ours = pd.read_csv(ROOT / "data" / "examples" / "air-passengers.csv", parse_dates=["ds"])
    assert ours["y"].tolist() == published["y"].tolist()
    assert (ours["ds"].to_numpy() == published["ds"].to_numpy()).all()
    assert ours["unique_id"].unique().tolist() == ["AirPassengers"]


def test_a_deleted_store_is_rebuilt_as_it_was(tmp_path):
    source = tmp_path / "shop.csv"
    source.write_text("unique_id,ds,y\na,1,1\na,2,2\n", encoding="utf-8")
    dataset = DatasetConfig(source=str(source), horizon=1)
    first = ingest(dataset, tmp_path / "series")
    shutil.rmtree(tmp_path / "series")
    again = ingest(dataset, tmp_path / "series")
    assert again.fresh
    assert (again.folder, again.fingerprint) == (first.folder, first.fingerprint)


@pytest.mark.parametrize(
    ("first", "second", "id_type"),
    [("int32", "int32", "int32"), ("int64", str, ""), (str, "int64", ""), (str, str, "")],
)
def test_ids_have_a_type_as_long_as_all_have_it(tmp_path, first, second, id_type):
    for number, kind in enumerate((first, second)):
        file = tmp_path / f"{number}.parquet"
        table = pd.DataFrame({"unique_id": [7, 10], "ds": number, "y": float(number)})
        table.astype({"unique_id": kind}).to_parquet(file)
        done = ingest(dataset(file, update="append", freq=1), tmp_path / "series")
    kept = panel.load(done.folder)
    assert (kept.ids.tolist(), kept.lengths.tolist(), kept.id_type) == (
        ["10", "7"],
        [2, 2],
        id_type,
    )
    assert panel.to_frame(kept)["unique_id"].dtype == (id_type or "str")


def test_a_csv_of_what_is_known_ahead_leaves_ids_their_type(tmp_path):
    rows = pd.DataFrame({"unique_id": 7, "ds": range(1, 9), "y": 1.0, "price": 2.0})
    rows.to_parquet(tmp_path / "shop.parquet")
    (tmp_path / "ahead.csv").write_text("unique_id,ds,price\n7,9,3\n8,9,3\n")
    beside = dataset(tmp_path / "shop.parquet", future=str(tmp_path / "ahead.csv"))
    kept = panel.load(ingest(beside, tmp_path / "series").folder)
    assert (kept.ids.tolist(), kept.id_type) == (["7"], "int64")
    assert kept.covariates.offsets.tolist() == [0, 9]
