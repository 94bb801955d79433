import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq.errors import DataRefused
from foreseq.series import panel as panels

NUMBERS = st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), min_size=1, max_size=8)
PANELS = st.builds(
    panels.from_series,
    st.dictionaries(st.text("abé", min_size=1, max_size=3), NUMBERS, min_size=1, max_size=5),
    freq=st.sampled_from(["D", "MS"]),
    season=st.integers(1, 12),
    start=st.just("2024-01-01"),
)


@pytest.fixture
def two() -> panels.Panel:
    """Return two series, the second with a hole."""
    return panels.from_series({"b": [5.0, np.nan, 7.0], "a": [1.0, 2.0]}, freq="1", season=1)


@given(panel=PANELS)
def test_a_saved_panel_opens_as_it_was(panel, tmp_path_factory):
    folder = panels.save(panel, tmp_path_factory.mktemp("panels") / "one")
    opened = panels.load(folder, panel.season)
    assert opened.fingerprint() == panel.fingerprint()
    assert opened.ids.tolist() == panel.ids.tolist()
    assert (opened.freq, opened.season) == (panel.freq, panel.season)
    assert isinstance(opened.values, np.memmap)


@given(panel=PANELS)
def test_selecting_all_changes_nothing(panel):
    everything = panels.select(panel, range(panel.n_series))
    assert everything.fingerprint() == panel.fingerprint()


@given(panel=PANELS)
def test_each_visits_every_step_once(panel):
    names, values, seen = zip(*panels.items(panel), strict=True)
    assert list(names) == panel.ids.tolist()
    np.testing.assert_array_equal(np.concatenate(values), panel.values)
    np.testing.assert_array_equal(np.concatenate(seen), panel.observed)


def test_series_stand_in_the_order_of_their_ids(two):
    assert two.ids.tolist() == ["a", "b"]
    assert two.values.tolist() == [1, 2, 5, 0, 7]
    assert two.observed.tolist() == [True, True, True, False, True]
    assert (two.n_series, two.lengths.tolist()) == (2, [2, 3])


def test_a_series_is_a_view(two):
    assert np.shares_memory(two.series(1), two.values)
    assert np.shares_memory(two.seen(1), two.observed)


def test_what_is_not_finite_was_not_observed():
    panel = panels.from_series({"a": [1.0, np.inf, -np.inf]}, freq="1", season=1)
    assert panel.values.tolist() == [1, 0, 0]
    assert panel.observed.tolist() == [True, False, False]


def test_times_past_the_end_are_the_future(two):
    assert two.times(1, 3, 2).tolist() == [3, 4]


def test_selection_follows_the_order_asked(two):
    chosen = panels.select(two, [1, 0, 1])
    assert chosen.ids.tolist() == ["b", "a", "b"]
    assert chosen.values.tolist() == [5, 0, 7, 1, 2, 5, 0, 7]


def test_the_frame_has_a_row_for_each_step(two):
    table = panels.to_frame(two)
    assert table["unique_id"].tolist() == ["a", "a", "b", "b", "b"]
    assert table["ds"].tolist() == [0, 1, 0, 1, 2]
    assert table["y"].isna().tolist() == [False, False, False, True, False]


@pytest.mark.parametrize(
    "other",
    [
        {"b": [5.0, 0.0, 7.0], "a": [1.0, 2.0]},
        {"b": [5.0, np.nan, 7.5], "a": [1.0, 2.0]},
        {"c": [5.0, np.nan, 7.0], "a": [1.0, 2.0]},
        {"b": [np.nan, 7.0], "a": [1.0, 2.0, 5.0]},
    ],
)
def test_the_fingerprint_sees_every_change(two, other):
    assert panels.from_series(other, freq="1", season=1).fingerprint() != two.fingerprint()
    same = {"b": [5.0, np.nan, 7.0], "a": [1.0, 2.0]}
    assert panels.from_series(same, freq="2", season=1).fingerprint() != two.fingerprint()
    assert panels.from_series(same, freq="1", season=2).fingerprint() == two.fingerprint()


def test_a_folder_that_is_no_panel_is_refused(tmp_path):
    with pytest.raises(DataRefused, match="delete it and ingest again"):
        panels.load(tmp_path)


@pytest.mark.parametrize("name", [f"{name}.npy" for name in panels.ARRAYS])
def test_a_damaged_panel_is_refused(two, tmp_path, name):
    folder = panels.save(two, tmp_path / "panel")
    (folder / name).write_bytes(b"no array")
    with pytest.raises(DataRefused, match="folder written by `foreseq ingest`"):
        panels.load(folder)


def test_a_panel_with_steps_missing_is_refused(two, tmp_path):
    folder = panels.save(two, tmp_path / "panel")
    np.save(folder / "values.npy", two.values[:-1])
    with pytest.raises(DataRefused, match="4 of 5 steps"):
        panels.load(folder)


def test_a_panel_without_its_facts_is_refused(two, tmp_path):
    folder = panels.save(two, tmp_path / "panel")
    (folder / "panel.json").write_text(json.dumps({}))
    with pytest.raises(DataRefused, match="freq"):
        panels.load(folder)
