"""What has no skill is seldom published, what has skill often: a small benchmarks/gate_level."""

import pytest
from benchmarks import gate_level

CASES = [(20, 5, 1), (5, 1, 12), (5, 40, 12)]
"""Windows of each series, series, horizon."""
WORLDS = 40


@pytest.fixture(scope="module", params=gate_level.WORLDS)
def shares(request):
    """Return the published share of each forecaster in each case of one world."""
    return [gate_level.published(request.param, case, WORLDS) for case in CASES]


@pytest.mark.parametrize("name", gate_level.UNSKILLED)
def test_at_most_one_in_twenty_without_skill_is_published(shares, name):
    # 5% of 120 worlds and 2.3 standard deviations
    assert sum(share[name] for share in shares) / len(shares) <= 0.095


def test_of_forty_series_with_skill_many_are_published(shares):
    assert shares[-1]["skilled"] >= 0.1  # least of series that end at different times
