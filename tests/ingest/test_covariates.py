"""Columns beside y: how each is read, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from foreseq.config import ColumnsConfig, DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest import frames
from foreseq.ingest.read import read_table
from foreseq.ingest.store import ingest
from foreseq.ingest.table import to_panel
from foreseq.series import covariates, panel
from foreseq.series.windows import newest

HORIZON = 2


def make_table(series=2, steps=5, ahead=HORIZON):
    """Return a table with a column of each role; y ends before the others."""
    rows = []
    for number in range(series):
        times = pd.date_range("2024-01-01", periods=steps + ahead)
        beyond = np.arange(steps + ahead) >= steps
        rows.append(
            pd.DataFrame(
                {
                    "unique_id": f"s{number}",
                    "ds": times,
                    "y": np.where(beyond, np.nan, np.arange(steps + ahead) + 1.0),
                    "price": np.arange(steps + ahead) * 1.5,
                    "visits": np.where(beyond, np.nan, 7.0 * np.arange(steps + ahead)),
                    "kind": "big" if number else "small",
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def dataset(**fields):
    return DatasetConfig.model_validate({"horizon": HORIZON, "freq": "D", **fields})


def columns(table, **fields):
    made, repairs = to_panel(table, dataset(**fields))
    found = made.covariates.columns if made.covariates else ()
    return {column.name: column.role for column in found}, repairs.covariates


def refusal(table, **fields):
    with pytest.raises(DataRefused) as caught:
        to_panel(table, dataset(**fields))
    return str(caught.value)


def test_roles_are_told_by_where_a_column_is_filled():
    roles, notes = columns(make_table())
    assert roles == {"price": "future", "visits": "past", "kind": "static"}
    assert "kind: static, it never changes within a series, 2 categories" in notes
    assert "price: known ahead, it is filled in beyond the last y" in notes


def test_the_history_ends_with_y_and_covariates_go_on():
    made, _ = to_panel(make_table(), dataset())
    assert made.lengths.tolist() == [5, 5]
    assert np.diff(made.covariates.offsets).tolist() == [7, 7]
    assert made.covariates.by_step(0)[:7].tolist() == [0, 1.5, 3, 4.5, 6, 7.5, 9]


def test_what_was_inferred_can_be_overruled():
    roles, _ = columns(make_table(), covariates={"past": ["price"]})
    assert roles == {"price": "past"}
    assert columns(make_table(), covariates="none") == ({}, ())


def test_rows_in_any_order_give_the_same_panel():
    table = make_table()
    shuffled = table.sample(frac=1, random_state=1)
    prints = {to_panel(frame, dataset())[0].fingerprint() for frame in (table, shuffled)}
    assert len(prints) == 1


def test_steps_without_a_row_and_empty_cells_are_unknown():
    table = make_table().drop(index=2)
    table.loc[0, "price"] = np.nan
    made, _ = to_panel(table, dataset())
    assert np.isnan(made.covariates.by_step(0)[:4]).tolist() == [True, False, True, False]


def test_rows_before_the_first_y_are_left_out_with_their_covariates():
    table = make_table()
    table.loc[0, "y"] = np.nan
    made, _ = to_panel(table, dataset())
    assert made.lengths.tolist() == [4, 5]
    assert made.covariates.by_step(0)[0] == 1.5


def test_truth_values_are_numbers_and_declared_integers_are_categories():
    table = make_table().assign(holiday=lambda t: t["price"] > 3, store=lambda t: t["ds"].dt.day)
    made, _ = to_panel(
        table, dataset(covariates={"future": ["holiday", "store"], "categories": ["store"]})
    )
    holiday, store = made.covariates.columns
    assert holiday.categories == ()
    assert store.categories == ("1", "2", "3", "4", "5", "6", "7")


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ([np.nan] * 14, "it is empty"),
        ([3.0] * 14, "it is the same everywhere"),
        (list(pd.date_range("2020-01-01", periods=14)), "it holds times"),
    ],
)
def test_columns_that_say_nothing_are_left_out_with_the_reason(column, why):
    roles, notes = columns(make_table().assign(extra=column))
    assert "extra" not in roles
    assert f"extra: left out, {why}" in notes


def test_free_text_is_no_category():
    table = make_table(series=1, steps=200).assign(note=lambda t: t.index.astype(str) + " said")
    assert "202 texts are no categories" in " ".join(columns(table)[1])


def test_infinite_values_are_refused_by_row():
    table = make_table()
    table.loc[3, "price"] = np.inf
    message = refusal(table)
    assert "covariate price must be finite" in message
    assert "row 3" in message


def test_a_static_column_that_changes_is_refused():
    message = refusal(make_table(), covariates={"static": ["price"]})
    assert "static covariate price must not change within a series" in message


def test_numbers_of_a_file_are_read_as_those_of_y(tmp_path):
    path = tmp_path / "shop.csv"
    rows = [f"2024-01-{day:02};{day},5;{day},25" for day in range(1, 9)]
    path.write_text("\n".join(["ds;y;price", *rows]))
    source = dataset(source=str(path))
    made, _ = to_panel(read_table(source), source)
    assert made.covariates.by_step(0)[:2].tolist() == [1.25, 2.25]


def test_files_beside_the_history_have_the_names_that_were_found_in_it(tmp_path):
    whole = make_table().rename(columns={"unique_id": "shop", "ds": "date"})
    whole[["shop", "date", "y"]].dropna().to_csv(tmp_path / "sales.csv", index=False)
    whole[whole["y"].isna()][["shop", "date", "price"]].to_csv(tmp_path / "ahead.csv", index=False)
    source = dataset(source=str(tmp_path / "sales.csv"), future=str(tmp_path / "ahead.csv"))
    made, _ = to_panel(read_table(source), source)
    assert [column.name for column in made.covariates.columns] == ["price"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_known_ahead_and_features_may_be_in_files_of_their_own(tmp_path, ending):
    whole = make_table()
    parts = {
        "source": whole.dropna(subset="y")[["unique_id", "ds", "y", "price"]],
        "future": whole[whole["y"].isna()][["unique_id", "ds", "price"]],
        "static": whole[["unique_id", "kind"]].drop_duplicates(),
    }
    for name, part in parts.items():
        path = tmp_path / f"{name}.{ending}"
        part.to_csv(path, index=False) if ending == "csv" else part.to_parquet(path)
    source = dataset(**{name: str(tmp_path / f"{name}.{ending}") for name in parts})
    made, _ = to_panel(read_table(source), source)
    expected, _ = to_panel(whole.drop(columns="visits"), dataset())
    assert made.fingerprint() == expected.fingerprint()
    first = ingest(source, tmp_path / "store")
    parts["future"].assign(price=0.5).to_csv(tmp_path / "future.csv", index=False)
    again = ingest(source.model_copy(update={"future": str(tmp_path / "future.csv")}), tmp_path)
    assert first.fingerprint == expected.fingerprint() != again.fingerprint


def test_frames_beside_the_history_are_joined_to_it():
    whole = make_table()
    history = whole.dropna(subset="y").drop(columns="kind")
    ahead = whole[["unique_id", "ds", "price"]]  # also rows that the history has
    features = whole[["unique_id", "kind"]].drop_duplicates()
    table, style = frames.read(history, dataset())
    made, _ = to_panel(frames.join(table, ahead, features, dataset(), style.columns), dataset())
    assert made.fingerprint() == to_panel(whole, dataset())[0].fingerprint()


def test_two_rows_of_features_for_a_series_are_refused():
    table = make_table()
    with pytest.raises(DataRefused, match="one row for each series"):
        frames.join(table, None, table[["unique_id", "kind"]], dataset(), ColumnsConfig())


def test_a_column_of_the_past_is_not_taken_ahead():
    table = make_table()
    known = dataset(covariates={"past": ["price"]})
    with pytest.raises(DataRefused, match="which is never read ahead"):
        frames.join(table, table[["unique_id", "ds", "price"]], None, known, ColumnsConfig())


def test_new_rows_bring_their_covariates(tmp_path):
    table, path = make_table(), tmp_path / "new.parquet"
    source = dataset(source=str(path), update="append", covariates={"future": ["price"]})
    for days in (3, 7):
        table[table["ds"].dt.day <= days].to_parquet(path)
        stored = ingest(source, tmp_path / "store")
    made = panel.load(stored.folder)
    expected, _ = to_panel(table, source)
    assert made.fingerprint() == expected.fingerprint()


def test_what_was_known_ahead_at_a_time_stays_known():
    known = {"future": ["price"]}
    made, _ = to_panel(make_table(), dataset(covariates=known, as_of="2024-01-04"))
    assert made.lengths.tolist() == [3, 3]
    assert np.isfinite(made.covariates.by_step(0)).all()


def test_a_category_never_seen_before_is_unknown_to_a_network():
    made, _ = to_panel(make_table(), dataset())
    reads = covariates.describe(made.covariates, made.lengths)
    other, _ = to_panel(make_table().replace({"big": "huge"}), dataset())
    value = covariates.read(other.covariates, reads, newest(other), 2, 1)
    place = [one.name for one in reads].index("kind")
    assert value.values[0, 0, place] > 0 == value.values[1, 0, place]


def with_a_new_series(table, first="2024-01-06"):
    """Return a table with a series whose rows have no y."""
    times = pd.date_range(first, "2024-01-07")
    return pd.concat(
        [table, pd.DataFrame({"unique_id": "new", "ds": times, "price": 9.0, "kind": "big"})]
    )


@pytest.mark.parametrize("first", ["2024-01-02", "2024-01-05", "2024-01-06"])
def test_a_series_without_y_is_forecast_from_where_the_others_end(first):
    made, repairs = to_panel(with_a_new_series(make_table(), first), dataset())
    assert made.ids.tolist() == ["new", "s0", "s1"]
    assert made.lengths.tolist() == [1, 5, 5]
    assert not made.seen(0).any()
    assert made.times(0, 1, 1)[0] == made.times(1, 5, 1)[0] == np.datetime64("2024-01-06")
    assert made.covariates.values[1:3, 0].tolist() == [9.0, 9.0]
    assert made.covariates.static[0, 0] == made.covariates.static[2, 0]
    assert repairs.duplicates_collapsed == 0


def test_series_that_all_lack_y_are_forecast_from_their_first_row():
    table = with_a_new_series(make_table())
    made, _ = to_panel(table[table["unique_id"] == "new"].reset_index(drop=True), dataset())
    assert made.times(0, 1, 1)[0] == np.datetime64("2024-01-06")


def test_a_table_without_y_and_covariates_is_refused():
    table = make_table().assign(y=np.nan)[["unique_id", "ds", "y"]]
    assert "y must hold numbers" in refusal(table)


def test_two_hundred_columns_are_read():
    rng = np.random.default_rng(1)
    table = make_table()
    more = {f"x{number}": rng.normal(size=len(table)) for number in range(200)}
    roles, _ = columns(pd.concat([table, pd.DataFrame(more)], axis=1))
    assert len(roles) == 203


@pytest.mark.parametrize("name", ["cutoff", "y_hat", "model_version", "step", "date"])
def test_a_column_may_be_called_as_one_of_a_forecast(name):
    roles, _ = columns(make_table().rename(columns={"price": name}))
    assert roles[name] == "future"
