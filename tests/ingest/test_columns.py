import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq.config import DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest.columns import parse
from foreseq.ingest.table import to_panel

DAYS = pd.date_range("2024-01-01", periods=6)
Y = [1.0, None, 3.0, 4.0, None, 6.0]
DICTIONARY = pa.dictionary(pa.int32(), pa.string())

TIMES = {
    "seconds": DAYS.as_unit("s"),
    "dates": [day.date() for day in DAYS],
    "objects": np.array([day.to_pydatetime() for day in DAYS], dtype=object),
    "categories": pd.Categorical(DAYS),
    "periods": pd.period_range("2024-01-01", periods=6, freq="D"),
    "period categories": pd.Categorical(pd.period_range("2024-01-01", periods=6, freq="D")),
    "period objects": pd.period_range("2024-01-01", periods=6, freq="D").astype(object),
    "texts": DAYS.strftime("%Y-%m-%d"),
    "arrow": pd.array(list(DAYS), dtype=pd.ArrowDtype(pa.timestamp("us"))),
    "arrow dates": pd.array([day.date() for day in DAYS], dtype=pd.ArrowDtype(pa.date32())),
    "arrow texts": pd.array(list(DAYS.strftime("%Y-%m-%d")), dtype=pd.ArrowDtype(pa.string())),
}
NUMBERS = {
    "nullable": pd.array(Y, dtype="Float64"),
    "NA objects": np.array([pd.NA if y is None else y for y in Y], dtype=object),
    "None objects": np.array(Y, dtype=object),
    "decimals": [y and decimal.Decimal(y) for y in Y],
    "texts": ["" if y is None else str(y) for y in Y],
    "categories": pd.Categorical(Y),
    "integers": pd.array(Y, dtype="UInt8"),
    "integer categories": pd.Categorical(pd.array(Y, dtype="Int64")),
    "arrow": pd.array(Y, dtype=pd.ArrowDtype(pa.float32())),
    "arrow decimals": pd.array(
        [y and decimal.Decimal(y) for y in Y], dtype=pd.ArrowDtype(pa.decimal128(9, 2))
    ),
    "sparse": pd.arrays.SparseArray(pd.Series(Y, dtype=float)),
}
IDS = {
    "categories": pd.Categorical(["a"] * 6, categories=["b", "a"]),
    "strings": pd.array(["a"] * 6, dtype="string"),
    "arrow": pd.array(["a"] * 6, dtype=pd.ArrowDtype(pa.large_string())),
    "dictionary": pd.array(["a"] * 6, dtype=pd.ArrowDtype(DICTIONARY)),
}


def frame(**columns) -> pd.DataFrame:
    plain = {"unique_id": ["a"] * 6, "ds": DAYS, "y": Y}
    return pd.DataFrame({name: pd.Series(cells) for name, cells in (plain | columns).items()})


def refusal(**columns) -> str:
    with pytest.raises(DataRefused) as caught:
        parse(frame(**columns))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "cells"),
    [("ds", cells) for cells in TIMES.values()]
    + [("y", cells) for cells in NUMBERS.values()]
    + [("unique_id", cells) for cells in IDS.values()],
    ids=[*(f"ds {name}" for name in TIMES), *(f"y {name}" for name in NUMBERS), *IDS],
)
def test_the_type_of_a_column_alters_nothing(name, cells):
    config = DatasetConfig(horizon=1, season=1)
    plain, _ = to_panel(frame(), config)
    other, _ = to_panel(frame(**{name: cells}), config)
    assert other.fingerprint() == plain.fingerprint()


@pytest.mark.parametrize("kind", ["int8", "uint64", "Int32", "float64", "int64[pyarrow]", "str"])
def test_integer_steps_are_the_same_in_every_type(kind):
    columns = parse(frame(ds=pd.Series([5, 6, 7, 9, 10, 11]).astype(kind)))
    assert columns.ds.tolist() == [5, 6, 7, 9, 10, 11]
    assert columns.ds.dtype == np.int64


def test_periods_are_their_starts():
    quarters = pd.period_range("2024Q1", periods=6, freq="Q")
    assert str(parse(frame(ds=quarters)).ds[1]).startswith("2024-04-01T00:00:00.0")


def test_arrow_times_keep_their_zone():
    hours = pd.date_range("2024-01-01", periods=6, freq="h", tz="Europe/Berlin")
    arrow = pd.array(list(hours), dtype=pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin")))
    assert parse(frame(ds=arrow)).zone == parse(frame(ds=hours)).zone == "Europe/Berlin"


STRUCT = pa.struct([("a", pa.float64())])


@pytest.mark.parametrize("name", ["unique_id", "ds", "y"])
@pytest.mark.parametrize(
    "cells",
    [[[1.0]] * 6, [{"a": 1.0}] * 6, pd.array([{"a": 1.0}] * 6, dtype=pd.ArrowDtype(STRUCT))],
    ids=["lists", "dicts", "structs"],
)
def test_lists_and_structs_are_refused(name, cells):
    message = refusal(**{name: cells})
    assert f"{name} must " in message
    assert "found " in message


@given(
    step=st.one_of(
        st.integers(2**53 + 2, 2**63 - 1),
        st.integers(-(2**63), -(2**53) - 2),
        st.floats(2.0**54, 1e300),
        st.just(np.inf),
    )
)
def test_steps_that_would_leave_64_bits_are_refused(step):
    assert "integer steps in ds may go up to" in refusal(ds=[1, 2, 3, 4, 5, step])


@pytest.mark.parametrize(
    "y",
    [np.arange(6) * 1j, pd.to_timedelta(range(6), unit="D"), DAYS, [datetime.time(1)] * 6],
    ids=["complex", "durations", "times", "times of day"],
)
def test_other_types_are_no_numbers(y):
    assert "row 0: y must be a number" in refusal(y=y)
