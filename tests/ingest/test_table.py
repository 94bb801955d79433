import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq.config import DatasetConfig
from foreseq.errors import ConfigError, DataRefused
from foreseq.ingest.repairs import Repairs
from foreseq.ingest.table import to_panel
from foreseq.series import panel as panels
from foreseq.series.panel import OPEN


def dataset(**fields) -> DatasetConfig:
    return DatasetConfig(**{"source": "shop.csv", "horizon": 1} | fields)


def table(rows: list[tuple]) -> pd.DataFrame:
    """Return a table whose rows are called as the lines of a CSV would be."""
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "y"])
    frame.index += 2
    return frame


def days(*ys: float | None, name: str = "a") -> pd.DataFrame:
    ds = pd.date_range("2024-02-27", periods=len(ys), freq="D")
    return table([(name, day, y) for day, y in zip(ds, ys, strict=True)])


def refusal(frame: pd.DataFrame, **fields) -> str:
    with pytest.raises(DataRefused) as caught:
        to_panel(frame, dataset(**fields), file="shop.csv")
    return str(caught.value)


def numbers(panel: panels.Panel, position: int = 0) -> list[float | None]:
    values, seen = panel.series(position), panel.seen(position)
    return [float(value) if ok else None for value, ok in zip(values, seen, strict=True)]


SERIES = st.dictionaries(
    st.text("abc012", min_size=1, max_size=3),
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)), min_size=2, max_size=12).filter(
        lambda ys: ys[0] is not None and ys[-1] is not None
    ),
    min_size=1,
    max_size=4,
)


@given(series=SERIES, freq=st.sampled_from(["h", "B", "ME", "QS", "W", "3"]))
def test_a_panel_survives_the_frame_and_back(series, freq):
    start = 4 if freq == "3" else {"ME": "2024-01-31"}.get(freq, "2024-01-01")
    plain = {k: [np.nan if y is None else y for y in ys] for k, ys in series.items()}
    panel = panels.from_series(plain, freq=freq, season=1, start=start)
    again, repairs = to_panel(panels.to_frame(panel), dataset(freq=freq, season=1))
    assert again.fingerprint() == panel.fingerprint()
    assert repairs.missing == int((~panel.observed).sum())
    assert repairs.gaps == repairs.unsorted_series == repairs.duplicates_collapsed == 0


@given(series=SERIES, seed=st.integers(0, 99), gaps=st.sampled_from(["mark", "interpolate"]))
def test_the_order_of_rows_alters_nothing(series, seed, gaps):
    rows = [
        (name, step, y) for name, ys in series.items() for step, y in enumerate(ys) if y is not None
    ]
    frame = table(rows)
    shuffled = frame.sample(frac=1, random_state=seed)
    config = dataset(freq=1, gaps=gaps)
    panel, repairs = to_panel(frame, config)
    other, others = to_panel(shuffled, config)
    assert other.fingerprint() == panel.fingerprint()
    assert (others.gaps, others.gaps_filled) == (repairs.gaps, repairs.gaps_filled)


def test_a_panel_holds_what_the_table_says():
    frame = table([("b", "2024-01-02", 4), ("b", "2024-01-01", 3), ("a", "2024-01-05", 1),
                   ("a", "2024-01-06", 2)])  # fmt: skip
    panel, repairs = to_panel(frame, dataset())
    assert panel.ids.tolist() == ["a", "b"]
    assert (panel.freq, panel.season) == ("D", OPEN)
    assert [numbers(panel, 0), numbers(panel, 1)] == [[1, 2], [3, 4]]
    assert panel.starts.astype("datetime64[D]").astype(str).tolist() == ["2024-01-05", "2024-01-01"]
    assert repairs == Repairs(
        rows=4, series=2, steps=4, first="2024-01-01", last="2024-01-06", unsorted_series=1
    )


def test_ids_are_text_in_the_order_of_text():
    panel, _ = to_panel(table([(10, 1, 1.0), (9, 1, 2.0), (9, 2, 2.0)]), dataset())
    assert panel.ids.tolist() == ["10", "9"]
    assert [numbers(panel, 0), numbers(panel, 1)] == [[1], [2, 2]]


def test_ids_that_differ_by_spaces_are_two_series_and_a_warning():
    panel, repairs = to_panel(table([("A", 1, 1.0), ("A ", 1, 2.0), ("A", 2, 2.0)]), dataset())
    assert panel.ids.tolist() == ["A", "A "]
    assert "1 ids differ from another only by spaces around them, the first 'A '" in str(repairs)


def test_an_id_as_long_as_a_text_is_refused():
    message = refusal(table([("a", 1, 1.0), ("b" * 251, 1, 1.0), ("a", 2, 1.0)]))
    assert message.startswith("shop.csv, row 3: a unique_id may have 250 letters, found 251")


def test_text_that_holds_numbers_is_read_as_numbers():
    panel, _ = to_panel(table([("a", "1", "1.5"), ("a", "2", " 2 ")]), dataset())
    assert panel.freq == "1"
    assert numbers(panel) == [1.5, 2.0]


GAPPED = [("a", 1, 1.0), ("a", 2, 2.0), ("a", 3, 3.0), ("a", 6, 9.0)]


def test_gaps_are_marked():
    panel, repairs = to_panel(table(GAPPED), dataset())
    assert numbers(panel) == [1, 2, 3, None, None, 9]
    assert panel.values[~panel.observed].tolist() == [0.0, 0.0]
    assert (repairs.gaps, repairs.gaps_filled) == (2, 0)


def test_gaps_are_filled_on_a_line():
    panel, repairs = to_panel(table(GAPPED), dataset(gaps="interpolate"))
    assert numbers(panel) == [1, 2, 3, 5, 7, 9]
    assert (repairs.gaps, repairs.gaps_filled) == (2, 2)


def test_gaps_are_refused_by_the_row_after():
    message = refusal(table(GAPPED), gaps="refuse")
    assert message.startswith("shop.csv, series a, row 5: every step must have a row")
    assert "found 6 right after 3; add the rows, or choose dataset.gaps" in message


def test_empty_y_is_marked_or_zero():
    frame = days(1.0, None, 3.0)
    marked, repairs = to_panel(frame, dataset())
    assert numbers(marked) == [1, None, 3]
    assert (repairs.missing, repairs.missing_filled, repairs.gaps) == (1, 0, 0)
    zero, repairs = to_panel(frame, dataset(missing="zero"))
    assert numbers(zero) == [1, 0, 3]
    assert (repairs.missing, repairs.missing_filled) == (1, 1)


def test_a_series_begins_with_its_first_y_and_ends_with_its_last():
    frame = pd.concat([days(None, 1.0, None, None, 4.0, None), days(None, 7.0, name="b")])
    panel, repairs = to_panel(frame, dataset(missing="interpolate"))
    assert numbers(panel, 0) == [1, 2, 3, 4]
    assert numbers(panel, 1) == [7]
    assert panel.times(0, 4, 1).astype("datetime64[D]").astype(str).tolist() == ["2024-03-03"]
    assert (repairs.missing, repairs.missing_filled) == (2, 2)
    assert (repairs.leading, repairs.trailing) == (2, 1)
    assert "1 rows after the last y taken as the horizon, not as history" in str(repairs)
    assert repairs.last == "2024-03-02"


def test_rows_without_y_at_the_ends_are_zeros_or_refused_if_the_config_says_so():
    frame = days(None, 1.0, None)
    assert numbers(to_panel(frame, dataset(missing="zero"))[0]) == [0, 1, 0]
    assert "row 2: y must be filled" in refusal(frame, missing="refuse")


def test_a_series_without_any_y_is_kept():
    panel, _ = to_panel(pd.concat([days(None, None, name="new"), days(1.0, 2.0)]), dataset())
    assert panel.ids.tolist() == ["a", "new"]
    assert numbers(panel, 1) == [None]


@given(series=SERIES, ahead=st.integers(0, 3))
def test_rows_ahead_alter_nothing(series, ahead):
    rows = [(name, step, y) for name, ys in series.items() for step, y in enumerate(ys)]
    future = [(name, len(ys) + step, None) for name, ys in series.items() for step in range(ahead)]
    panel, _ = to_panel(table(rows), dataset(freq=1, season=1))
    other, repairs = to_panel(table(rows + future), dataset(freq=1, season=1))
    assert other.fingerprint() == panel.fingerprint()
    assert repairs.trailing == ahead * len(series)


def test_gaps_and_empty_y_follow_each_its_own_policy():
    frame = table([("a", 0, 0.0), ("a", 1, None), ("a", 3, 3.0), ("a", 4, 4.0)])
    filled, _ = to_panel(frame, dataset(gaps="interpolate"))
    assert numbers(filled) == [0, None, 2, 3, 4]
    filled, _ = to_panel(frame, dataset(missing="interpolate"))
    assert numbers(filled) == [0, 1, None, 3, 4]


def test_empty_y_is_refused_by_row():
    message = refusal(days(1.0, None, 3.0), missing="refuse")
    assert message.startswith("shop.csv, series a, row 3: y must be filled")
    assert "mark, interpolate or zero" in message


TWICE = [("a", 1, 1.0), ("a", 2, 5.0), ("a", 2, 7.0), ("a", 3, 2.0), ("a", 2, 6.0)]


@pytest.mark.parametrize(
    ("policy", "y"), [("first", 5.0), ("last", 6.0), ("mean", 6.0), ("sum", 18.0)]
)
def test_duplicates_become_one_row(policy, y):
    panel, repairs = to_panel(table(TWICE), dataset(duplicates=policy))
    assert numbers(panel) == [1, y, 2]
    assert repairs.duplicates_collapsed == 2


@pytest.mark.parametrize(("policy", "y"), [("mean", 5.0), ("sum", 5.0)])
def test_an_empty_duplicate_weighs_nothing(policy, y):
    rows = [("a", 1, 1.0), ("a", 2, 5.0), ("a", 2, None), ("a", 3, None), ("a", 3, None)]
    panel, _ = to_panel(table([*rows, ("a", 4, 4.0)]), dataset(duplicates=policy))
    assert numbers(panel) == [1, y, None, 4]


def test_duplicates_that_agree_collapse():
    rows = [("a", 1, None), ("a", 1, None), ("a", 2, 5.0), ("a", 2, 5.0), ("b", 2, 6.0)]
    panel, repairs = to_panel(table([("a", 0, 4.0), *rows]), dataset())
    assert numbers(panel) == [4, None, 5]
    assert repairs.duplicates_collapsed == 2


def test_duplicates_that_disagree_are_refused_by_both_rows():
    message = refusal(table(TWICE))
    assert message.startswith("shop.csv, series a, row 4: a series has one y at a time")
    assert "found y 7 and 5 in row 3 at 2" in message
    assert "dataset.duplicates: first, last, mean or sum" in message
    assert "dataset.columns.unique_id" in message


def test_a_number_and_an_empty_cell_disagree():
    assert "y nan and 1" in refusal(table([("a", 1, 1.0), ("a", 1, None), ("a", 2, 1.0)]))


def test_duplicates_that_agree_are_refused_if_told_so():
    frame = table([("a", 1, 1.0), ("b", 1, 1.0), ("b", 2, 1.0), ("b", 2, 1.0)])
    message = refusal(frame, duplicates="refuse")
    assert message.startswith("shop.csv, series b, row 5: ")
    assert "unique_id" not in message


@pytest.mark.parametrize(
    ("row", "cell", "says"),
    [
        ("y", "many", "series a, row 3: y must be a number, found 'many'"),
        ("y", np.inf, "series a, row 3: y must be a finite number, found inf"),
        ("y", "-inf", "series a, row 3: y must be a finite number"),
        ("ds", "soon", "series a, row 3: ds must be a timestamp like 2024-12-31 or"),
        ("ds", "31/12/2024", "found '31/12/2024'; correct the cell"),
        ("ds", "2024", "found '2024'"),
        ("ds", 5, "found '5'"),
        ("ds", "9" * 30, "row 3: ds must be a timestamp"),
        ("ds", None, "series a, row 3: every row needs a time in ds, found an empty cell"),
        ("ds", "9999-01-01", "row 3: ds must"),
        ("unique_id", None, "shop.csv, row 3: every row needs a unique_id"),
        ("unique_id", "", "shop.csv, row 3: every row needs a unique_id"),
    ],
)
def test_a_broken_cell_is_named_with_its_series_and_row(row, cell, says):
    frame = days(1.0, 2.0, 3.0).astype({"ds": str}).astype(object)
    frame.loc[3, row] = cell
    message = refusal(frame)
    assert message.startswith("shop.csv, ")
    assert says in message


def test_a_year_beyond_64_bits_is_refused():
    frame = days(1.0, 2.0).astype({"ds": "datetime64[s]"})
    frame.loc[3, "ds"] = pd.Timestamp("9999-12-31")
    assert "series a, row 3: ds must lie between the years 1678 and 2261" in refusal(frame)


@pytest.mark.parametrize("column", ["unique_id", "y"])
def test_a_table_that_does_not_count_its_rows_names_none(column):
    frame = days(1.0, 2.0).astype(object).set_index(pd.Index(["p", "q"]))
    frame.loc["q", column] = "" if column == "unique_id" else "many"
    assert "row" not in refusal(frame).partition(":")[0]


def test_a_missing_column_is_named_with_those_there_are():
    frame = days(1.0).rename(columns={"y": "sales"})
    assert "column 'y' is needed, found the columns unique_id, ds, sales" in refusal(frame)


def test_a_table_without_rows_is_refused():
    assert "rows are needed, found none" in refusal(days(1.0).iloc[:0])


def test_a_column_without_numbers_is_refused():
    assert "y must hold numbers" in refusal(days(None, None))


def test_fractions_are_no_steps():
    message = refusal(table([("a", 1.0, 1.0), ("a", 1.5, 2.0)]))
    assert "row 3: ds must be a timestamp or a whole number, found 1.5" in message


def test_dates_without_dashes_are_not_taken_for_steps():
    message = refusal(table([("a", 2024_01_31, 1.0), ("a", 2024_02_01, 2.0)]))
    assert "20240131, which looks like a date; write dates with dashes" in message


def test_months_without_dashes_are_not_taken_for_steps():
    message = refusal(table([("a", 2024_12, 1.0), ("a", 2025_01, 2.0)]))
    assert "202412, which looks like a date" in message


def test_years_are_steps():
    panel, _ = to_panel(table([("a", 1990, 1.0), ("a", 1991, 2.0)]), dataset())
    assert (panel.freq, panel.starts.tolist()) == ("1", [1990])


def test_a_time_off_the_grid_is_refused_by_row():
    frame = days(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    frame.loc[4, "ds"] += pd.Timedelta(hours=5)
    message = refusal(frame)
    assert "series a, row 4: times must follow each other by D from 2024-02-27 on" in message
    assert "found 2024-02-29 05:00:00; correct the time, set dataset.freq, or number" in message


def test_a_month_end_that_is_none_is_refused():
    frame = table([("a", "2024-01-31", 1), ("a", "2024-02-28", 2), ("a", "2024-03-31", 3)])
    assert "found 2024-02-28" in refusal(frame, freq="ME")


def test_a_wrong_year_does_not_make_a_grid_of_millions_of_steps():
    frame = days(1.0, 2.0, 3.0)
    frame["ds"] = pd.date_range("2024-01-01", periods=3, freq="min")
    frame.loc[4, "ds"] = pd.Timestamp("2204-01-01 00:02")
    message = refusal(frame)
    assert "series a, row 4: times may be 10,000 steps of min apart" in message
    assert "found 2204-01-01 00:02:00, 94,669,921 steps after 2024-01-01 00:01:00" in message


@pytest.mark.parametrize(("year", "row"), [("2054", 5), ("1924", 2)])
def test_a_time_far_from_all_others_is_refused_unless_the_gap_is_declared(year, row):
    frame = days(1.0, 2.0, 3.0, 4.0)
    frame.loc[row, "ds"] = frame["ds"][row].replace(year=int(year))
    message = refusal(frame)
    assert f"series a, row {row}: times may be 1,000 steps of D apart" in message
    assert "with none between in any series" in message
    limit = int(message.partition("dataset.max_gap=")[2].split()[0])
    panel, _ = to_panel(frame, dataset(max_gap=limit, freq="D"))
    assert panel.observed.sum() == 4
    assert "row" in refusal(frame, max_gap=limit - 1)


def test_a_long_gap_of_one_series_is_none_where_others_have_rows():
    frame = pd.concat([days(*range(3000)), days(1.0, 2.0, name="b")])
    frame.iloc[-1, 1] += pd.Timedelta(days=2900)
    panel, _ = to_panel(frame, dataset())
    assert panel.lengths.tolist() == [3000, 2902]


def test_series_of_different_frequencies_are_refused_by_name():
    months = pd.date_range("2024-01-01", periods=6, freq="MS")
    frame = pd.concat([days(*range(20)), table([("m", day, 1.0) for day in months])])
    message = refusal(frame)
    assert message.startswith("shop.csv: all series must have one frequency")
    assert "found D in 1, such as a; MS in 1, such as m; ingest each frequency" in message
    assert to_panel(frame, dataset(freq="D"))[0].n_series == 2


def test_days_without_a_sale_are_no_other_frequency():
    rare = table([("b", pd.Timestamp("2024-02-27") + pd.Timedelta(days=n), 1.0)
                  for n in (0, 7, 9, 15, 22, 30)])  # fmt: skip
    assert to_panel(pd.concat([days(*range(40)), rare]), dataset())[0].freq == "D"


def test_days_without_a_row_are_zero_up_to_the_newest_day_if_the_config_says_so():
    frame = pd.concat([days(1.0, 2.0, 3.0, 4.0), days(5.0, 6.0, 7.0, name="b")]).iloc[[0, 3, 5]]
    panel, repairs = to_panel(frame, dataset(freq="D", gaps="zero"))
    assert numbers(panel, 0) == [1, 0, 0, 4]
    assert numbers(panel, 1) == [6, 0, 0]
    assert (repairs.gaps, repairs.gaps_filled) == (4, 4)


def test_sales_without_zeros_are_said_to_lack_the_days_without_any():
    sold = days(*range(1, 61)).iloc[[0, 1, 4, 7, 8, 12, 13, 17, 20, 22, 23, 27, 31, 36, 40, 59]]
    _, repairs = to_panel(sold, dataset(freq="D"))
    assert "73% of steps have no row and no y is 0" in str(repairs)
    assert "set dataset.gaps=zero" in str(repairs)
    assert not to_panel(sold, dataset(freq="D", gaps="zero"))[1].warnings
    assert not to_panel(sold.assign(y=0.0), dataset(freq="D"))[1].warnings


@pytest.mark.parametrize("sign", [-9999.0, 99999.0, -3.4028234663852886e38, 65535.0])
def test_a_sign_for_missing_values_is_named(sign):
    frame = pd.concat([days(10.0, sign, 12.0, sign, 11.0), days(sign, sign + 1, sign, name="b")])
    _, repairs = to_panel(frame, dataset())
    assert repairs.warnings == (
        f"{sign:g} in 2 rows, the first of series a at 2024-02-28, looks like a missing value:"
        " empty the cell",
    )


def test_times_with_and_without_a_zone_are_refused():
    frame = table([("a", "2024-01-01 00:00", 1), ("a", "2024-01-02 00:00", 1),
                   ("a", "2024-01-03 00:00+00:00", 1)])  # fmt: skip
    message = refusal(frame)
    assert "row 4: all times must have a time zone, or none" in message
    assert "found '2024-01-03 00:00+00:00' beside '2024-01-01 00:00'" in message


def test_one_row_each_has_no_frequency_unless_told():
    frame = pd.concat([days(1.0), days(2.0, name="b")])
    assert "set dataset.freq" in refusal(frame)
    panel, _ = to_panel(frame, dataset(freq="D"))
    assert panel.lengths.tolist() == [1, 1]


def test_the_frequency_must_fit_the_kind_of_times():
    assert "ds must hold integer steps, as dataset.freq 1 says" in refusal(days(1.0, 2.0), freq=1)
    assert "ds must hold timestamps" in refusal(table(GAPPED), freq="D")


def test_an_unknown_frequency_is_a_mistake_of_the_configuration():
    with pytest.raises(ConfigError, match="fortnight"):
        to_panel(days(1.0, 2.0), dataset(freq="fortnight"))


def test_leap_day_belongs_to_the_grid():
    panel, repairs = to_panel(days(1.0, 2.0, 3.0, 4.0), dataset())
    assert panel.times(0, 2, 2).astype("datetime64[D]").astype(str).tolist() == [
        "2024-02-29",
        "2024-03-01",
    ]
    assert repairs.gaps == 0


def test_a_weekend_is_no_gap_in_business_days():
    ds = pd.bdate_range("2024-01-01", periods=15)
    frame = table([("a", day, float(i)) for i, day in enumerate(ds)])
    panel, repairs = to_panel(frame.drop(index=6), dataset())
    assert panel.freq == "B"
    assert (repairs.steps, repairs.gaps) == (15, 1)


def test_a_year_of_53_weeks_is_no_gap_in_weeks():
    ds = pd.date_range("2019-12-30", "2021-01-18", freq="W-MON")  # 2020 has a week 53
    panel, repairs = to_panel(table([("a", day, float(i)) for i, day in enumerate(ds)]), dataset())
    assert (panel.freq, repairs.gaps) == ("W", 0)
    assert numbers(panel) == list(range(len(ds)))


@pytest.mark.parametrize("as_text", [False, True])
def test_hours_of_a_zone_have_no_gap_where_clocks_change(as_text):
    ds = pd.date_range("2024-03-31 00:00", periods=5, freq="h", tz="Europe/Berlin")
    frame = table([("a", time.isoformat() if as_text else time, 1.0) for time in ds])
    panel, repairs = to_panel(frame, dataset())
    assert (panel.freq, repairs.gaps) == ("h@UTC" if as_text else "h@Europe/Berlin", 0)
    assert str(panel.starts[0]) == "2024-03-30T23:00:00.000000000"
    assert "times of " in str(repairs)


@pytest.mark.parametrize("freq", ["D", "B", "MS", "ME", "W"])
def test_local_midnights_are_regular_in_their_zone(freq):
    ds = pd.date_range("2024-01-29", periods=90, freq=freq, tz="America/New_York")
    panel, repairs = to_panel(table([("a", day, 1.0) for day in ds[:80]]), dataset())
    assert panel.freq == f"{freq}@America/New_York"
    assert repairs.gaps == 0
    assert panels.to_frame(panel)["ds"].tolist() == ds[:80].tolist()
    assert panel.times(0, 80, 10).tolist() == ds[80:].tz_localize(None).as_unit("ns").asi8.tolist()


def test_days_with_offsets_need_the_name_of_their_zone_only_where_clocks_change():
    ds = pd.date_range("2024-03-29", periods=5, freq="D", tz="Europe/Berlin")
    frame = table([("a", day.isoformat(), 1.0) for day in ds])
    assert "name it: dataset.freq=D@Europe/Berlin" in refusal(frame)
    assert to_panel(frame, dataset(freq="D@Europe/Berlin"))[0].freq == "D@Europe/Berlin"
    winter, _ = to_panel(frame.iloc[:2], dataset())
    assert winter.freq == "D@UTC+01:00"
    assert winter.times(0, 2, 1).astype("datetime64[m]").astype(str) == ["2024-03-31T00:00"]


def test_clocks_of_the_frequency_count_for_times_without_a_zone():
    ds = pd.date_range("2024-10-26", periods=72, freq="h", tz="Europe/Berlin")
    frame = table([("a", hour, 1.0) for hour in ds.tz_localize(None)])
    assert "one y at a time" in refusal(frame.assign(y=range(72)))
    panel, repairs = to_panel(frame, dataset(freq="h@Europe/Berlin"))
    assert (len(panel.values), repairs.gaps, repairs.duplicates_collapsed) == (72, 0, 0)


def test_a_history_keeps_its_own_zone():
    ds = pd.date_range("2024-03-29", periods=5, freq="D", tz="Asia/Tokyo")
    panel, _ = to_panel(table([("a", day, 1.0) for day in ds]), dataset(freq="D@Europe/Berlin"))
    assert panel.freq == "D@Asia/Tokyo"


def test_times_a_few_seconds_off_are_rounded_and_counted(rng):
    hours = pd.date_range("2024-01-01", periods=48, freq="h")
    late = rng.integers(-5, 6, size=48)
    frame = table([("a", hour, 1.0) for hour in hours + pd.to_timedelta(late, unit="s")])
    panel, repairs = to_panel(frame, dataset())
    assert (panel.freq, len(panel.values)) == ("h", 48)
    assert f"{np.count_nonzero(late)} times rounded to the minute" in str(repairs)
    assert "times must follow each other" in refusal(frame, jitter=0)
    assert "times must follow each other" in refusal(frame, jitter=4.9)


@pytest.mark.parametrize("freq", ["s", "30s", "90s"])
def test_times_that_are_regular_by_seconds_are_not_rounded(freq):
    ds = pd.date_range("2024-01-01 00:00:01", periods=60, freq=freq)
    panel, repairs = to_panel(table([("a", time, 1.0) for time in ds]), dataset())
    assert (len(panel.values), repairs.rounded, panel.freq) == (60, 0, freq)


def test_dates_without_hours_have_no_zone():
    _, repairs = to_panel(table([("a", "2024-01-10", 1.0), ("a", "2024-01-11", 1.0)]), dataset())
    assert repairs.zone == ""


def test_blank_rows_are_skipped_and_counted():
    frame = table([("a", "1", 1.0), ("", "", None), ("a", "2", 2.0)])
    panel, repairs = to_panel(frame, dataset())
    assert numbers(panel) == [1, 2]
    assert (repairs.rows, repairs.blank_rows) == (2, 1)


def test_the_season_told_is_kept():
    assert to_panel(days(1.0, 2.0), dataset(season=7))[0].season == 7


def test_repairs_tell_only_what_happened():
    _, repairs = to_panel(days(1.0, None, 3.0), dataset())
    assert str(repairs) == "3 rows, 1 series, 2024-02-27 to 2024-02-29; 1 empty y left unobserved"


def test_a_million_rows_take_seconds(rng):
    count, length = 2000, 500
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{i}" for i in range(count)], length),
            "ds": np.tile(pd.date_range("2024-01-01", periods=length, freq="h"), count),
            "y": rng.normal(size=count * length),
        }
    )
    panel, _ = to_panel(frame.sample(frac=1, random_state=1), dataset())
    assert panel.lengths.tolist() == [length] * count


def test_what_was_not_known_until_a_time_does_not_count():
    frame = pd.concat([days(1, 2, 3, 4), days(None, None, None, 5, 6, name="new").dropna()])
    panel, _ = to_panel(frame, dataset(freq="D", as_of="2024-03-01T00:00"))
    assert panel.ids.tolist() == ["a"]
    assert numbers(panel) == [1, 2, 3]


def test_a_time_limit_with_a_zone_is_converted_to_utc():
    config = dataset(as_of="2024-03-01T01:00+01:00")
    assert config == dataset(as_of="2024-03-01T00:00")


def test_a_time_limit_before_the_first_observation_is_refused():
    assert "choose a later dataset.as_of" in refusal(days(1, 2, 3), as_of="2024-01-01")


def test_a_time_limit_of_numbered_steps_is_refused():
    with pytest.raises(ConfigError, match="time column"):
        to_panel(table([("a", 1, 1), ("a", 2, 2)]), dataset(as_of="2024-01-01"))
