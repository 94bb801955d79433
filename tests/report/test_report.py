"""A report is one self-contained page of words and pictures."""

import re
from hashlib import sha256
from html import unescape
from importlib.resources import files

import numpy as np
import pytest
from findings import HORIZON, LEVELS, make_findings

from foreseq.evaluation.decision import Decision
from foreseq.report import charts, pictures
from foreseq.report.charts import Future
from foreseq.report.findings import NAMES
from foreseq.report.page import decision_page, report_page, summarize, with_decision
from foreseq.report.plots import plots
from foreseq.series.panel import from_series

SCORES = {"challenger": 0.5, "seasonal_naive": 0.75, "naive": 0.8, "historic_median": 0.9}
DECISION = Decision(True, "beats <all> of them", SCORES, 0.991, 3, 3, 18)


def drawn(findings):
    return pictures.draw(findings)


@pytest.fixture(scope="module")
def findings():
    return make_findings(skipped=["tiny"])


@pytest.fixture(scope="module")
def page(findings):
    return report_page(findings, drawn(findings))


def text(page):
    return re.sub(
        r"\s+", " ", re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    )


def test_a_page_needs_nothing_but_itself_and_asks_for_nothing(page):
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert page.count("data:image/png;base64,") == 5


def test_the_charting_library_is_the_one_that_was_reviewed():
    folder = files("foreseq.report") / "templates" / "uplot"
    digests = re.findall(r"`(\S+)` \| (\w{64})", (folder / "README.md").read_text("utf-8"))
    assert len(digests) == 2
    for file, digest in digests:
        assert sha256((folder / file).read_bytes()).hexdigest() == digest


def test_the_chart_has_histories_forecasts_and_the_newest_test(findings):
    drawn = charts.outlook(findings.future, findings.panel, findings.backtest)
    series = drawn["series"][0]
    times = drawn["axes"][series["axis"]]
    assert list(times) == list(range(66))
    np.testing.assert_allclose(series["past"], findings.panel.series(0), rtol=1e-5)
    np.testing.assert_allclose(np.transpose(series["future"]), findings.future.quantiles[0], 1e-5)
    assert times[series["at"]] == 54
    np.testing.assert_allclose(series["test"], findings.backtest.forecasts["foreseq"][0], rtol=1e-5)
    assert len(drawn["axes"]) == 2  # that of the short series is another
    assert drawn["levels"] == list(LEVELS)


def test_what_was_not_observed_or_not_forecast_leaves_a_gap():
    found = make_findings(names="a")
    panel = from_series({"a": [1.0, np.nan, 3.0]}, freq="1", season=1)
    future = Future(np.array([0]), np.full((1, HORIZON, 5), np.nan), np.array([3.0]), 48)
    (series,) = charts.outlook(future, panel, found.backtest)["series"]
    assert series["past"] == [1, None, 3]
    assert series["future"] == [[None] * HORIZON] * 5


def test_a_name_cannot_end_the_script():
    assert "</" not in charts.script({"name": "</script><b>"})


def test_a_page_of_a_thousand_series_is_below_five_megabytes():
    many = make_findings(names=[f"shop {i}" for i in range(1000)], length=400)
    page = report_page(many, {})
    assert 1e6 < len(page) < 5e6
    assert page.count('"name":') == 1001  # and the total


def test_of_too_many_series_the_page_shows_the_largest_the_worst_and_the_best(monkeypatch):
    monkeypatch.setattr(charts, "NUMBERS", 500)
    found = make_findings(names=[f"shop {i}" for i in range(20)])
    errors = found.backtest.losses("foreseq").series
    shown = found.future.series.tolist()
    assert len(shown) == 500 // (12 + 8 * HORIZON)
    assert {int(np.argmin(errors)), int(np.argmax(errors))} <= {*shown}


def test_the_first_sentence_has_the_skill_and_the_best_statistical_baseline(page, findings):
    skill = f"{100 * findings.backtest.skill():.0f}%"
    assert f"the error is {skill} below the seasonal naive's" in unescape(text(page))
    assert "the best statistical baseline." in text(page)


def test_equal_errors_are_said_to_be_equal(findings):
    there = findings.comparison.backtest
    equal = dict.fromkeys(findings.comparison.names, there.forecasts["foreseq"])
    backtest = there._replace(forecasts=there.forecasts | equal)
    comparison = findings.comparison._replace(backtest=backtest)
    assert "and about equal to that of" in summarize(findings.backtest, comparison)


def test_one_series_is_not_compared_with_itself():
    single = make_findings(names="a")
    page = report_page(single, drawn(single))
    assert page.count("data:image/png;base64,") == 4
    assert "Means over 1 series on the same 1 test window." in text(page)


def test_where_there_is_no_skill_it_says_so():
    worse = make_findings(error=5.0)
    assert "no better than the seasonal naive: use the seasonal naive instead" in text(
        report_page(worse, {})
    )


def leaderboards(page):
    section = page[page.index('id="leaderboard"') : page.index('id="errors"')]
    rows = re.findall(r"<tr.*?</tr>", section, re.DOTALL)
    return [re.findall(r"<td.*?>(.*?)</td>", row) for row in rows if "<td" in row]


def test_the_leaderboard_has_every_forecaster_best_first_with_what_it_cost(page):
    rows = leaderboards(page)
    assert {row[0] for row in rows} == set(NAMES.values())
    errors = [float(row[1]) for row in rows]
    assert errors == sorted(errors)
    seconds = {row[0]: row[-1] for row in rows}
    assert seconds["foreseq"] == "15.5"  # 12.3 of training and 3.2 of search
    assert float(seconds["ETS"]) > 0
    assert seconds["naive"] == ""


def test_statistical_baselines_on_fewer_windows_stand_apart(findings):
    there = findings.comparison.backtest
    fewer = there._replace(
        windows=there.windows.take(slice(2)),
        actual=there.actual[:2],
        forecasts={name: one[:2] for name, one in there.forecasts.items()},
        quantiles=there.quantiles[:2],
    )
    quantiles = {name: one[:2] for name, one in findings.comparison.quantiles.items()}
    comparison = findings.comparison._replace(backtest=fewer, quantiles=quantiles)
    rows = leaderboards(report_page(findings._replace(comparison=comparison), {}))
    assert [row[0] for row in rows].count("foreseq") == 2


def test_who_does_not_forecast_is_last_on_the_leaderboard(findings):
    silent = {"naive": np.full_like(findings.backtest.actual, np.nan)}
    backtest = findings.backtest._replace(forecasts=findings.backtest.forecasts | silent)
    rows = leaderboards(report_page(findings._replace(backtest=backtest), {}))
    assert rows[-1][:2] == ["naive", "infinite"]


def test_a_chart_has_a_value_for_each_place(findings):
    drawn = plots(findings)
    assert {*drawn} == {
        "autocorrelation", "bias", "calibration", "curves", "horizon", "series", "widths",
    }  # fmt: skip
    for plot in drawn.values():
        for line in plot["lines"]:
            assert len(line["values"]) == len(plot["places"])
    np.testing.assert_allclose(drawn["bias"]["lines"][0]["values"], 0.2, rtol=1e-5)


def test_the_page_says_how_to_train_the_same_again(page, findings):
    assert "foreseq reproduce 4f2a" in page
    assert findings.panel.fingerprint() in page


def test_intervals_have_a_row_for_both_levels_and_every_method(page):
    for share in ("80%", "95%"):
        assert page.count(f"<td>{share}</td>") == 4  # foreseq and three statistical baselines


def test_a_report_has_choices_candidates_and_data_quality(page):
    shown = text(page)
    assert "network.log False some values are &lt; 0" in shown
    assert "network.context = 24 0.9123" in shown
    assert "steps without a row 7, 2 filled" in shown
    assert "series too short to test 1: tiny" in shown


def test_members_that_did_not_improve_are_counted(page, findings):
    assert "which may be noise" not in page
    unused = [findings.members[0]._replace(best_step=0), *findings.members]
    shown = text(report_page(findings._replace(members=unused), {}))
    assert "validation error of 1 of 2 ensemble members by less than 1%" in shown


def test_the_decision_is_put_in_and_replaced_when_it_changes(page):
    assert "Not decided yet" in page
    once = with_decision(page, DECISION)
    assert "Not decided yet" not in once
    assert "Published : beats &lt;all&gt; of them" in text(once)
    again = with_decision(
        once, DECISION._replace(published=False, scores=SCORES | {"champion": 0.4})
    )
    assert "Rejected" in again
    assert "champion 0.4" in text(again)
    assert again.count("data:image") == once.count("data:image")


def test_a_decision_has_a_page_of_its_own():
    shown = text(decision_page("waves/3", DECISION))
    assert "The gate on waves/3" in shown
    assert "historic median 0.9" in shown


def test_pictures_have_the_same_names_in_every_run(findings):
    assert set(drawn(findings)) == {
        "future.png", "forecast.png", "horizon.png", "series.png", "curves.png", "calibration.png",
    }  # fmt: skip


def test_a_calibration_picture_shows_the_shares_below_each_quantile(findings):
    line = drawn(findings)["calibration.png"].axes[0].lines[1]
    assert line.get_xdata().tolist() == [2.5, 10, 50, 90, 97.5]
    assert line.get_ydata().tolist() == [100 * share for share in findings.backtest.shares_below()]


def test_the_report_says_what_each_covariate_is_worth(page):
    row = page[page.index('id="covariates"') :]
    assert row.index("promo") < row.index("1.2") < row.index("0.9 to 1.3") < row.index("50%")
