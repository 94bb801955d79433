import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foreseq.config import ResolvedNetwork
from foreseq.network import output_domain
from foreseq.series import windows
from foreseq.series.panel import from_series

DOMAINS = ["real", "nonnegative", "integer"]
PASTS = {"integer": [0.0, 2.0, 5.0], "amounts": [0.0, 1.5, 3.0], "changes": [0.0, -1.0, 2.0]}


def kept(domain, forecasts):
    """Return what is kept of (horizon, outputs) for counts, amounts and changes."""
    panel = from_series(PASTS, freq="D", season=1)
    config = ResolvedNetwork.model_construct(context=3, output_domain=domain)
    repeated = np.repeat(np.array(forecasts, float)[None], 3, axis=0)
    names = sorted(PASTS)
    within = output_domain.keep(config, panel, windows.newest(panel), repeated)
    return {name: within[names.index(name)] for name in PASTS}


def test_forecasts_of_counts_are_counts():
    assert kept("integer", [[-0.4, 0.4, 2.6]])["integer"].tolist() == [[0.0, 0.0, 3.0]]


def test_forecasts_of_amounts_are_not_below_zero():
    assert kept("nonnegative", [[-0.4, 0.4, 2.6]])["amounts"].tolist() == [[0.0, 0.4, 2.6]]


@pytest.mark.parametrize(
    ("domain", "others"),
    [("integer", ["amounts", "changes"]), ("nonnegative", ["changes"])],
)
def test_a_series_whose_past_is_in_another_domain_keeps_its_forecast(domain, others):
    within = kept(domain, [[-0.4, 0.4, 2.6]])
    assert [within[name].tolist() for name in others] == [[[-0.4, 0.4, 2.6]]] * len(others)


def test_every_forecast_of_real_numbers_stays():
    assert all((within == [[-0.4, 2.6]]).all() for within in kept("real", [[-0.4, 2.6]]).values())


@pytest.mark.parametrize("domain", DOMAINS)
@given(forecasts=arrays(float, (4, 3), elements=st.floats(-1e6, 1e6)))
def test_what_is_kept_lies_in_the_domain_and_stays_there(domain, forecasts):
    within = output_domain.nearest(domain, forecasts)
    assert output_domain.holds(domain, within).all()
    assert (output_domain.nearest(domain, within) == within).all()
    assert (np.diff(output_domain.nearest(domain, np.sort(forecasts)), axis=-1) >= 0).all()


@given(
    low=st.floats(-3, 30), width=st.floats(0, 30), actual=st.integers(0, 60),
    domain=st.sampled_from(DOMAINS),
)  # fmt: skip
def test_no_interval_loses_coverage(low, width, actual, domain):
    if low <= actual <= low + width:
        low, high = output_domain.nearest(domain, np.array([low, low + width]))
        assert low <= actual <= high


def test_what_is_missing_stays_missing_and_may_be_of_any_kind():
    assert np.isnan(output_domain.nearest("integer", np.array([np.nan]))).all()
    assert output_domain.holds("integer", np.array([np.nan, 1.0]))
