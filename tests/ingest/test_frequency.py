import numpy as np
import pytest

from foreseq.ingest.frequency import infer_freq
from foreseq.series import calendar

FREQUENCIES = ["s", "15min", "h", "6h", "D", "B", "W", "2W", "MS", "ME", "2MS", "QS", "QE", "YS",
               "YE", "1", "10"]  # fmt: skip


def stamps(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[ns]")


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_inference_finds_the_frequency_of_a_grid_with_gaps_and_repeats(freq, rng):
    begin = "2020-12-31" if freq.endswith("E") else "2020-01-01"
    start = np.int64(5) if calendar.is_integer(freq) else stamps(begin)[0]
    parts = [
        np.repeat(
            calendar.at(start, np.flatnonzero(rng.random(60) < 0.9), freq), rng.integers(1, 3)
        )
        for _ in range(5)
    ]
    offsets = np.cumsum([0, *map(len, parts)])
    assert infer_freq(np.concatenate(parts), offsets) == freq


@pytest.mark.parametrize(
    "freq",
    ["BME", "BMS", "3BME", "SMS-15", "SMS-20", "SME-15", "SME-10", "WOM-3FRI", "LWOM-MON", "MS-30",
     "D[Sun-Thu]", "D[Mon, Wed, Fri]", "D[Mon-Sat]", "h[08:00-20:00]", "30min[Mon-Fri 09:30-16:00]",
     "h[Mon-Fri 09:30-15:30]", "4-4-5W[2000-02-20]",
     "5min[Mon-Fri 09:00-11:30 12:30-15:00]", "h[Mon-Fri 08:00-20:00, Sat 08:00-14:00]"],
)  # fmt: skip
def test_inference_finds_a_special_calendar_although_rows_are_missing(freq, rng):
    start = calendar.at(stamps("2021-02-27")[0], 0, freq)
    steps = np.flatnonzero(rng.random(1000 if "min" in freq else 300) < 0.95)
    ds = calendar.at(start, steps, freq)
    assert infer_freq(ds, np.array([0, len(ds)])) == freq


def test_hours_that_are_missing_at_random_are_no_closing_hours(rng):
    hours = calendar.times(stamps("2024-01-01")[0], 0, 30 * 24, "h")
    ds = hours[rng.random(len(hours)) < 0.4]
    assert infer_freq(ds, np.array([0, len(ds)])) == "h"


def test_rare_days_of_some_weekdays_are_days(rng):
    days = calendar.times(stamps("2024-01-01")[0], 0, 300, "D[Mon-Thu]")
    ds = np.sort(np.concatenate([days[::7], days[1::7], days[2::14]]))
    assert infer_freq(ds, np.array([0, len(ds)])) == "D"


def test_the_step_from_one_series_to_the_next_tells_nothing():
    ds = stamps("2024-01-01", "2024-01-03", "2024-01-04", "2024-01-06")
    assert infer_freq(ds, np.array([0, 2, 4])) == "2D"


def test_one_time_in_each_series_has_no_frequency():
    assert infer_freq(stamps("2024-01-01", "2024-01-02"), np.array([0, 1, 2])) is None


def test_five_days_within_one_week_are_days():
    ds = calendar.times(stamps("2024-01-01")[0], 0, 5, "D")
    assert infer_freq(ds, np.array([0, 5])) == "D"


def test_a_single_stray_integer_does_not_halve_the_step():
    assert infer_freq(np.array([10, 20, 30, 35, 40, 50, 60]), np.array([0, 7])) == "10"


def test_integers_without_a_ruling_step_use_the_common_divisor():
    assert infer_freq(np.array([0, 4, 10, 20, 26, 40]), np.array([0, 6])) == "2"


def test_irregular_days_of_the_month_are_days():
    ds = stamps("2024-01-01", "2024-01-29", "2024-02-26", "2024-03-25")
    assert infer_freq(ds, np.array([0, 4])) == "4W"
