import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq.errors import ConfigError
from foreseq.series import calendar

SPECIAL = ["BME", "BMS", "3BME", "SMS-15", "SME-10", "WOM-3FRI", "LWOM-MON", "MS-30", "D[Sun-Thu]",
           "D[Mon, Wed, Fri]", "h[08:00-20:00]", "30min[Mon-Fri 09:30-16:00]", "4-4-5W[2000-02-20]",
           "5min[Mon-Fri 09:00-11:30 12:30-15:00, Sat 09:00-12:00]", "D@Europe/Berlin",
           "ME@Asia/Tokyo", "h@America/New_York", "B@Europe/London",
           "h[08:00-20:00]@Europe/Berlin"]  # fmt: skip
FREQUENCIES = ["s", "15min", "h", "6h", "D", "B", "W", "2W", "MS", "ME", "2MS", "QS", "QE", "YS",
               "YE", "1", "10"]  # fmt: skip


def stamps(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[ns]")


def start_of(freq: str):
    if calendar.is_integer(freq):
        return np.int64(7)
    return np.datetime64("2023-01-31T06:30", "ns")  # a Tuesday, the last of its month


@given(
    freq=st.sampled_from(FREQUENCIES),
    steps=st.lists(st.integers(-150, 110), min_size=1, max_size=20),
)
def test_positions_undo_times(freq, steps):
    # Not every month has a 31st for a month start to keep.
    start = np.datetime64("2023-01-01T06:30", "ns") if freq.endswith("S") else start_of(freq)
    ds = calendar.at(start, np.array(steps), freq)
    assert calendar.positions(ds, start, freq).tolist() == steps
    assert calendar.on_grid(ds, start, freq).all()


@given(
    freq=st.sampled_from(SPECIAL),
    day=st.integers(-3000, 20_000),
    steps=st.lists(st.integers(-150, 300), min_size=1, max_size=20),
)
def test_positions_undo_times_from_any_start_on_a_special_calendar(freq, day, steps):
    near = np.datetime64(0, "ns") + np.timedelta64(24 * day, "h")
    start = calendar.at(near, 0, freq)
    ds = calendar.at(start, np.array(steps), freq)
    assert calendar.positions(ds, start, freq).tolist() == steps
    assert calendar.on_grid(ds, start, freq).all()
    assert (np.diff(calendar.at(start, np.arange(-20, 20), freq)) > np.timedelta64(0)).all()


@given(freq=st.sampled_from(SPECIAL), hours=st.integers(0, 400_000))
def test_any_time_lies_between_its_step_and_the_next(freq, hours):
    time = np.datetime64(0, "ns") + np.timedelta64(hours, "h")
    start = calendar.at(np.datetime64("2001-05-06", "ns"), 0, freq)
    step = calendar.positions(time, start, freq)
    assert calendar.at(start, step, freq) <= time < calendar.at(start, step + 1, freq)


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_the_future_continues_the_past(freq):
    start = start_of(freq)
    whole = calendar.times(start, 0, 20, freq)
    assert len(whole) == 20
    assert whole[0] == start
    np.testing.assert_array_equal(calendar.times(start, 12, 8, freq), whole[12:])


@pytest.mark.parametrize(
    ("freq", "start"),
    [("h", "2024-03-30"), ("D", "2024-02-27"), ("B", "2024-02-28"), ("MS", "2023-12-01"),
     ("ME", "2023-12-31"), ("QS", "2024-01-01"), ("QE", "2023-12-31"), ("YS", "2024-01-01"),
     ("YE", "2023-12-31"), ("15min", "2024-02-28T23:00"), ("BME", "2024-01-31"),
     ("BQE", "2024-03-29"), ("BYS", "2024-01-01"), ("SMS-15", "2024-01-01"),
     ("SME-15", "2024-01-15"), ("WOM-2TUE", "2024-01-09"), ("LWOM-FRI", "2024-01-26")],
)  # fmt: skip
def test_grids_are_those_of_pandas(freq, start):
    expected = pd.date_range(start, periods=50, freq=freq).to_numpy(dtype="datetime64[ns]")
    np.testing.assert_array_equal(calendar.times(stamps(start)[0], 0, 50, freq), expected)


def test_weeks_tick_from_each_series_own_day():
    start = stamps("2024-01-03", "2024-01-06")
    ds = calendar.at(start[:, None], np.arange(2), "W")
    assert ds.astype("datetime64[D]").astype(str).tolist() == [
        ["2024-01-03", "2024-01-10"],
        ["2024-01-06", "2024-01-13"],
    ]


def test_a_month_end_keeps_its_distance_through_a_leap_year():
    ds = calendar.times(stamps("2024-01-31")[0], 0, 4, "ME").astype("datetime64[D]")
    assert ds.astype(str).tolist() == ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]


def test_business_days_step_over_the_weekend_and_keep_the_hour():
    ds = calendar.times(stamps("2024-03-01T17:00")[0], 0, 2, "B")
    assert ds.tolist() == stamps("2024-03-01T17:00", "2024-03-04T17:00").tolist()


@pytest.mark.parametrize(
    ("time", "start", "freq", "step"),
    [("2024-01-01T01:30", "2024-01-01", "h", 1), ("2024-03-02", "2024-03-01", "B", 0),
     ("2024-02-15", "2024-01-20", "MS", 0), ("2024-02-28", "2024-01-31", "ME", 0),
     ("2023-12-31T23:59", "2024-01-01", "D", -1)],
)  # fmt: skip
def test_a_time_off_the_grid_has_the_position_of_the_step_before(time, start, freq, step):
    ds, begin = stamps(time), stamps(start)[0]
    assert calendar.positions(ds, begin, freq).tolist() == [step]
    assert not calendar.on_grid(ds, begin, freq)[0]


def test_a_day_that_a_month_lacks_is_its_last():
    ds = calendar.times(stamps("2023-02-28")[0], 0, 4, "MS-30").astype("datetime64[D]")
    assert ds.astype(str).tolist() == ["2023-02-28", "2023-03-30", "2023-04-30", "2023-05-30"]
    ds = calendar.times(stamps("2023-12-31")[0], 0, 4, "MS").astype("datetime64[D]")
    assert ds.astype(str).tolist() == ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31"]


def test_a_session_ends_in_the_evening_and_before_the_weekend():
    freq = "h[Mon-Fri 09:30-16:30]"
    ds = calendar.times(stamps("2024-03-01T15:30")[0], 0, 3, freq)
    assert (
        ds.tolist() == stamps("2024-03-01T15:30", "2024-03-01T16:30", "2024-03-04T09:30").tolist()
    )


def test_days_of_a_zone_have_23_or_25_hours_where_clocks_change():
    ds = calendar.times(stamps("2024-03-29T23:00")[0], 0, 3, "D@Europe/Berlin")
    assert np.diff(ds).astype("timedelta64[h]").astype(int).tolist() == [24, 23]
    ds = calendar.times(stamps("2024-10-26T22:00")[0], 0, 2, "D@Europe/Berlin")
    assert np.diff(ds).astype("timedelta64[h]").astype(int).tolist() == [25]


def test_features_are_those_of_the_clocks():
    ds = stamps("2024-07-01T00:00", "2024-12-01T00:00")
    local = calendar.to_clock(ds, "Asia/Tokyo")
    np.testing.assert_array_equal(
        calendar.features(ds, "h@Asia/Tokyo"), calendar.features(local, "h")
    )


def test_a_zone_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="no time zone 'Europe/Paradise'"):
        calendar.canonical("D@Europe/Paradise")


@pytest.mark.parametrize("freq", FREQUENCIES + SPECIAL)
def test_a_canonical_name_names_itself(freq):
    assert calendar.canonical(freq) == freq


@pytest.mark.parametrize(
    ("spelling", "meant"),
    [(1, "1"), ("01", "1"), ("H", "h"), ("T", "min"), ("60min", "h"), ("90min", "90min"),
     ("24h", "D"), ("7D", "W"), ("W-WED", "W"), ("M", "ME"), ("Q-DEC", "QE"), ("12MS", "YS"),
     ("A", "YE"), ("BQE-DEC", "3BME"), ("BYS", "12BMS"),
     ("4-5-4W[2000-03-19]", "4-4-5W[2000-02-20]"),
     ("60min[Mon-Sun 08:00-09:00]", "h[08:00-09:00]"), ("D[Thu,Fri,Sat-Mon]", "D[Thu-Mon]"),
     ("D[Mon,Tue]", "D[Mon-Tue]")],
)  # fmt: skip
def test_other_spellings_mean_the_canonical_one(spelling, meant):
    assert calendar.canonical(spelling) == meant


@pytest.mark.parametrize(
    "freq",
    [
        "fortnight",
        "",
        "0",
        "0D",
        "-1",
        "D-SUN",
        "1.5h",
        "WOM-9MON",
        "-SUN",
        "h[]",
        "h[9-17]",
        "D[Mo]",
        "W[Mon]",
        "4-0-5W[2024-01-07]",
        "MS-32",
        "1@Europe/Berlin",
        "h[Mon 08:00-25:00]",
    ],
)
def test_an_unknown_frequency_is_refused_with_those_there_are(freq):
    with pytest.raises(ConfigError, match=r"unknown frequency.*15min"):
        calendar.canonical(freq)


@pytest.mark.parametrize(
    ("freq", "seasons"),
    [("30min", (48, 336)), ("min", (1440, 10080)), ("s", (3600, 86400)), ("5h", (1,)),
     ("h[08:00-20:00]", (13, 91)), ("30min[Mon-Fri 09:30-16:00]", (14, 70)), ("D[Sun-Thu]", (5,)),
     ("h[Mon-Fri 08:00-17:00, Sat 08:00-11:00]", (54,)), ("4-4-5W[2000-02-20]", (12,)),
     ("BME", (12,)), ("3BME", (4,)), ("SMS-15", (24,)), ("h@Europe/Berlin", (24, 168)),
     ("2W", (26,)), ("2MS", (6,)), ("2YS", (1,)), ("2D", (1,)), ("3", (1,))],
)  # fmt: skip
def test_seasons_are_whole_numbers_of_steps(freq, seasons):
    assert calendar.seasons(freq) == seasons


@pytest.mark.parametrize("freq", FREQUENCIES + SPECIAL)
def test_features_lie_on_unit_circles(freq):
    ds = calendar.at(start_of(freq), np.arange(12).reshape(3, 4), freq)
    found = calendar.features(ds, freq)
    assert found.dtype == np.float32
    assert found.shape == (3, 4, len(calendar.feature_names(freq)))
    circles = found.reshape(3, 4, -1, 2)
    np.testing.assert_allclose(np.square(circles).sum(axis=-1), 1, atol=1e-6)


def test_features_show_only_cycles_longer_than_a_step():
    assert calendar.feature_names("h")[::2] == ("hour_sin", "weekday_sin", "yearday_sin")
    assert calendar.feature_names("B")[::2] == ("weekday_sin", "yearday_sin")
    assert calendar.feature_names("W") == ("yearday_sin", "yearday_cos")
    assert calendar.feature_names("QE") == ("month_sin", "month_cos")
    assert calendar.feature_names("YS") == calendar.feature_names("1") == ()


def test_a_quarter_of_the_day_is_a_quarter_of_the_circle():
    found = calendar.features(stamps("2024-01-01T06:00"), "h")
    np.testing.assert_allclose(found[0], [1, 0, 0, 1, 0, 1], atol=1e-6)


def test_july_is_opposite_to_january():
    found = calendar.features(stamps("2024-01-31", "2024-07-31"), "ME")
    np.testing.assert_allclose(found[0], -found[1], atol=1e-6)
