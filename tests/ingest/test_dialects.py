"""Files as spreadsheets, databases and people write them: what they hold is recognised and said."""

import codecs
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreseq.config import CsvConfig, DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest.notation import numbers, times
from foreseq.ingest.read import read_table
from foreseq.ingest.store import ingest
from foreseq.ingest.table import to_panel

DAYS = ["2024-01-01", "2024-01-02", "2024-01-13"]


def config(path: Path, **fields) -> DatasetConfig:
    return DatasetConfig(
        **{"source": str(path), "horizon": 1, "name": "shop", "freq": "D"} | fields
    )


def write(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(folder: Path, text: str | bytes, name: str = "a.csv", **fields):
    """Return rows `id, time, y` of a file, and what was said about it."""
    dataset = config(write(folder, text, name), **fields)
    table = read_table(dataset)
    panel, repairs = to_panel(table, dataset)
    ids = np.repeat(panel.ids, panel.lengths)
    frame = pd.DataFrame({"id": ids, "y": panel.values})[panel.observed]
    return frame.to_numpy().tolist(), repairs.reading


def refusal(folder: Path, text: str | bytes, **fields) -> str:
    with pytest.raises(DataRefused) as caught:
        read(folder, text, **fields)
    return str(caught.value)


def test_a_german_spreadsheet_is_read(tmp_path):
    text = (
        "Filiale;Datum;Umsatz in €\n"
        "Zürich;31.12.2023;1.234,5\n"
        "Zürich;01.01.2024;17\n"
        "Bern;31.12.2023;0,5\n"
    )
    rows, said = read(tmp_path, text.encode("cp1252"))
    assert rows == [["Bern", 0.5], ["Zürich", 1234.5], ["Zürich", 17.0]]
    assert said == (
        "separator ';', encoding cp1252, ds from 'Datum', y from 'Umsatz in €', unique_id from"
        " 'Filiale', date_format %d.%m.%Y, decimal ',', thousands '.'"
    )


@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_the_separator_is_found_whatever_the_ending(tmp_path, mark, name):
    text = "unique_id,ds,y\nb,2024-01-01,1.5\na,2024-01-01,2\n".replace(",", mark)
    assert read(tmp_path, text, name)[0] == [["a", 2.0], ["b", 1.5]]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]
)
def test_the_encoding_is_found(tmp_path, encoding):
    text = "unique_id,ds,y\nZürich,2024-01-01,1\n"
    assert read(tmp_path, text.encode(encoding))[0] == [["Zürich", 1.0]]


def test_another_encoding_can_be_set(tmp_path):
    data = "unique_id,ds,y\nŁódź,2024-01-01,1\n".encode("cp1250")
    assert read(tmp_path, data, csv={"encoding": "cp1250"})[0] == [["Łódź", 1.0]]


def test_letters_far_down_decide_about_the_encoding(tmp_path):
    lines = [f"a{n},2024-01-01,1" for n in range(20_000)]
    data = "\n".join(["unique_id,ds,y", *lines, "ü,2024-01-01,1"]).encode("latin-1")
    rows, said = read(tmp_path, data)
    assert rows[-1] == ["ü", 1.0]
    assert said == "encoding cp1252"


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["31.12.2024", "1.1.2025"], ["2024-12-31", "2025-01-01"]),
        (["12/31/2024", "01/01/2025"], ["2024-12-31", "2025-01-01"]),
        (["31/12/24", "01/01/25"], ["2024-12-31", "2025-01-01"]),
        (["2024/12/31", "2025/1/1"], ["2024-12-31", "2025-01-01"]),
        (["31-Dec-2024", "01-Jan-2025"], ["2024-12-31", "2025-01-01"]),
        (["December 31, 2024", "January 1, 2025"], ["2024-12-31", "2025-01-01"]),
        (["20241231", "20250101"], ["2024-12-31", "2025-01-01"]),
        (["202412", "202501"], ["2024-12-01", "2025-01-01"]),
        (["12/2024", "01/2025"], ["2024-12-01", "2025-01-01"]),
        (["Dec-24", "Jan-25"], ["2024-12-01", "2025-01-01"]),
        (["31.12.2024 9:30", "1.1.2025 10:00"], ["2024-12-31 09:30", "2025-01-01 10:00"]),
        (["12/31/2024 9:30 PM", "1/1/2025 12:00 AM"], ["2024-12-31 21:30", "2025-01-01 00:00"]),
        (["31.12.2024", "1.1.2025 01:00"], ["2024-12-31", "2025-01-01 01:00"]),
    ],
)
def test_dates_are_read_in_the_order_that_they_can_only_have(texts, days):
    column, said = times(pd.Series(texts), CsvConfig())
    assert column.tolist() == days
    assert said.startswith("date_format %")


def test_an_ambiguous_order_of_dates_is_refused_with_both_readings(tmp_path):
    message = refusal(tmp_path, "ds,y\n01/01/2024,1\n03/04/2024,2\n")
    assert "row 3: dates must show which number is the day" in message
    assert "found '03/04/2024', which may be 3 April 2024 or 4 March 2024" in message
    assert "--set dataset.csv.date_format=%d/%m/%Y or %m/%d/%Y" in message
    text = "ds,y\n01/01/2024,1\n03/04/2024,2\n"
    rows, said = read(tmp_path, text, csv={"date_format": "%d/%m/%Y"})
    assert (rows, said) == ([["shop", 1.0], ["shop", 2.0]], "")


def test_dates_in_two_orders_are_refused_by_row(tmp_path):
    message = refusal(tmp_path, "ds,y\n13/02/2024,1\n02/13/2024,2\n")
    assert "row 2: ds must be a timestamp like 2024-12-31" in message


def test_one_day_above_twelve_decides(tmp_path):
    assert read(tmp_path, "ds,y\n01/02/2024,1\n13/02/2024,2\n")[1] == "date_format %d/%m/%Y"
    assert read(tmp_path, "ds,y\n02/01/2024,1\n02/13/2024,2\n")[1] == "date_format %m/%d/%Y"


def test_a_date_that_does_not_fit_the_others_is_refused_by_row(tmp_path):
    message = refusal(tmp_path, "ds,y\n13/02/2024,1\n14/02/2024,2\n02/15/2024,3\n")
    assert "row 4: ds must be a timestamp" in message
    message = refusal(tmp_path, "ds,y\n13.2.2024,1\n", csv={"date_format": "%m.%d.%Y"})
    assert "row 2: ds must be written as dataset.csv.date_format says, %m.%d.%Y, found" in message


@pytest.mark.parametrize(
    ("texts", "values", "said"),
    [
        (["1,5", "2"], [1.5, 2], "decimal ','"),
        (["1,234.5", "2"], [1234.5, 2], "thousands ','"),
        (["1,234,567", "2"], [1234567, 2], "thousands ','"),
        (["12,34,567", "2"], [1234567, 2], "thousands ','"),
        (["1,234", "950"], [1234, 950], "thousands ','"),
        (["0,123", "1,234"], [0.123, 1.234], "decimal ','"),
        (["1.234,5", "1.234"], [1234.5, 1234], "decimal ',', thousands '.'"),
        (["1 234,5", "-3"], [1234.5, -3], "decimal ',', thousands ' '"),
        (["1\u202f234", "+3"], [1234, 3], "thousands ' '"),
        (["1'234.5", "1e3"], [1234.5, 1000], 'thousands "\'"'),
        (["1.234", "2"], [1.234, 2], ""),
    ],
)
def test_numbers_are_read_in_the_only_way_that_fits_all(texts, values, said):
    column, notation = numbers(pd.Series(texts), CsvConfig())
    assert column.tolist() == values
    assert notation == said


def test_numbers_that_may_be_decimals_or_thousands_are_refused_with_both_readings(tmp_path):
    text = "ds;y\n2024-01-01;1,234\n2024-01-02;5,678\n"
    message = refusal(tmp_path, text)
    assert "row 2: numbers must show whether a mark is of decimals or thousands" in message
    assert "found '1,234', which may be 1.234 or 1234" in message
    assert "dataset.csv.decimal=, or --set dataset.csv.thousands=," in message
    assert read(tmp_path, text, csv={"decimal": ","})[0][0] == ["shop", 1.234]
    assert read(tmp_path, text, csv={"thousands": ","})[0][0] == ["shop", 1234.0]
    dotted = text.replace(",", ".")
    assert "which may be 1.234 or 1234" in refusal(tmp_path, dotted)
    assert read(tmp_path, dotted.replace(";", ","))[0][0] == ["shop", 1.234]


def test_a_cell_that_is_no_number_is_refused_as_it_was_written(tmp_path):
    message = refusal(tmp_path, "ds;y\n2024-01-01;1,5\n2024-01-02;viel\n")
    assert "row 3: y must be a number, found 'viel'" in message


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("UNIQUE_ID,DS,Y", "unique_id from 'UNIQUE_ID', ds from 'DS', y from 'Y'"),
        ("Series,date,value", "unique_id from 'Series', ds from 'date', y from 'value'"),
        ("shop,when,price", "unique_id from 'shop', ds from 'when', y from 'price'"),
    ],
)
def test_columns_that_can_only_be_meant_are_taken_and_said(tmp_path, header, said):
    rows, reading = read(tmp_path, f"{header}\na,2024-01-01,1\nb,2024-01-01,2\n")
    assert rows == [["a", 1.0], ["b", 2.0]]
    assert sorted(reading.split(", ")) == sorted(said.split(", "))


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("date,value,target\n2024-01-01,1,2\n", "y"),
        ("opened,closed,y\n2024-01-01,2024-01-02,2\n", "ds"),
        ("when,price,stock\n2024-01-01,1,2\n", "y"),
        ("t,v\n1,2\n2,3\n", "ds"),
    ],
)
def test_columns_that_could_be_several_are_asked_for(tmp_path, text, column):
    message = refusal(tmp_path, text)
    assert f"column {column!r} is needed" in message
    assert f"--set dataset.columns.{column}=NAME" in message


def test_a_note_beside_one_series_is_no_id(tmp_path):
    rows, _ = read(tmp_path, "date,holiday,value\n2024-01-01,yes,1\n2024-01-02,no,2\n")
    assert rows == [["shop", 1.0], ["shop", 2.0]]


def test_rows_that_are_to_be_summed_need_no_id(tmp_path):
    text = "ds,region,y\n2024-01-01,a,1\n2024-01-01,b,2\n"
    assert read(tmp_path, text, duplicates="sum")[0] == [["shop", 3.0]]


def test_a_file_without_a_header_is_read_by_what_its_columns_hold(tmp_path):
    rows, said = read(tmp_path, "2024-01-01;1,5\n2024-01-02;2,5\n")
    assert rows == [["shop", 1.5], ["shop", 2.5]]
    assert said == "separator ';', no header, ds from '1', y from '2', decimal ','"
    rows, _ = read(tmp_path, "a,2024-01-01,1\nb,2024-01-01,2\n")
    assert rows == [["a", 1.0], ["b", 2.0]]
    assert "row 2: y must be a number" in refusal(
        tmp_path, "2024-01-01,1\n2024-01-02,x\n2024-01-03,3\n", columns={"ds": "1", "y": "2"}
    )


def test_a_name_that_is_set_is_taken_in_other_letters_only(tmp_path):
    text = "Date,Price\n2024-01-01,1\n"
    assert read(tmp_path, text, columns={"ds": "date", "y": "price"})[0] == [["shop", 1.0]]
    assert "column 'cost' is needed" in refusal(tmp_path, text, columns={"ds": "Date", "y": "cost"})


def test_wide_files_are_read_alike(tmp_path):
    text = "Datum;a;b\n31.12.2023;1.000,5;2\n01.01.2024;3;\n"
    rows, _ = read(tmp_path, text, layout="wide")
    assert rows == [["a", 1000.5], ["a", 3.0], ["b", 2.0]]


def test_columns_of_parquet_are_found_alike(tmp_path):
    table = pd.DataFrame({"Datum": ["31.12.2023", "01.01.2024"], "Wert": ["1,5", "2"]})
    table.to_parquet(tmp_path / "a.parquet")
    dataset = config(tmp_path / "a.parquet")
    panel, repairs = to_panel(read_table(dataset), dataset)
    assert panel.values.tolist() == [1.5, 2.0]
    assert repairs.reading == "ds from 'Datum', y from 'Wert', date_format %d.%m.%Y, decimal ','"


def test_rows_in_another_dialect_are_appended(tmp_path):
    first = write(tmp_path, "unique_id;ds;y\na;30.12.2023;1,5\na;31.12.2023;2,5\n", "1.csv")
    second = write(tmp_path, "unique_id,ds,y\na,01/02/2024,3.5\n", "2.csv")
    ingest(config(first, update="append"), tmp_path / "series")
    later = config(second, update="append", csv={"date_format": "%d/%m/%Y"})
    added = ingest(later, tmp_path / "series")
    assert added.changes == "1 steps appended"
    assert ingest(later, tmp_path / "series").fresh is False
    assert "decimal ','" in str(ingest(config(first), tmp_path / "series").repairs)


def attempt(dataset: DatasetConfig) -> tuple[pd.DataFrame | None, str]:
    try:
        return read_table(dataset), ""
    except DataRefused as error:
        return None, str(error)


CELLS = st.floats(-1e9, 1e9).map(lambda value: round(value, 4))
FORMATS = st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%y", "%d-%b-%Y", "%Y%m%d"])
DIALECTS = st.fixed_dictionaries(
    {
        "separator": st.sampled_from([",", ";", "\t", "|"]),
        "marks": st.sampled_from(
            [(".", ""), (",", ""), (",", "."), (".", ","), (",", " "), (".", "'")]
        ),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
        "date_format": FORMATS,
        "end": st.sampled_from(["\n", "\r\n"]),
    }
)


@settings(max_examples=40)
@given(values=st.lists(CELLS, min_size=2, max_size=8), dialect=DIALECTS, start=st.integers(0, 9999))
def test_a_panel_is_the_same_in_every_dialect(tmp_path_factory, values, dialect, start):
    folder = tmp_path_factory.mktemp("dialect")
    days = pd.date_range("2000-01-01", periods=30_000)[start : start + len(values)]
    decimal, thousands = dialect["marks"]
    swap = str.maketrans({",": thousands, ".": decimal})
    texts = [f"{value:,.4f}".translate(swap) for value in values]
    rows = [["unique_id", "ds", "y"]]
    rows += [
        ["Zoë", f"{day:{dialect['date_format']}}", text]
        for day, text in zip(days, texts, strict=True)
    ]
    lines = [dialect["separator"].join(f'"{cell}"' for cell in row) for row in rows]
    data = dialect["end"].join(lines).encode(dialect["encoding"])
    path = write(folder, data)
    table, message = attempt(config(path))
    if table is None:  # ambiguous: it must be said
        assert "must show" in message
        fields = {"date_format": dialect["date_format"], "decimal": decimal}
        table = read_table(config(path, csv=fields | {"thousands": thousands or None}))
    panel, _ = to_panel(table, config(folder / "a.csv"))
    assert panel.values.tolist() == values
    assert panel.starts[0] == np.datetime64(days[0])
    assert panel.ids.tolist() == ["Zoë"]


def test_a_mark_of_the_encoding_is_no_part_of_the_first_name(tmp_path):
    data = codecs.BOM_UTF8 + b"ds,y\n2024-01-01,1\n"
    assert read(tmp_path, data, csv={"encoding": "utf-8"})[0] == [["shop", 1.0]]
