import numpy as np
import pandas as pd
import pytest

from foreseq.errors import ConfigError
from foreseq.series import calendar, examples


@pytest.mark.parametrize("freq", ["15min", "h", "D", "B", "W", "MS", "ME", "QE", "YS", "7"])
def test_every_series_is_a_grid_that_ends_with_the_others(freq):
    table = examples.generate(series=12, freq=freq, length=40, seed=3)
    assert table["unique_id"].nunique() == 12
    assert np.isfinite(table["y"]).all()
    last = table["ds"].max()
    for _, rows in table.groupby("unique_id"):
        ds = rows["ds"].to_numpy()
        assert 20 <= len(ds) <= 40
        np.testing.assert_array_equal(ds, calendar.times(ds[0], 0, len(ds), freq))
        assert rows["ds"].iloc[-1] == last


def test_the_seed_decides_the_table():
    one, same, other = (examples.generate(5, "D", 30, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one["y"].head(20).equals(other["y"].head(20))


def test_series_differ_as_real_ones_do():
    table = examples.generate(series=300, freq="MS", length=60, seed=1)
    level = table.groupby("unique_id")["y"].mean()
    assert level.max() / level.quantile(0.2) > 1000
    zeros = table.groupby("unique_id")["y"].apply(lambda y: (y == 0).mean())
    assert 0.03 < (zeros > 0.4).mean() < 0.2
    assert table.groupby("unique_id").size().nunique() > 10
    assert (table["y"] >= 0).all()


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "parts"])
@pytest.mark.parametrize("freq", ["MS", "h", "1"])
def test_files_hold_what_generate_returns(tmp_path, monkeypatch, name, freq):
    monkeypatch.setattr(examples, "CELLS", 100)  # several parts
    target = examples.write(tmp_path / name, 11, freq, 30, 1)
    read = pd.read_csv if name == "a.csv" else pd.read_parquet
    table = read(target)
    if freq != "1":
        table["ds"] = pd.to_datetime(table["ds"])
    expected = examples.generate(11, freq, 30, 1)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert list(tmp_path.iterdir()) == [target]
    assert name != "parts" or len(list(target.iterdir())) == 4


def test_a_failure_leaves_no_file(tmp_path):
    with pytest.raises(ConfigError):
        examples.write(tmp_path / "a.csv", 3, "fortnight", 30, 1)
    assert list(tmp_path.iterdir()) == []
