import threading

import numpy as np
import pandas as pd
import pytest

from foreseq.config import DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest import history, store
from foreseq.ingest.history import Changes, compare
from foreseq.ingest.store import ingest
from foreseq.series import panel
from foreseq.series.panel import from_series, select

HEAD = "unique_id,ds,y\n"


@pytest.fixture
def take(tmp_path):
    """Ingest rows of a file of any name."""

    def ingested(rows: str, name: str = "shop.csv", **fields):
        source = tmp_path / name
        source.write_text(HEAD + rows, encoding="utf-8")
        dataset = DatasetConfig(**{"source": str(source), "horizon": 1, "name": "shop"} | fields)
        return ingest(dataset, tmp_path / "series")

    return ingested


@pytest.fixture
def versions(tmp_path):
    return lambda: history.read(tmp_path / "series" / "shop")


def test_every_version_has_a_line_that_says_what_is_new(take, versions):
    first = take("a,1,1\na,2,2\n")
    grown = take("a,1,1\na,2,2\na,3,3\n")
    corrected = take("a,1,1\na,2,9\na,3,3\n")
    assert [version.changes for version in versions()] == [
        "first version",
        "1 steps appended",
        "1 corrected (a at 2: 2 is now 9)",
    ]
    assert [version.fingerprint for version in versions()] == [
        ingested.fingerprint for ingested in (first, grown, corrected)
    ]
    assert [version.last for version in versions()] == ["2", "3", "3"]
    assert corrected.changes == versions()[-1].changes


def test_every_version_can_still_be_opened_by_its_fingerprint(take, versions, tmp_path):
    for end in range(3, 7):
        take("".join(f"a,{step},{step}\n" for step in range(1, end)))
    for version in versions():
        opened = panel.load(tmp_path / "series" / "shop" / version.panel)
        assert opened.fingerprint() == version.fingerprint
        assert len(opened.values) == version.steps


def test_unchanged_data_leave_the_history_alone(take, versions):
    take("a,1,1\na,2,2\n")
    assert take("a,1,1\na,2,2\n").changes == ""
    assert len(versions()) == 1


DAYS = "".join(f"a,2024-01-{day:02},{day}\n" for day in range(1, 11))


def test_data_cut_off_later_and_later_are_versions_of_one_history(take, versions):
    for until in ("2024-01-05", "2024-01-08", "2024-01-08T12:00", "2024-01-09"):
        take(DAYS, as_of=until)
    assert [version.changes for version in versions()] == [
        "first version",
        "3 steps appended",
        "1 steps appended",
    ]


def test_pieces_are_kept_whole_whatever_as_of_is(take, versions, tmp_path):
    first, rest = DAYS[: len(DAYS) // 2], DAYS[len(DAYS) // 2 :]
    cut = take(first, name="first.csv", update="append", as_of="2024-01-03")
    assert len(panel.load(cut.folder).values) == 2
    later = take(rest, name="rest.csv", update="append", as_of="2024-01-08")
    assert len(panel.load(later.folder).values) == 7
    again = take(first, name="first.csv", update="append", as_of="2024-01-10")
    assert panel.load(again.folder).values.tolist() == [float(day) for day in range(1, 10)]
    opened = panel.load(tmp_path / "series" / "shop" / versions()[-1].panel)
    assert len(opened.values) == 10


def test_going_back_to_older_data_is_a_version_as_well(take, versions):
    first = take("a,1,1\na,2,2\n")
    take("a,1,1\na,2,2\na,3,3\n")
    back = take("a,1,1\na,2,2\n")
    assert back.fingerprint == first.fingerprint
    assert versions()[-1].changes == "1 removed"


@pytest.mark.parametrize("update", ["replace", "append"])
def test_an_inferred_frequency_may_be_configured_later(take, versions, update):
    rows = [f"a,2024-01-{day:02},{day % 7}\n" for day in range(1, 31)]
    found = panel.load(take("".join(rows[:28]), "1.csv", update=update).folder)
    fields = {"freq": found.freq, "season": 7, "update": update}
    again = take("".join(rows[:28]), "1.csv", **fields)
    assert not again.fresh
    take("".join(rows[28:] if update == "append" else rows), "2.csv", **fields)
    assert [version.changes for version in versions()] == ["first version", "2 steps appended"]
    assert [version.steps for version in versions()] == [28, 30]


def test_another_way_of_reading_has_versions_of_its_own(take, versions):
    take("a,1,1\na,3,3\n", freq=1)
    take("a,1,1\na,3,3\n", freq=1, gaps="interpolate")
    assert [version.changes for version in versions()] == ["first version"] * 2


def test_a_version_that_was_deleted_is_missed_but_not_needed(take, versions):
    first = take("a,1,1\na,2,2\n")
    (first.folder / "panel.json").unlink()
    take("a,1,1\na,2,2\na,3,3\n")
    assert "deleted" in versions()[-1].changes


def test_a_history_that_was_altered_is_refused(take, tmp_path):
    take("a,1,1\na,2,2\n")
    (tmp_path / "series" / "shop" / "history.jsonl").write_text("what?\n", encoding="utf-8")
    with pytest.raises(DataRefused, match=r"history\.jsonl.*delete it"):
        take("a,1,1\na,2,2\na,3,3\n")


def test_a_crash_before_the_history_is_written_is_made_good(take, versions, monkeypatch):
    take("a,1,1\na,2,2\n")

    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.history, "add", crash)
        with pytest.raises(KeyboardInterrupt):
            take("a,1,1\na,2,2\na,3,3\n")
    assert take("a,1,1\na,2,2\na,3,3\n").changes == "1 steps appended"
    assert len(versions()) == 2


def rows_of(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, header=False)


POLICIES = [
    {},
    {"gaps": "interpolate"},
    {"missing": "interpolate"},
    {"missing": "zero", "gaps": "interpolate"},
]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_pieces_appended_are_the_whole_read_at_once(take, rng, policy):
    whole = pd.DataFrame(
        [(name, day, value) for name in "abc" for day, value in enumerate(rng.normal(size=30))],
        columns=["unique_id", "ds", "y"],
    )
    whole["ds"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(whole["ds"], "D")
    whole = whole[(rng.random(len(whole)) < 0.9) | (whole["ds"] == whole["ds"].min())]
    whole.loc[rng.random(len(whole)) < 0.1, "y"] = np.nan
    when = rng.integers(4, size=len(whole))  # rows arrive out of order
    wrong = whole.assign(y=whole["y"] + (when == 1))  # some to be corrected in the end
    fields = {"freq": "D", "season": 7, **policy}
    for piece in range(4):
        arrived = take(rows_of(wrong[when == piece]), f"{piece}.csv", update="append", **fields)
    corrected = take(rows_of(whole[when == 1]), "again.csv", update="append", **fields)
    assert corrected.fingerprint != arrived.fingerprint
    assert corrected.fingerprint == take(rows_of(whole), "whole.csv", **fields).fingerprint


def test_a_piece_that_comes_again_changes_nothing(take, versions):
    take("a,1,1\na,2,2\n", "1.csv", update="append")
    take("a,3,3\n", "2.csv", update="append")
    newest = take("a,2,5\na,4,4\n", "3.csv", update="append")
    again = take("a,1,1\na,2,2\n", "1.csv", update="append")
    assert not again.fresh
    assert again.fingerprint == newest.fingerprint
    assert [version.changes for version in versions()] == [
        "first version",
        "1 steps appended",
        "1 steps appended; 1 corrected (a at 2: 2 is now 5)",
    ]


def test_pieces_of_a_zone_are_the_whole(take, versions):
    ds = pd.date_range("2024-03-25", periods=12, freq="D", tz="Europe/Berlin")
    rows = [f"a,{day.isoformat()},{i}\n" for i, day in enumerate(ds)]
    fields = {"freq": "D@Europe/Berlin", "season": 1}
    take("".join(rows[:5]), "1.csv", update="append", **fields)
    done = take("".join(rows[5:]), "2.csv", update="append", **fields)
    assert done.fingerprint == take("".join(rows), **fields).fingerprint
    assert versions()[1].changes == "7 steps appended"
    with pytest.raises(DataRefused, match="must hold times with a zone, as before, found times;"):
        take("a,2024-04-06,1\n", "3.csv", update="append", **fields)


def test_pieces_may_follow_a_whole(take, versions):
    take("a,1,1\na,2,2\n")
    assert take("a,3,3\n", "new.csv", update="append").changes == "1 steps appended"


def test_a_bad_row_of_a_piece_is_named_and_leaves_the_version_as_it_was(take, versions):
    take("a,1,1\na,2,2\n")
    with pytest.raises(DataRefused, match=r"new.csv, series a, row 3.*many"):
        take("a,3,3\na,4,many\n", "new.csv", update="append")
    with pytest.raises(DataRefused, match="as before"):
        take("a,2024-01-01,3\n", "new.csv", update="append")
    assert len(versions()) == 1


def test_a_piece_without_what_it_follows_is_refused(take):
    first = take("a,1,1\na,2,2\n")
    (first.folder / "panel.json").unlink()
    with pytest.raises(DataRefused, match="update=replace"):
        take("a,3,3\n", "new.csv", update="append")


def test_pieces_that_come_at_the_same_time_are_all_taken_in(take, versions):
    take("a,1,1\na,2,2\n", freq=1)

    def arrive(step: int) -> None:
        take(f"a,{step},{step}\n", f"{step}.csv", freq=1, update="append")

    threads = [threading.Thread(target=arrive, args=(step,)) for step in range(3, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(versions()) == 5
    assert versions()[-1].steps == 6


@pytest.fixture
def shop(rng):
    series = {name: rng.normal(size=size) for name, size in (("a", 9), ("b", 5), ("c", 7))}
    return from_series(series, freq="MS", season=1, start="2024-01-31")


def altered(panel, position, value):
    values, observed = panel.values.copy(), panel.observed.copy()
    values[position] = np.nan_to_num(value)
    observed[position] = np.isfinite(value)
    return type(panel)(**{**vars(panel), "values": values, "observed": observed})


def test_a_panel_against_itself_shows_nothing(shop):
    assert compare(shop, shop) == Changes()
    assert str(compare(shop, shop)) == "nothing changed"


def test_every_kind_of_change_is_counted(shop):
    assert compare(shop, altered(shop, 3, 8.5)).corrected == 1
    assert compare(shop, altered(shop, 3, np.nan)) == Changes(removed=1)
    assert compare(altered(shop, 3, np.nan), shop) == Changes(late=1)
    assert compare(shop, select(shop, [0, 2])) == Changes(removed=5, series_removed=1)
    assert compare(select(shop, [0, 2]), shop) == Changes(appended=5, series_added=1)


def test_a_correction_is_named(shop):
    found = compare(altered(shop, 2, 3.0), altered(shop, 2, 8.5))
    assert found.first == "a at 2024-03-31: 3 is now 8.5"


def test_steps_before_the_first_one_are_late_and_those_after_the_last_are_appended():
    old = from_series({"a": [2.0, 3.0]}, freq="D", season=1, start="2024-01-02")
    new = from_series({"a": [1.0, 2.0, 3.0, 4.0]}, freq="D", season=1, start="2024-01-01")
    assert compare(old, new) == Changes(appended=1, late=1)
    assert compare(new, old) == Changes(removed=2)


def test_other_steps_of_time_cannot_be_compared(shop):
    hourly = from_series({"a": [1.0]}, freq="h", season=1, start="2024-01-01")
    assert compare(shop, hourly).incomparable


def test_weeks_that_begin_on_another_day_share_no_step():
    old, new = (
        from_series({"a": [1.0, 2.0]}, freq="W", season=1, start=start)
        for start in ("2024-01-01", "2024-01-02")
    )
    assert compare(old, new) == Changes(appended=2, removed=2)


def test_pieces_count_the_same_as_the_whole(shop, rng, monkeypatch):
    other = altered(altered(shop, 4, 0.5), 15, np.nan)
    whole = compare(shop, other)
    monkeypatch.setattr(history, "STEPS", 6)
    assert compare(shop, other) == whole
