import pandas as pd
import pytest

from foreseq.config import MonitorConfig
from foreseq.monitoring import COLUMNS, Arrivals, Decided, Evidence, judge, page
from foreseq.series.panel import from_series


@pytest.fixture
def found() -> Arrivals:
    rows = [
        (f"m/{version}", moment, step, 10, 8.0 + version, 10.0, 8.0)
        for version in (2, 10)
        for moment in range(20, 80, 4)
        for step in (1, 2, 3, 4)
    ]
    return Arrivals(pd.DataFrame(rows, columns=COLUMNS), 30, ("<b>torn</b>",), 1, 2, 3)


@pytest.fixture
def judged(found):
    promised = found.sums[found.sums["model_version"] == "m/2"].assign(model_version="backtest")
    series = from_series({"a": range(90)}, freq="1", season=1)
    return judge(Evidence("m/10", found.sums, promised, 0.8), series, MonitorConfig())


def test_versions_are_in_the_order_of_their_numbers(found):
    table = page.versions(found.sums)
    assert table["version"].tolist() == ["m/2", "m/10"]
    assert table["mase"].tolist() == [1.0, 1.8]
    assert table["skill"].round(9).tolist() == [0.0, -0.8]
    assert table["actuals"].tolist() == [600, 600]


def test_a_page_needs_nothing_but_itself_and_lets_no_data_be_markup(found, judged):
    told = page.write(judged, found, page.pictures(judged, found.sums), 10_000)
    assert told.count("data:image/png") == 4
    assert 'src="http' not in told
    assert "&lt;b&gt;torn" in told
    assert "once in 10,000 moments" in told


def test_decisions_are_told_newest_first_however_often_the_page_is_written(found, judged):
    bare = page.write(judged, found, {}, 10_000)
    decisions = [
        Decided(until=day, version="m/10", action="keep", reason="why <not>", evidence=day)
        for day in ("2024-01-01", "2024-01-08")
    ]
    told = page.with_decisions(bare, decisions)
    assert told.index("2024-01-08") < told.index("2024-01-01")
    assert "why &lt;not&gt;" in told
    assert page.with_decisions(told, decisions) == told


def test_a_ledger_without_actuals_has_a_page_too(judged):
    empty = Arrivals(pd.DataFrame(columns=COLUMNS), 0, (), 0, 0, 0)
    told = page.write(judged, empty, page.pictures(judged, empty.sums), 10_000)
    assert "no forecast has met its actuals yet" in told
