import pandas as pd
import pytest

from foreseq.config import MonitorConfig
from foreseq.monitoring import page
from foreseq.monitoring.actuals import COLUMNS, Actuals
from foreseq.monitoring.assessment import Evidence, assess
from foreseq.monitoring.decisions import Decided
from foreseq.series.panel import from_series


@pytest.fixture
def actuals() -> Actuals:
    rows = [
        (f"m/{version}", origin, step, 10, 8.0 + version, 10.0, 8.0)
        for version in (2, 10)
        for origin in range(20, 80, 4)
        for step in (1, 2, 3, 4)
    ]
    return Actuals(pd.DataFrame(rows, columns=COLUMNS), 30, ("<b>torn</b>",), 1, 2, 3)


@pytest.fixture
def assessment(actuals):
    backtest = actuals.sums[actuals.sums["model_version"] == "m/2"].assign(model_version="backtest")
    panel = from_series({"a": range(90)}, freq="1", season=1)
    return assess(Evidence("m/10", actuals.sums, backtest, 0.8), panel, MonitorConfig())


def test_versions_are_in_the_order_of_their_numbers(actuals):
    table = page.versions(actuals.sums)
    assert table["version"].tolist() == ["m/2", "m/10"]
    assert table["mase"].tolist() == [1.0, 1.8]
    assert table["skill"].round(9).tolist() == [0.0, -0.8]
    assert table["actuals"].tolist() == [600, 600]


def test_a_page_needs_nothing_but_itself_and_lets_no_data_be_markup(actuals, assessment):
    html = page.write(assessment, actuals, page.pictures(assessment, actuals.sums), 10_000)
    assert html.count("data:image/png") == 4
    assert 'src="http' not in html
    assert "&lt;b&gt;torn" in html
    assert "false-alarm rate 1 in 10,000 forecasts" in html


def test_decisions_are_shown_newest_first_however_often_the_page_is_written(actuals, assessment):
    bare = page.write(assessment, actuals, {}, 10_000)
    decisions = [
        Decided(until=day, version="m/10", action="keep", reason="why <not>", evidence=day)
        for day in ("2024-01-01", "2024-01-08")
    ]
    html = page.with_decisions(bare, decisions)
    assert html.index("2024-01-08") < html.index("2024-01-01")
    assert "why &lt;not&gt;" in html
    assert page.with_decisions(html, decisions) == html


def test_forecasts_without_actuals_have_a_page_too(assessment):
    empty = Actuals(pd.DataFrame(columns=COLUMNS), 0, (), 0, 0, 0)
    html = page.write(assessment, empty, page.pictures(assessment, empty.sums), 10_000)
    assert "no actuals have arrived yet" in html
