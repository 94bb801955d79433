import pandas as pd
import polars as pl
import pytest

from foreseq.config import DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest import frames
from foreseq.ingest.table import to_panel
from foreseq.series import panel as panels

DATASET = DatasetConfig(horizon=1)
IDS = [
    pd.array([7, 9], dtype="int64"),
    pd.array([7, 9], dtype="uint32"),
    pd.array([7, 9], dtype="Int64"),
    pd.array([7.0, 9.5], dtype="float64"),
    pd.array(["007", "7"], dtype="string"),
    pd.array(["007", 7], dtype=object),
    pd.array(["7", "007"], dtype="string[pyarrow]"),
    pd.Categorical(["b", "a"], categories=["c", "b", "a"]),
    pd.array([7, 9], dtype="int64[pyarrow]"),
]


@pytest.mark.parametrize("ids", IDS, ids=lambda ids: str(ids.dtype))
def test_ids_come_out_as_they_came_in(ids):
    ids = pd.Series(ids)
    frame = pd.DataFrame({"unique_id": ids, "ds": [1, 1], "y": [1.0, 2.0]})
    table, style = frames.read(pd.concat([frame, frame.assign(ds=2)]), DATASET)
    panel, _ = to_panel(table, DATASET)
    out = frames.write(pd.DataFrame({"unique_id": panel.ids.astype(object), "ds": [3, 3]}), style)
    assert out["unique_id"].dtype == ids.dtype
    assert sorted(out["unique_id"], key=str) == sorted(ids, key=str)


@pytest.mark.parametrize("kind", [pl.Int16, pl.String, pl.Categorical], ids=str)
def test_ids_of_polars_come_out_as_they_came_in(kind):
    frame = pl.DataFrame({"unique_id": ["7", "9"], "ds": [1, 1], "y": [1.0, 2.0]})
    frame = frame.with_columns(pl.col("unique_id").cast(kind))
    _, style = frames.read(frame, DATASET)
    out = frames.write(pd.DataFrame({"unique_id": ["9", "7"], "ds": [3, 3]}), style)
    assert out["unique_id"].dtype == kind
    assert out["unique_id"].cast(pl.String).to_list() == ["9", "7"]


@pytest.mark.parametrize("library", [pd, pl])
def test_columns_of_other_names_are_found_as_those_of_a_file_are(library):
    days = list(pd.date_range("2024-01-01", periods=3)) * 2
    columns = {"shop": ["b"] * 3 + ["a"] * 3, "date": days, "visitors": [1.0] * 6}
    table, style = frames.read(library.DataFrame(columns), DATASET)
    assert list(table) == ["unique_id", "ds", "y"]
    assert list(frames.write(table, style).columns) == ["shop", "date", "visitors"]
    ahead = library.DataFrame({name: column[:1] for name, column in columns.items()})
    joined = frames.join(table, ahead, None, DATASET, style.columns)
    assert len(joined) == len(table)
    with pytest.raises(
        DataRefused, match=r"'y' is needed, .*; name the right column with target_c"
    ):
        frames.read(library.DataFrame(columns | {"price": [2.0] * 6}), DATASET)


def test_lists_are_no_ids():
    frame = pd.DataFrame({"unique_id": [["a"], ["b"]], "ds": [1, 1], "y": [1.0, 2.0]})
    with pytest.raises(DataRefused, match="unique_id must hold text, numbers or times, found a li"):
        frames.read(frame, DATASET)


@pytest.mark.parametrize("library", [pd, pl])
def test_times_of_a_zone_come_out_in_it(library):
    ds = pd.date_range("2024-03-25", periods=8, freq="D", tz="Europe/Berlin")
    frame = library.DataFrame({"unique_id": ["a"] * 8, "ds": list(ds), "y": [1.0] * 8})
    table, style = frames.read(frame, DATASET)
    panel, _ = to_panel(table, DATASET)
    out = frames.write(panels.to_frame(panel), style)
    assert str(out["ds"].dtype).count("Europe/Berlin") == 1
    assert list(out["ds"]) == list(ds)
