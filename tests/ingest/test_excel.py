"""Spreadsheets hold the same table as a CSV."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from foreseq.config import DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest.read import read_table
from foreseq.ingest.table import to_panel

pytest.importorskip("openpyxl", reason="needs foreseq[excel]")

ROWS = [["a", datetime(2024, 1, 1), 1.5], ["a", datetime(2024, 1, 2), None], ["b", datetime(2024, 1, 1), 3]]  # fmt: skip  # noqa: E501


def write(path: Path, *sheets: list[list], header: list[str] | None = None) -> DatasetConfig:
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        for n, rows in enumerate(sheets):
            table = pd.DataFrame(rows, columns=header)
            table.to_excel(book, sheet_name=f"Sheet {n}", index=False, header=header is not None)
    return DatasetConfig(source=str(path), horizon=1, name="shop", freq="D")


def test_a_sheet_is_read_like_any_table(tmp_path):
    dataset = write(tmp_path / "a.xlsx", ROWS, header=["Shop", "Date", "Sales"])
    panel, repairs = to_panel(read_table(dataset), dataset)
    assert panel.ids.tolist() == ["a", "b"]
    assert panel.values[panel.observed].tolist() == [1.5, 3.0]
    assert repairs.trailing == 1, "an empty cell"
    assert repairs.reading == "ds from 'Date', y from 'Sales', unique_id from 'Shop'"


def test_text_in_cells_is_read_as_in_a_csv(tmp_path):
    rows = [["31.12.2023", "1.234,5"], ["01.01.2024", "7"]]
    dataset = write(tmp_path / "a.xlsx", rows, [["other"]])
    panel, repairs = to_panel(read_table(dataset), dataset)
    assert panel.values.tolist() == [1234.5, 7.0]
    assert repairs.reading == (
        "sheet 'Sheet 0' of 2, no header, ds from '1', y from '2', date_format %d.%m.%Y,"
        " decimal ',', thousands '.'"
    )


def test_a_message_names_the_row_of_the_sheet(tmp_path):
    rows = [*ROWS[:2], ["b", datetime(2024, 1, 1), "many"]]
    dataset = write(tmp_path / "a.xlsx", rows, header=["unique_id", "ds", "y"])
    with pytest.raises(DataRefused, match="series b, row 4: y must be a number, found 'many'"):
        to_panel(read_table(dataset), dataset, file="a.xlsx")


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"no such thing", "must be a table in the format of its ending"), (b"", "format of its end")],
)
def test_a_file_that_is_no_spreadsheet_is_refused(tmp_path, data, says):
    path = tmp_path / "a.xlsx"
    path.write_bytes(data)
    with pytest.raises(DataRefused, match=says):
        read_table(DatasetConfig(source=str(path), horizon=1))


def test_an_empty_sheet_is_refused(tmp_path):
    with pytest.raises(DataRefused, match="a header and rows are needed, found an empty file"):
        read_table(write(tmp_path / "a.xlsx", []))
