import numpy as np
import pytest

from foreseq.ingest import Changes, changes, compare
from foreseq.series.panel import from_series, select


@pytest.fixture
def panel(rng):
    series = {name: rng.normal(size=size) for name, size in (("a", 9), ("b", 5), ("c", 7))}
    return from_series(series, freq="MS", season=1, start="2024-01-31")


def altered(panel, position, value):
    values, observed = panel.values.copy(), panel.observed.copy()
    values[position] = np.nan_to_num(value)
    observed[position] = np.isfinite(value)
    return type(panel)(**{**vars(panel), "values": values, "observed": observed})


def test_a_panel_against_itself_shows_nothing(panel):
    assert compare(panel, panel) == Changes()
    assert str(compare(panel, panel)) == "nothing changed"


def test_every_kind_of_change_is_counted(panel):
    assert compare(panel, altered(panel, 3, 8.5)).corrected == 1
    assert compare(panel, altered(panel, 3, np.nan)) == Changes(removed=1)
    assert compare(altered(panel, 3, np.nan), panel) == Changes(late=1)
    assert compare(panel, select(panel, [0, 2])) == Changes(removed=5, series_removed=1)
    assert compare(select(panel, [0, 2]), panel) == Changes(appended=5, series_added=1)


def test_a_correction_is_named(panel):
    found = compare(altered(panel, 2, 3.0), altered(panel, 2, 8.5))
    assert found.first == "a at 2024-03-31: 3 is now 8.5"


def test_steps_before_the_first_one_are_late_and_those_after_the_last_are_appended():
    old = from_series({"a": [2.0, 3.0]}, freq="D", season=1, start="2024-01-02")
    new = from_series({"a": [1.0, 2.0, 3.0, 4.0]}, freq="D", season=1, start="2024-01-01")
    assert compare(old, new) == Changes(appended=1, late=1)
    assert compare(new, old) == Changes(removed=2)


def test_other_steps_of_time_cannot_be_compared(panel):
    hourly = from_series({"a": [1.0]}, freq="h", season=1, start="2024-01-01")
    assert compare(panel, hourly).anew


def test_weeks_that_begin_on_another_day_share_no_step():
    old, new = (
        from_series({"a": [1.0, 2.0]}, freq="W", season=1, start=start)
        for start in ("2024-01-01", "2024-01-02")
    )
    assert compare(old, new) == Changes(appended=2, removed=2)


def test_pieces_count_the_same_as_the_whole(panel, rng, monkeypatch):
    other = altered(altered(panel, 4, 0.5), 15, np.nan)
    whole = compare(panel, other)
    monkeypatch.setattr(changes, "STEPS", 6)
    assert compare(panel, other) == whole
