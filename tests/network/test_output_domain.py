import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foreseq.config import ResolvedNetwork
from foreseq.network import output_domain
from foreseq.series import windows
from foreseq.series.panel import from_series

KINDS = ["real", "nonnegative", "integer"]
PASTS = {"integer": [0.0, 2.0, 5.0], "amounts": [0.0, 1.5, 3.0], "changes": [0.0, -1.0, 2.0]}


def kept(kind, answers):
    """Return what is kept of (horizon, outputs) for counts, amounts and changes."""
    panel = from_series(PASTS, freq="D", season=1)
    config = ResolvedNetwork.model_construct(context=3, output_domain=kind)
    each = np.repeat(np.array(answers, float)[None], 3, axis=0)
    names = sorted(PASTS)
    told = output_domain.keep(config, panel, windows.newest(panel), each)
    return {name: told[names.index(name)] for name in PASTS}


def test_forecasts_of_counts_are_counts():
    assert kept("integer", [[-0.4, 0.4, 2.6]])["integer"].tolist() == [[0.0, 0.0, 3.0]]


def test_forecasts_of_amounts_are_not_below_zero():
    assert kept("nonnegative", [[-0.4, 0.4, 2.6]])["amounts"].tolist() == [[0.0, 0.4, 2.6]]


@pytest.mark.parametrize(
    ("kind", "others"),
    [("integer", ["amounts", "changes"]), ("nonnegative", ["changes"])],
)
def test_a_series_whose_past_is_of_another_kind_keeps_its_forecast(kind, others):
    told = kept(kind, [[-0.4, 0.4, 2.6]])
    assert [told[name].tolist() for name in others] == [[[-0.4, 0.4, 2.6]]] * len(others)


@pytest.mark.parametrize("kind", ["real", None])
def test_of_real_numbers_and_in_older_bundles_every_forecast_stays(kind):
    assert all((told == [[-0.4, 2.6]]).all() for told in kept(kind, [[-0.4, 2.6]]).values())


@pytest.mark.parametrize("kind", KINDS)
@given(answers=arrays(float, (4, 3), elements=st.floats(-1e6, 1e6)))
def test_what_is_kept_lies_in_the_support_and_stays_there(kind, answers):
    told = output_domain.nearest(kind, answers)
    assert output_domain.holds(kind, told).all()
    assert (output_domain.nearest(kind, told) == told).all()
    assert (np.diff(output_domain.nearest(kind, np.sort(answers)), axis=-1) >= 0).all()


@given(
    low=st.floats(-3, 30), width=st.floats(0, 30), actual=st.integers(0, 60),
    kind=st.sampled_from(KINDS),
)  # fmt: skip
def test_no_interval_loses_coverage(low, width, actual, kind):
    if low <= actual <= low + width:
        low, high = output_domain.nearest(kind, np.array([low, low + width]))
        assert low <= actual <= high


def test_what_is_missing_stays_missing_and_may_be_of_any_kind():
    assert np.isnan(output_domain.nearest("integer", np.array([np.nan]))).all()
    assert output_domain.holds("integer", np.array([np.nan, 1.0]))
