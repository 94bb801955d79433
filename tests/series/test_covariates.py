"""Laws of what a network reads beside the values, and numbers worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from foreseq.config import Covariate
from foreseq.series import covariates
from foreseq.series import panel as panels
from foreseq.series.covariates import Column, Covariates
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows

LENGTHS, AHEAD = (6, 4), 2
COLUMNS = (
    Column("sales", "past"),
    Column("promo", "future", ("none", "sale")),
    Column("size", "static"),
)
READS = (
    Covariate(name="sales", role="past", location=10.0, spread=2.0),
    Covariate(name="promo", role="future", categories=("sale",)),
    Covariate(name="size", role="static", location=1.0, spread=1.0),
)


def make_covariates(seed=1):
    rng = np.random.default_rng(seed)
    lengths = np.array(LENGTHS) + AHEAD
    rows = lengths.sum()
    values = np.column_stack([rng.normal(10, 2, rows), rng.integers(0, 2, rows)])
    return Covariates(COLUMNS, values, np.cumsum([0, *lengths]), np.array([[1.0], [np.nan]]))


def make_panel():
    series = {f"s{number}": range(length) for number, length in enumerate(LENGTHS)}
    return replace(from_series(series, freq="1", season=1), covariates=make_covariates())


def read(beside, *, cutoff=3, reads=READS, series=0, horizon=3):
    window = Windows(np.array([series]), np.array([cutoff]))
    return covariates.read(beside, reads, window, 4, horizon)


def test_columns_of_the_past_are_never_read_after_the_cutoff():
    beside = make_covariates()
    later = np.array(beside.values)
    later[3:8, 0] = 1e9
    other = replace(beside, values=later)
    np.testing.assert_array_equal(read(beside).values, read(other).values)
    assert not read(beside).known[0, 4:, 0].any()


def test_columns_known_ahead_are_read_over_the_horizon_and_no_further():
    beside = make_covariates()
    later = np.array(beside.values)
    later[6:8, 1] = np.nan
    other = replace(beside, values=later)
    np.testing.assert_array_equal(read(beside).values, read(other).values)
    assert read(beside).known[0, 1:, 1].all()


def test_steps_before_a_series_and_after_its_last_row_are_unknown():
    known = read(make_covariates(), cutoff=6, horizon=4).known[0, :, 1]
    assert known.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    assert not read(make_covariates(), cutoff=2).known[0, :2, :2].any()


def test_numbers_are_read_near_one_and_a_heavy_tail_is_compressed():
    beside = make_covariates()
    values = np.array(beside.values)
    values[:3, 0] = [10.0, 12.0, 2e9]
    past = read(replace(beside, values=values)).values[0, 1:4, 0]
    assert past[0] == 0
    assert past[1] == pytest.approx(np.arcsinh(1))
    assert 10 < past[2] < 30


def test_categories_are_counted_from_one_and_unknown_ones_are_zero():
    beside = make_covariates()
    values = np.array(beside.values)
    values[:3, 1] = [0, 1, np.nan]
    result = read(replace(beside, values=values))
    assert result.values[0, 1:4, 1].tolist() == [0, 1, 0]
    assert result.known[0, 1:4, 1].tolist() == [1, 1, 0]


def test_static_columns_hold_at_every_step():
    assert read(make_covariates()).known[..., 2].all()
    assert not read(make_covariates(), series=1).known[..., 2].any()


def test_a_column_that_the_data_lack_is_unknown():
    absent = Covariate(name="weather", role="future")
    result = read(make_covariates(), reads=(*READS, absent))
    assert not result.known[..., 3].any()
    assert not covariates.read(None, READS, Windows(np.array([0]), np.array([3])), 2, 1).known.any()


def test_columns_are_described_by_the_training_span_alone():
    beside, ends = make_covariates(), np.array([4, 3])
    later = np.array(beside.values)
    later[4:8] = later[11:] = 77
    described = covariates.describe(beside, ends)
    unchanged = replace(beside, values=np.where(later == 77, beside.values * 0 + 1, beside.values))
    assert covariates.describe(unchanged, ends) == described


def test_units_of_a_column_do_not_matter():
    beside, ends = make_covariates(), np.array(LENGTHS)
    scaled = replace(beside, values=beside.values * [1e6, 1] + [1e3, 0])
    ours = read(beside, reads=covariates.describe(beside, ends)).values
    theirs = read(scaled, reads=covariates.describe(scaled, ends)).values
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_columns_that_never_vary_are_not_described():
    beside = make_covariates()
    constant = replace(beside, values=beside.values * [0, 1] + [3, 0])
    names = [one.name for one in covariates.describe(constant, np.array(LENGTHS))]
    assert names == ["promo"]  # one series alone has a size


def test_series_are_selected_and_saved_with_their_covariates(tmp_path):
    panel = make_panel()
    again = panels.load(panels.save(panel, tmp_path / "panel"))
    assert again.fingerprint() == panel.fingerprint()
    assert panels.select(panel, [0, 1]).fingerprint() == panel.fingerprint()
    one = panels.select(panel, [1]).covariates
    assert one.values.tolist() == panel.covariates.values[8:].tolist()


def test_a_fingerprint_changes_with_the_covariates():
    panel = make_panel()
    assert panel.fingerprint() != replace(panel, covariates=make_covariates(2)).fingerprint()
    assert panel.fingerprint() != replace(panel, covariates=None).fingerprint()


def test_a_frame_of_a_panel_goes_on_where_covariates_are_known_ahead():
    frame = panels.to_frame(make_panel())
    assert frame.groupby("unique_id").size().tolist() == [8, 6]
    assert frame["y"].notna().sum() == sum(LENGTHS)
    assert set(frame["promo"]) == {"none", "sale"}
