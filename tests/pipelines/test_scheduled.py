"""An interval has one result, whenever and however often it is requested."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from foreseq.errors import ConfigError, NotYet
from foreseq.forecasting import writer
from foreseq.pipelines.flows.scheduled import Interval, scheduled
from foreseq.series import examples
from foreseq.tracking import registry

SHOP = """
dataset: {name: shop, source: shop.csv, horizon: 7}
auto: {time_budget: 0}
training: {max_steps: 20, validations: 2}
network: {cells: {units: [8]}}
statistical_baselines: {windows: 1}
gate: {min_skill: -9, confidence: 0.5}
"""
NIGHTS = "output: sqlite:///nights.db\ntable: nights\n"
LATE, EARLY = datetime(2000, 4, 29, 3, tzinfo=UTC), datetime(2000, 4, 9, 3, tzinfo=UTC)
AFTERWARDS = datetime(2000, 5, 6, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(api, tmp_path_factory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("PREFECT_API_URL", api)
        examples.write(place / "shop.csv", series=4, freq="D", length=134, seed=1)
        (place / "shop.yaml").write_text(SHOP, encoding="utf-8")
        for flow in ("run", "forecast", "monitor"):
            text = f'flow: {flow}\nconfig: shop.yaml\ncron: "0 3 * * *"\n'
            text += {"run": "by: hash\n", "forecast": NIGHTS}.get(flow, "")
            (place / f"{flow}.yaml").write_text(text, encoding="utf-8")
        yield place


@pytest.fixture(scope="module")
def overlapping(home) -> list[Interval]:
    """Ask three times at once, the last time half a day late."""
    asked = [LATE, LATE, LATE.replace(hour=15)]
    with ThreadPoolExecutor() as threads:
        return list(threads.map(lambda when: scheduled(home / "run.yaml", when), asked))


def test_overlapping_runs_give_one_result(home, overlapping):
    assert overlapping[0] == overlapping[1] == overlapping[2]
    assert overlapping[0].champion
    assert [file.name for file in home.glob("data/schedules/*/*")] == ["2000-04-29T03-00-00.json"]
    assert registry.champion("shop").version == 1
    assert writer.read(overlapping[0].forecast)["cutoff"].max() == datetime(2000, 4, 29)
    assert list(overlapping[0].forecast.glob("bucket=*"))


def test_an_interval_requested_again_changes_nothing(home, overlapping):
    before = {file: file.stat().st_mtime_ns for file in home.glob("data/[fs]*/**/*.*")}
    assert scheduled(home / "run.yaml", LATE) == overlapping[0]
    assert {file: file.stat().st_mtime_ns for file in home.glob("data/[fs]*/**/*.*")} == before


@pytest.mark.slow
def test_an_older_interval_sees_what_was_known_then_and_replaces_no_newer_champion(
    home, overlapping
):
    done = scheduled(home / "run.yaml", EARLY)
    assert done.champion is False
    assert done.model_version == "shop/2"  # the champion was trained on later data
    assert str(registry.champion("shop")) == overlapping[0].model_version
    assert writer.read(done.forecast)["cutoff"].unique() == [datetime(2000, 4, 9)]


def test_a_champion_refuses_to_forecast_a_past_that_it_was_trained_on(home, overlapping):
    done = scheduled(home / "forecast.yaml", LATE)
    assert (done.model_version, done.champion) == (overlapping[0].model_version, None)
    assert len(pd.read_sql("nights", f"sqlite:///{home}/nights.db")) == 28
    with pytest.raises(ConfigError, match="were trained on data after"):
        scheduled(home / "forecast.yaml", EARLY)
    assert not (home / "data" / "schedules" / "forecast" / "2000-04-09T03-00-00.json").exists()
    assert not (home / "data" / "unfinished" / "forecast-2000-04-09T03-00-00").exists()


def test_forecasts_of_a_schedule_are_checked_by_another_once_actuals_arrive(home, overlapping):
    before = scheduled(home / "monitor.yaml", LATE)
    assert (before.decision, before.forecast, before.champion) == ("keep", None, None)
    done = scheduled(home / "monitor.yaml", AFTERWARDS)
    assert (done.decision, done.model_version) == ("keep", overlapping[0].model_version)
    results = home / "data" / "forecasts" / "shop" / "_monitoring"
    scores = pd.read_parquet(results / "scores.parquet")
    assert scores["count"].tolist() == 7 * [4]  # of four series each of seven days
    assert len((results / "decisions.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
def test_an_interval_waits_for_what_should_be_known_ahead(home, overlapping):
    sales = pd.read_csv(home / "shop.csv").assign(promo=lambda table: table["y"].rank() % 2)
    complete = sales["promo"].copy()
    sales.to_csv(home / "sales.csv", index=False)
    text = SHOP.replace("source: shop.csv", "source: sales.csv, unknown_ahead: wait")
    text = text.replace("name: shop", "name: sales, covariates: {future: [promo]}")
    (home / "sales.yaml").write_text(text, encoding="utf-8")
    for flow in ("run", "forecast"):
        schedule = f'flow: {flow}\nconfig: sales.yaml\ncron: "0 3 * * *"\n'
        (home / f"sales-{flow}.yaml").write_text(schedule, encoding="utf-8")
    scheduled(home / "sales-run.yaml", LATE)
    sales.loc[sales["ds"] > "2000-05-03", "promo"] = None
    sales.to_csv(home / "sales.csv", index=False)
    with pytest.raises(NotYet, match="promo must be known 7 steps ahead, found nothing 5 steps"):
        scheduled(home / "sales-forecast.yaml", LATE)
    sales.assign(promo=complete).to_csv(home / "sales.csv", index=False)
    scheduled(home / "sales-forecast.yaml", LATE.replace(day=30))
    done = sorted(file.stem for file in (home / "data/schedules/sales-forecast").glob("*"))
    assert done == ["2000-04-29T03-00-00", "2000-04-30T03-00-00"]


def test_an_interval_whose_process_was_killed_is_taken_over_by_the_next(home, overlapping):
    left = home / "data" / "unfinished" / "monitor-2000-05-07T03-00-00"
    left.mkdir()
    (left.parent / "monitor-of-another-2000-05-07T03-00-00").mkdir()
    scheduled(home / "monitor.yaml", AFTERWARDS.replace(day=8))
    done = sorted(file.stem for file in (home / "data" / "schedules" / "monitor").glob("*-0[78]T*"))
    assert done == ["2000-05-07T03-00-00", "2000-05-08T03-00-00"]
    assert not left.exists()


def test_an_interval_that_found_the_disk_full_is_taken_over_by_the_next(
    home, overlapping, monkeypatch
):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "data/forecasts")

    with monkeypatch.context() as full:
        full.setattr("foreseq.pipelines.flows.scheduled._run", fail)
        with pytest.raises(OSError, match="No space left"):
            scheduled(home / "monitor.yaml", AFTERWARDS.replace(day=9))
    scheduled(home / "monitor.yaml", AFTERWARDS.replace(day=10))
    done = sorted(file.stem for file in (home / "data/schedules/monitor").glob("*-05-*"))
    assert done[-2:] == ["2000-05-09T03-00-00", "2000-05-10T03-00-00"]
