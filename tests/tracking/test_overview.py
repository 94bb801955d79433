"""One page says who is champion, how it does, what ran at night, and what is alarming."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from foreseq.forecasting import bundle
from foreseq.monitoring import decisions
from foreseq.monitoring.decisions import Decided
from foreseq.tracking import forecaster, overview, registry

NOW = datetime(2026, 11, 28, 6, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def waves(example, tmp_path_factory):
    """Publish one model in a store of its own."""
    store = tmp_path_factory.mktemp("overview") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store.as_posix()}")
        with forecaster.begin(example.experiment, example.panel) as run:
            forecaster.log_bundle(run, bundle.load(example.folder))
            forecaster.log_backtest(run, example.backtest, example.panel)
            run.log_text("a report", "report.html")
        version = registry.register(run.id, "waves")
        registry.promote(version, expected=None)
        yield version


def write_forecast(data, folder, **fields):
    place = data / "forecasts" / "waves" / folder
    place.mkdir(parents=True)
    manifest = {"model_version": "waves/1", "series": 2, "failures": {}, "verdict": "published"}
    (place / "_manifest.json").write_text(json.dumps({**manifest, **fields}))


def write_nights(data, *days):
    folder = data / "schedules" / "nightly"
    folder.mkdir(parents=True)
    for day in days:
        at = datetime(2026, 11, day, 3, tzinfo=UTC)
        night = {"logical": at, "ended": at + timedelta(minutes=5), "model_version": "waves/1"}
        record = {**night, "champion": True, "decision": None}
        (folder / f"{at:%Y-%m-%d}.json").write_text(json.dumps(record, default=str))


def text(data):
    page = re.sub(r"<style>.*?</style>|<[^>]+>", " ", overview.page(data, NOW), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(page))


def test_the_champion_has_its_date_score_and_a_link_to_its_report(tmp_path):
    page = overview.write(tmp_path)
    html = page.read_text(encoding="utf-8")
    (link,) = re.findall(r'<a href="(.*?report.html)">waves/1</a>', html)
    assert (page.parent / link).read_text() == "a report"
    assert f"{datetime.now(UTC):%Y-%m-%d}" in html
    assert re.search(r"<td>-?\d+%</td><td>[\d.]+</td>", html)
    assert "No alarms." in html


def test_forecasts_and_nights_are_listed_newest_first(tmp_path):
    write_forecast(tmp_path, "2026-11-27")
    write_nights(tmp_path, 26, 27, 28)
    shown = text(tmp_path)
    assert "2026-11-27 , 2 series" in shown
    assert shown.index("2026-11-28 03:00") < shown.index("2026-11-27 03:00")
    assert "2026-11-28 03:05 waves/1 forecast, new champion" in shown
    assert "No alarms." in shown


def test_what_needs_somebody_is_an_alarm(tmp_path):
    write_forecast(tmp_path, "late", failures={"a": "too short"}, verdict="rejected")
    write_nights(tmp_path, 20, 21, 22)
    decided = Decided(
        until="2026-11-27", version="waves/1", action="retrain", reason="worse", evidence="1"
    )
    decisions.write(tmp_path / "forecasts" / "waves" / "_monitoring", [decided])
    shown = text(tmp_path)
    assert "4 alarms" in shown
    assert "waves: the newest forecast is by waves/1, which the gate rejected" in shown
    assert "waves: the newest forecast lacks 1 series or files" in shown
    assert "waves: waves/1 needs action (retrain): worse" in shown
    assert "nightly: nothing since the interval of 2026-11-22 03:00" in shown


@pytest.mark.parametrize(
    "file",
    [
        "forecasts/waves/bad/_manifest.json",
        "forecasts/waves/_monitoring/decisions.jsonl",
        "schedules/nightly/2026.json",
    ],
)
def test_what_is_damaged_is_an_alarm_not_a_failure(tmp_path, file):
    place = tmp_path / Path(file)
    place.parent.mkdir(parents=True)
    place.write_text("{")
    assert "1 alarm " in text(tmp_path)
