import numpy as np
import pytest

from foreseq.errors import ConfigError, DataRefused
from foreseq.series import multivariate, windows
from foreseq.series.panel import Panel, from_series, select
from foreseq.series.windows import Windows


def staggered():
    """Return two monthly series, the second of which starts three months later."""
    whole = from_series(
        {"a": range(1, 13), "b": range(101, 113)}, freq="MS", season=12, start="2024-01-01"
    )
    late = from_series({"b": range(104, 113)}, freq="MS", season=12, start="2024-04-01")
    return Panel(
        values=np.concatenate([select(whole, [0]).values, late.values]),
        observed=np.ones(21, bool),
        offsets=np.array([0, 12, 21]),
        starts=np.concatenate([whole.starts[:1], late.starts]),
        ids=whole.ids,
        freq="MS",
        season=12,
    )


def test_channels_are_read_at_one_moment_however_late_they_begin():
    panel = staggered()
    chosen = Windows(np.array([0, 1]), np.array([5, 2]))  # both at the end of May
    batch = multivariate.gather(panel, chosen, 3, 2, dates=True)
    assert multivariate.origins(panel, chosen).tolist() == [5, 5]
    assert batch.past[0].tolist() == [[3, 0], [4, 104], [5, 105]]
    assert batch.observed[0].tolist() == [[1, 0], [1, 1], [1, 1]]
    assert batch.past[1].tolist() == batch.past[0].tolist()
    alone = windows.gather(panel, chosen, 3, 2, dates=True)
    assert np.array_equal(batch.calendar, alone.calendar)


def test_what_has_not_begun_or_has_ended_is_not_observed():
    panel = staggered()
    early = multivariate.gather(panel, Windows(np.array([0]), np.array([2])), 2, 1, dates=False)
    assert early.observed[0].tolist() == [[1, 0], [1, 0]]
    ended = select(panel, [0, 1])
    ended.offsets[:] = [0, 12, 16]
    batch = multivariate.gather(ended, Windows(np.array([0]), np.array([12])), 2, 1, dates=False)
    assert batch.observed[0].tolist() == [[1, 0], [1, 0]]


def test_all_are_those_of_the_data():
    panel = staggered()
    for wanted in ("all", ("b", "a")):
        assert multivariate.series_names(panel, wanted) == ("a", "b")


@pytest.mark.parametrize("wanted", [("a",), ("a", "b", "c")], ids=["fewer", "more"])
def test_others_than_those_of_the_data_are_refused(wanted):
    with pytest.raises(ConfigError, match=r"network\.multivariate must list .* found [bc] in one"):
        multivariate.series_names(staggered(), wanted)


def test_series_that_end_apart_are_refused():
    panel = staggered()
    panel.starts[1] = np.datetime64("2024-03-01", "ns")
    with pytest.raises(
        DataRefused, match=r"series b: .* found 2024-11-01, others 2024-12-01; bring"
    ):
        multivariate.series_names(panel, "all")
