import gzip
from pathlib import Path

import pandas as pd
import pytest

from foreseq.config import DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest.read import read_file, read_table
from foreseq.ingest.table import to_panel

ROWS = [["a", "2024-01-01", 1.5], ["a", "2024-01-02", 2.5], ["b", "2024-01-01", 3.5]]
CSV = "unique_id,ds,y\na,2024-01-01,1.5\na,2024-01-02,2.5\nb,2024-01-01,3.5\n"


def dataset(path: Path, **fields) -> DatasetConfig:
    return DatasetConfig(**{"source": str(path), "horizon": 1, "name": "shop"} | fields)


def cells(table: pd.DataFrame) -> list[list]:
    table = table[["unique_id", "ds", "y"]]
    return table.astype({"unique_id": str, "ds": str}).to_numpy().tolist()


def refusal(path: Path, **fields) -> str:
    with pytest.raises(DataRefused) as caught:
        to_panel(read_table(dataset(path, **fields)), dataset(path, **fields), file=str(path))
    return str(caught.value)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def frame(rows: list[list] = ROWS) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["unique_id", "ds", "y"])
    return table.assign(ds=pd.to_datetime(table["ds"]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two Parquet parts and a note."""
    parts = tmp_path / "parts"
    parts.mkdir()
    frame(ROWS[:2]).to_parquet(parts / "1.parquet")
    frame(ROWS[2:]).to_parquet(parts / "2.parquet")
    write(parts / "_SUCCESS", "")
    return parts


def test_the_formats_hold_the_same_table(tmp_path, folder):
    write(tmp_path / "a.csv", CSV)
    write(tmp_path / "bom.csv", "\ufeff" + CSV.replace("\n", "\r\n"))
    write(tmp_path / "a.tsv", CSV.replace(",", "\t"))
    write(tmp_path / "a.csv.gz", gzip.compress(CSV.encode()))
    frame().to_parquet(tmp_path / "a.parquet")
    frame().set_index("ds").to_parquet(tmp_path / "indexed.parquet")
    for path in (*sorted(tmp_path.glob("*.*")), folder):
        table = read_table(dataset(path))
        assert list(table.columns) == ["unique_id", "ds", "y"]
        assert cells(table) == ROWS, path


def test_a_url_of_this_machine_is_read_in_place(tmp_path):
    path = write(tmp_path / "a.csv", CSV)
    assert cells(read_table(dataset(path, source=f"file://{path}"))) == ROWS


def test_rows_are_called_as_a_person_would_find_them(tmp_path, folder):
    path = write(tmp_path / "a.csv", CSV)
    assert read_file(path, dataset(path)).index.tolist() == [2, 3, 4]
    assert read_file(folder, dataset(folder)).index.tolist() == [1, 2, 3]


def test_columns_go_by_the_users_names_and_others_are_left_alone(tmp_path):
    path = write(tmp_path / "a.csv", "price,when,shop,note\n1.5,2024-01-01,a,x\n,2024-01-02,a,y\n")
    columns = {"unique_id": "shop", "ds": "when", "y": "price"}
    table = read_table(dataset(path, columns=columns))
    assert table["y"].isna().tolist() == [False, True]
    assert cells(table)[0] == ROWS[0]


def test_ids_are_the_text_that_was_written(tmp_path):
    path = write(tmp_path / "a.csv", "unique_id,ds,y\n007,1,1\n7,1,1\nNA,1,1\n1.0,1,1\n")
    panel, _ = to_panel(read_table(dataset(path)), dataset(path, freq=1))
    assert panel.ids.tolist() == ["007", "1.0", "7", "NA"]


def test_ids_of_digits_keep_their_zeros(tmp_path):
    path = write(tmp_path / "a.csv", "unique_id,ds,y\n007,1,1\n7,1,1\n0012345678905,1,1\n")
    panel, _ = to_panel(read_table(dataset(path)), dataset(path, freq=1))
    assert panel.ids.tolist() == ["0012345678905", "007", "7"]


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_ids_of_a_folder_are_text_where_one_file_has_numbers(tmp_path, order):
    frame(ROWS[:2]).assign(unique_id=[10, 9]).to_parquet(tmp_path / f"{order[0]}.parquet")
    frame(ROWS[:2]).assign(unique_id=["009", "b"]).to_parquet(tmp_path / f"{order[1]}.parquet")
    panel, _ = to_panel(read_table(dataset(tmp_path)), dataset(tmp_path, freq="D"))
    assert panel.ids.tolist() == ["009", "10", "9", "b"]


def test_ids_in_names_of_folders_keep_their_zeros(tmp_path):
    for name in ("007", "7"):
        (tmp_path / "year=2024" / f"unique_id={name}").mkdir(parents=True)
        part = tmp_path / "year=2024" / f"unique_id={name}" / "a.parquet"
        frame(ROWS[:2])[["ds", "y"]].to_parquet(part)
    panel, _ = to_panel(read_table(dataset(tmp_path)), dataset(tmp_path))
    assert panel.ids.tolist() == ["007", "7"]


def test_numbers_in_a_parquet_column_of_ids_become_text(tmp_path):
    table = frame().assign(unique_id=[10, 10, 9])
    table.to_parquet(tmp_path / "a.parquet")
    read = read_table(dataset(tmp_path / "a.parquet"))
    panel, _ = to_panel(read, dataset(tmp_path / "a.parquet"))
    assert panel.ids.tolist() == ["10", "9"]


def test_a_file_without_ids_holds_one_series_named_after_the_dataset(tmp_path):
    path = write(tmp_path / "a.csv", "ds,y\n2024-01-01,1.5\n2024-01-02,2.5\n")
    assert cells(read_table(dataset(path))) == [["shop", *row[1:]] for row in ROWS[:2]]


def test_wide_columns_are_series(tmp_path):
    path = write(tmp_path / "a.csv", "ds,a,b\n2024-01-01,1.5,3.5\n2024-01-02,2.5,\n")
    table = read_table(dataset(path, layout="wide"))
    assert cells(table)[:3] == ROWS
    assert table.index.tolist() == [2, 3, 2, 3]
    panel, repairs = to_panel(table, dataset(path))
    assert panel.observed.tolist() == [True, True, True]
    assert repairs.trailing == 1


def test_wide_parquet_reads_like_wide_csv(tmp_path):
    wide = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=2), "b": [1, 2], "a": [3, 4]})
    wide.to_parquet(tmp_path / "a.parquet")
    wide.to_csv(tmp_path / "a.csv", index=False)
    one, other = (
        to_panel(read_table(config), config)[0].fingerprint()
        for config in (
            dataset(tmp_path / name, layout="wide", columns={"ds": "when"})
            for name in ("a.parquet", "a.csv")
        )
    )
    assert one == other


def test_blank_lines_do_not_shift_the_rows_that_messages_name(tmp_path):
    path = write(tmp_path / "a.csv", "unique_id,ds,y\n\na,1,1\n\na,2,many\n\n")
    assert "a.csv, series a, row 5: y must be a number, found 'many'" in refusal(path)


@pytest.mark.parametrize("text", ["NA", "", "NaN", "null", "N/A"])
def test_usual_words_for_nothing_are_empty_y(tmp_path, text):
    path = write(tmp_path / "a.csv", f"unique_id,ds,y\na,1,1\na,2,{text}\n")
    assert read_table(dataset(path))["y"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a.csv: a header and rows are needed, found an empty file"),
        ("unique_id,ds,y\n", "a.csv: rows are needed, found none"),
        ("shop,when,price\na,1,1\n", "column 'ds' is needed, found the columns shop, when"),
        ("shop,when,price\na,1,1\n", "name the right column with --set dataset.columns.ds=NAME"),
        ("unique_id,ds,y\na,1,1\na,2,2,2\n", "row 3: every row must have as many cells"),
        ("unique_id,ds,y\na,1,1,9\na,2,2,9\n", "every row must have as many cells"),
        ("unique_id,ds,y,y\na,1,1,1\n", "every column must have its own name, found 'y' twice"),
        ("unique_id,ds,y\na,1,1\na,2,2,5\n", "quote cells that hold a separator"),
        (b"\x00\xff\xfe\x80PK", "must be a table in the format of its ending"),
        ("unique_id,ds,y\na,1,café\n".encode("latin-1"), "y must be a number, found 'café'"),
        ("unique_id,ds,y\n,1,1\n", "row 2: every row needs a unique_id"),
        ('unique_id,ds,y\na,1,"1,5"\na,2,1.5\n', "row 2: y must be a number, found '1,5'"),
    ],
)  # fmt: skip
def test_a_broken_csv_is_refused(tmp_path, text, says):
    assert says in refusal(write(tmp_path / "a.csv", text))


def test_a_column_named_by_the_user_must_be_there(tmp_path):
    path = write(tmp_path / "a.csv", CSV)
    message = refusal(path, columns={"unique_id": "shop"})
    assert "column 'shop' is needed, found the columns unique_id, ds, y" in message
    assert "dataset.columns.unique_id=NAME" in message


@pytest.mark.parametrize("name", ["a.parquet", "a.csv.gz"])
def test_bytes_that_are_not_what_the_ending_says_are_refused(tmp_path, name):
    message = refusal(write(tmp_path / name, "no such thing"))
    assert message.startswith(str(tmp_path / name))
    assert "must be a table in the format of its ending" in message


@pytest.mark.parametrize("name", ["a.parquet", "a.csv.gz"])
def test_a_damaged_file_is_read_or_refused_without_a_library_s_sentence(tmp_path, rng, name):
    rows = [["a", f"2024-{1 + n // 28:02}-{1 + n % 28:02}", n / 7] for n in range(300)]
    whole = tmp_path / name
    if name.endswith(".gz"):
        whole.write_bytes(gzip.compress(pd.DataFrame(rows).to_csv(index=False).encode()))
    else:
        frame(rows).to_parquet(whole)
    content, damaged = whole.read_bytes(), tmp_path / f"damaged-{name}"
    for _ in range(60):
        flipped = bytearray(content)
        flipped[rng.integers(len(content))] ^= 1 << rng.integers(8)
        damaged.write_bytes(flipped[: rng.integers(len(content) // 2, 2 * len(content))])
        try:
            read_table(dataset(damaged))
        except DataRefused as error:
            assert "Error" not in str(error)  # noqa: PT017 most of them are refused


def test_a_row_of_too_many_cells_is_told_in_our_words(tmp_path):
    message = refusal(write(tmp_path / "a.csv", "unique_id,ds,y\na,1,1\na,2,2,2\n"))
    assert "as many cells as the header, found 4 instead of 3; quote" in message


def test_an_unknown_ending_is_refused_with_those_there_are(tmp_path):
    message = refusal(write(tmp_path / "a.xls", "x"))
    assert "must end in .csv, .csv.gz, .tsv, .tsv.gz, .txt, .txt.gz, .parquet, .pq" in message
    assert ".xlsx, .xlsm, found .xls; rename" in message


def test_a_source_that_is_not_there_is_refused_with_where_it_was_looked_for():
    message = refusal(Path("nowhere.csv"))
    assert message.startswith("nowhere.csv: the source must exist")
    assert f"a relative path starts at {Path.cwd()}" in message


def test_a_folder_without_parquet_is_refused(tmp_path):
    assert "a folder must hold Parquet files" in refusal(tmp_path)
    write(tmp_path / "a.csv", CSV)
    assert str(tmp_path) in refusal(tmp_path)
