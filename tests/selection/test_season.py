from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foreseq.selection.season import infer_season
from foreseq.series.panel import OPEN, Panel, from_series

AIR_PASSENGERS = Path(__file__).parents[2] / "data" / "examples" / "air-passengers.csv"


def panel_of(series: list[np.ndarray], freq: str) -> Panel:
    start = 0 if freq == "1" else "2000-01-01"
    named = {f"{number:04}": values for number, values in enumerate(series)}
    return from_series(named, freq=freq, season=OPEN, start=start)


def season_of(series: list[np.ndarray], freq: str) -> int:
    panel = panel_of(series, freq)
    return infer_season(panel, panel.lengths)


@pytest.mark.parametrize("freq", ["MS", "1"])
def test_airline_passengers_repeat_after_a_year(freq):
    table = pd.read_csv(AIR_PASSENGERS)
    assert season_of([table["y"].to_numpy(float)], freq) == 12


@pytest.mark.parametrize("freq", ["h", "1"])
def test_hourly_load_repeats_after_a_day(shared, freq):
    table = pd.read_parquet(shared / "m4_hourly-train.parquet")
    series = [y.to_numpy() for _, y in table.groupby("unique_id")["y"]]
    assert season_of(series[:60], freq) == 24


def test_temperatures_repeat_after_a_year_but_not_after_a_week(shared):
    table = pd.read_parquet(shared / "daily_min_temperatures-train.parquet")
    assert season_of([table["y"].to_numpy()], "D") == 365


@pytest.mark.parametrize("freq", ["h", "D", "MS", "1"])
def test_random_walks_have_no_season(freq, rng):
    for length in (30, 200, 1000):
        found = [season_of([rng.normal(size=length).cumsum()], freq) for _ in range(20)]
        assert np.mean(np.array(found) > 1) <= 0.05


@pytest.mark.parametrize("freq", ["D", "1"])
def test_a_season_shows_through_trend_noise_and_holes(freq, rng):
    steps = np.arange(140)
    series = 100 + 0.5 * steps + 5 * (steps % 7 == 6) + rng.normal(size=140)
    series[rng.random(140) < 0.1] = np.nan
    assert season_of([series], freq) == 7


def test_a_season_too_faint_for_one_series_shows_in_many(rng):
    def counts():
        return rng.poisson(2 + (np.arange(350) % 7 < 2)).astype(float)

    one = counts()
    assert season_of([one], "D") == 1
    assert season_of([one, *(counts() for _ in range(31))], "D") == 7


def test_a_season_that_a_wandering_level_hides_shows_in_the_steps(rng):
    def series():
        week = np.tile([0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0], 100)
        return week + 2 * rng.normal(size=700).cumsum()

    assert season_of([series() for _ in range(8)], "1") == 7


def test_weeks_of_years_are_found_without_a_date(shared):
    table = pd.read_parquet(shared / "m4_weekly-train.parquet")
    assert season_of([y.to_numpy() for _, y in table.groupby("unique_id")["y"]], "1") == 52


def test_a_cycle_that_dies_down_is_no_season(rng):
    def series():
        cycle = np.zeros(600)
        for step in range(2, 600):  # a wave of four steps, of which 0.8 ** 4 is left after one
            cycle[step] = -0.64 * cycle[step - 2] + rng.normal()
        return (cycle + 1.2 * rng.normal(size=600)).cumsum()

    assert season_of([series() for _ in range(8)], "1") == 1


@pytest.mark.parametrize("freq", ["D", "1"])
def test_a_constant_has_no_season(freq):
    assert season_of([np.full(100, 3.3)], freq) == 1


@pytest.mark.parametrize(("freq", "season"), [("MS", 12), ("1", 1)])
def test_two_cycles_are_evidence_where_the_calendar_expects_them(freq, season, rng):
    assert season_of([np.tile(rng.normal(size=12), 2)], freq) == season


def test_two_cycles_of_a_random_walk_are_none(rng):
    found = [season_of([rng.normal(size=24).cumsum()], "MS") for _ in range(40)]
    assert np.mean(np.array(found) > 1) <= 0.05


@pytest.mark.parametrize(("freq", "season"), [("MS", 12), ("QS", 4), ("h", 24), ("W", 1), ("1", 1)])
def test_where_no_history_can_be_asked_the_calendar_answers(freq, season, rng):
    panel = panel_of([rng.normal(size=60).cumsum()], freq)
    assert infer_season(panel, np.array([3])) == season


def test_a_series_of_less_than_two_cycles_has_no_season(rng):
    panel = panel_of([rng.normal(size=23)], "MS")
    assert infer_season(panel, np.array([11])) == 1


def test_many_short_series_show_a_weak_year(rng):
    year = 0.7 * rng.normal(size=12)
    assert season_of([np.tile(year, 4) + rng.normal(size=48) for _ in range(200)], "MS") == 12


@pytest.mark.parametrize("absurd", [1e300, -3.4e38, 1e9])
@pytest.mark.parametrize("freq", ["MS", "1"])
def test_one_absurd_value_does_not_hide_a_season(freq, absurd, rng):
    series = 100 + 10 * np.tile(rng.normal(size=12), 8) + rng.normal(size=96)
    series[50] = absurd
    assert season_of([series], freq) == 12


@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1e30, 1e300])
def test_units_do_not_decide_on_a_season(unit, rng):
    series = unit * (10 + np.tile(rng.normal(size=12), 8))
    assert season_of([series], "MS") == season_of([series], "1") == 12


def test_series_too_short_to_ask_do_not_speak(rng):
    long = np.tile(rng.normal(size=12), 6)
    assert season_of([long, *(rng.normal(size=5) for _ in range(50))], "MS") == 12


def test_years_have_no_season():
    assert season_of([np.tile([1.0, 2.0], 50)], "YS") == 1
