"""What `foreseq explore` finds is there, and is not found where it is not."""

import re

import numpy as np
import pytest

from foreseq.ingest.repairs import Repairs
from foreseq.report.exploration import explore, lines, page
from foreseq.series.panel import Panel, from_series

REPAIRS = Repairs(rows=1, series=1, steps=1, first="1", last="2", warnings=("a <warning>",))


def panel(values: dict, season: int = 7, freq: str = "D") -> Panel:
    return from_series(values, freq=freq, season=season, start="2024-01-01")


def week(rng, steps: int = 140) -> np.ndarray:
    return np.resize([1.0, 2.0, 3.0, 2.0, 1.0, 5.0, 6.0], steps) + rng.normal(size=steps) / 10


def test_an_outlier_is_found_where_it_is(rng):
    values = week(rng)
    values[100] = -50
    found = explore(panel({"a": week(rng), "b": values}), REPAIRS)
    assert [(one.series, one.step, one.value) for one in found.outliers] == [(1, 100, -50.0)]
    assert dict(lines(found))["outliers"] == ("1 in 1 series, the farthest in b at 2024-04-10: -50")


def test_a_shift_of_level_is_found_where_it_is(rng):
    values = week(rng) + np.repeat([0, 20], 70)
    [shift] = explore(panel({"a": values}), REPAIRS).shifts
    assert shift.step == pytest.approx(70, abs=3)
    assert shift.value == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    "make", [np.cumsum, np.asarray, lambda noise: np.exp(noise / 2)], ids=["walk", "noise", "tails"]
)
def test_chance_looks_like_nothing(rng, make):
    values = {str(n): make(rng.normal(size=300)) for n in range(200)}
    found = explore(panel(values, season=1), REPAIRS)
    assert len(found.shifts) <= 1
    assert len({one.series for one in found.outliers}) <= 10


def test_a_trend_and_a_constant_are_no_shift(rng):
    values = {"trend": np.arange(200.0) + rng.normal(size=200) / 10, "constant": np.ones(200)}
    found = explore(panel(values, season=1), REPAIRS)
    assert not found.shifts
    assert not found.outliers


def test_the_share_of_the_season_is_said(rng):
    assert "7 steps: 99%" in dict(lines(explore(panel({"a": week(rng)}), REPAIRS)))["season"]
    assert dict(lines(explore(panel({"a": rng.normal(size=99)}, 1), REPAIRS)))["season"] == (
        "none found"
    )


def test_a_season_that_is_open_is_looked_for(rng):
    found = explore(panel({"a": week(rng)}, season=0), REPAIRS)
    assert "7 steps: 99%" in dict(lines(found))["season"]


def test_series_that_end_early_are_named(rng):
    values = {"late": week(rng), "over": week(rng, 70)}
    assert dict(lines(explore(panel(values), REPAIRS)))["ends"] == (
        "1 series end before others, the first over"
    )


def test_the_page_holds_everything_and_escapes_it(rng):
    values = week(rng)
    values[50] = 99
    values[60:65] = np.nan
    text = page(explore(panel({"<b>": values, "c": week(rng, 3)}), REPAIRS), "shop")
    assert "&lt;b&gt;" in text
    assert "<b>&lt;b&gt;</b>" in text
    assert "a &lt;warning&gt;" in text
    assert text.count("<svg") == 2
    assert len(re.findall(r'class="dot"', text)) == 1
    assert text.count("M", text.index('<path d="'), text.index('"/>', text.index("<svg"))) == 2
    assert "http" not in text, "one file that needs no other"


def test_series_of_integer_steps_and_empty_ones_are_drawn():
    series = {"a": [1.0, 2.0], "b": [np.nan, np.nan], "c": [5.0]}
    made = from_series(series, freq="1", season=1)
    assert page(explore(made, REPAIRS), "shop").count("<svg") == 3
