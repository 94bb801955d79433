import numpy as np
import pandas as pd
import pytest

from foreseq.config import MonitorConfig
from foreseq.monitoring.coverage import cover, is_off


def points(shares, count=100.0) -> pd.DataFrame:
    shares = np.asarray(shares, dtype=np.float64)
    return pd.DataFrame({"count": np.full(len(shares), count), "inside": shares * count})


def test_nothing_is_said_of_few_moments_or_of_a_point_forecast():
    assert cover(points([0.8] * 7), 0.8) is None
    assert cover(points([0.8] * 8), None) is None


def test_what_holds_its_promise_is_not_off():
    covered = cover(points([0.78, 0.82, 0.8, 0.81, 0.79, 0.8, 0.83, 0.77]), 0.8)
    assert covered.share == pytest.approx(0.8)
    assert covered.surprise > 0.9
    assert not is_off(covered, MonitorConfig())


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_too_narrow_and_too_wide_are_off_if_they_last(rng, share):
    lasting = np.clip(share + 0.02 * rng.normal(size=20), 0, 1)
    assert is_off(cover(points(lasting), 0.8), MonitorConfig())


def test_a_sure_but_small_difference_is_worth_nothing(rng):
    covered = cover(points(0.77 + 0.001 * rng.normal(size=50), count=1e6), 0.8)
    assert covered.surprise < 1e-9
    assert not is_off(covered, MonitorConfig())


def test_one_bad_moment_among_eight_is_luck():
    assert not is_off(cover(points([0.8] * 7 + [0.0]), 0.8), MonitorConfig())
