"""A report is one self-contained page of words and pictures."""

import re
from html import unescape

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import BASELINES
from foreseq.evaluation.comparison import compare
from foreseq.evaluation.decision import Decision
from foreseq.ingest.repairs import Repairs
from foreseq.report import pictures
from foreseq.report.page import Findings, decision_page, report_page, with_decision
from foreseq.selection.rules import Choice
from foreseq.selection.search import Candidate
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows
from foreseq.training.loop import CurvePoint, Fitted

HORIZON, LEVELS = 6, (0.025, 0.1, 0.5, 0.9, 0.975)
EXPERIMENT = build_experiment(
    {"dataset": {"source": "memory", "horizon": HORIZON}, "network": {"log": False}}
)
SCORES = {"challenger": 0.5, "seasonal_naive": 0.75, "naive": 0.8, "historic_median": 0.9}
DECISION = Decision(True, "beats <all> of them", SCORES, 0.991, 3, 3, 18)


def make_findings(*, error=0.2, names="abc", skipped=()):
    rng = np.random.default_rng(1)
    steps = np.arange(60)
    series = {name: 9 + np.sin(steps * np.pi / 3) + rng.normal(0, 0.3, 60) for name in names}
    panel = from_series(series | {name: [1.0] for name in skipped}, freq="1", season=6)
    chosen = Windows(np.arange(len(names)), np.full(len(names), 54))
    actual = windows.futures(panel, chosen, HORIZON)
    ours = actual + error
    spread = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    simple = {name: method(panel, chosen, HORIZON) for name, method in BASELINES.items()}
    tested = Backtest(
        windows=chosen,
        actual=actual,
        forecasts={FORESEQ: ours, **simple},
        quantiles=ours[..., None] + 0.3 * spread,
        seasonal_error=np.ones(panel.n_series),
        levels=LEVELS,
    )
    return Findings(
        model="waves",
        run="gru-8 ctx12 seed1",
        panel=panel,
        repairs=Repairs(181, panel.n_series, 180, "0", "59", gaps=7, gaps_filled=2),
        backtest=tested,
        comparison=compare(tested, panel, EXPERIMENT),
        choices=[Choice("network.log", False, "some values are < 0")],
        candidates=[Candidate("network.context", 24, 0.91234, 3.2)],
        members=[Fitted([], 20, (CurvePoint(10, 1.0, 0.9), CurvePoint(20, 0.8, 0.7)))],
    )


def drawn(findings):
    return pictures.draw(findings.backtest, findings.members[0].curve, findings.panel)


@pytest.fixture(scope="module")
def findings():
    return make_findings(skipped=["tiny"])


@pytest.fixture(scope="module")
def page(findings):
    return report_page(findings, drawn(findings))


def text(page):
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL))


def test_a_page_needs_nothing_but_itself(page):
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "http" not in page
    assert "<script" not in page
    assert page.count("data:image/png;base64,") == 5


def test_the_first_sentence_has_the_skill_and_the_best_statistical_baseline(page, findings):
    skill = f"{100 * findings.backtest.skill():.0f}%"
    assert f"the error is {skill} below the seasonal naive's" in unescape(text(page))
    assert "the best statistical baseline." in text(page)


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


def test_every_forecaster_has_its_row_with_skill_and_wins(page):
    for name in (
        "seasonal naive",
        "naive",
        "naive with drift",
        "historic median",
        "ETS",
        "Theta",
        "ARIMA",
    ):
        assert re.search(rf'class="text">{name}</td>(<td>[\d.,]+</td>){{5}}<td>-?\d+%', page), name


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
        "forecast.png", "horizon.png", "series.png", "curves.png", "calibration.png",
    }  # fmt: skip


def test_a_calibration_picture_shows_the_shares_below_each_quantile(findings):
    line = drawn(findings)["calibration.png"].axes[0].lines[1]
    assert line.get_xdata().tolist() == [2.5, 10, 50, 90, 97.5]
    assert line.get_ydata().tolist() == [100 * share for share in findings.backtest.shares_below()]
