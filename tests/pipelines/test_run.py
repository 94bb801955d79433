from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, LogFilter

from foreseq.config import ExperimentConfig, build_experiment, history_fields
from foreseq.errors import ConfigError
from foreseq.forecasting import writer
from foreseq.forecasting.output import Output
from foreseq.pipelines.cli import look
from foreseq.pipelines.flows.backtest import backtest
from foreseq.pipelines.flows.forecast import forecast
from foreseq.pipelines.flows.publish import publish
from foreseq.pipelines.flows.run import Ran, run
from foreseq.series import examples
from foreseq.tracking import registry, store
from foreseq.tracking import run as runs

QUICK = (
    "auto.time_budget=0",
    "training.max_steps=100",
    "split.test_windows=4",
    "network.cells.units=[8]",
    "training.validations=4",
    "statistical_baselines.windows=1",
)


class StoppedError(Exception):
    """What ends a flow from outside."""


def experiment(source, *overrides: str) -> ExperimentConfig:
    dataset = {"name": "shop", "source": str(source), "horizon": 7}
    return build_experiment({"dataset": dataset}, [*QUICK, *overrides])


@pytest.fixture(scope="module")
def home(api, tmp_path_factory) -> Iterator[Path]:
    """Work in one folder for the whole module: training is what takes time."""
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("PREFECT_API_URL", api)
        examples.write(place / "shop.csv", series=4, freq="D", length=240, seed=1)
        yield place


@pytest.fixture(scope="module")
def ran(home) -> Ran:
    return run(experiment("shop.csv"), None)


def test_a_run_ends_with_a_champion_and_its_forecasts(ran):
    assert ran.published.decision.published
    assert ran.published.skill > 0
    assert registry.champion("shop") == ran.published.version
    table = writer.read(ran.folder)
    history = pd.read_csv("shop.csv", parse_dates=["ds"])
    assert sorted(table["unique_id"].unique()) == sorted(history["unique_id"].unique())
    assert (table["ds"] > history["ds"].max()).all()
    assert len(table) == 4 * 7
    assert (ran.folder / "_SUCCESS").exists()


def test_prefect_shows_steps_lines_and_a_page_on_the_training(ran, wait_for):
    with get_client(sync_client=True) as client:
        shops = FlowRunFilter(tags={"all_": ["shop"]})
        steps = client.read_task_runs(flow_run_filter=shops)
        names = {step.name.rpartition("-")[0] for step in steps}
        assert {"ingest", "train", "search", "fit", "test", "publish", "forecast"} <= names
        written = client.read_artifacts(flow_run_filter=shops)
        assert {one.type for one in written} == {"markdown", "progress"}
        pages = [str(one.data) for one in written if one.key == "shop"]
        page = next(page for page in pages if page.startswith("**published**"))
        assert "| **foreseq** |" in page
        assert "data:image/png;base64," in page
        outermost = [run for run in client.read_flow_runs() if not run.parent_task_run_id]
        logs = LogFilter(flow_run_id={"any_": [run.id for run in outermost]})

        def lines() -> set[str]:
            return {line.message.partition(" ")[0] for line in client.read_logs(logs)}

        wait_for(lambda: {"data", "tested", "gate"} <= lines(), "lines are logged", patience=20)


def test_the_manifest_tells_what_made_the_forecasts(ran):
    assert ran.manifest.model_version == "shop/1"
    assert ran.manifest.model_digest == ran.published.version.digest
    assert writer.read_manifest(ran.folder) == ran.manifest


def test_the_same_run_again_changes_nothing(ran):
    before = {file: file.stat().st_mtime_ns for file in ran.folder.iterdir()}
    again = run(experiment("shop.csv"), None)
    assert again.published.decision.published
    assert again.run_id == ran.run_id
    assert again.published.version == ran.published.version
    assert {file: file.stat().st_mtime_ns for file in again.folder.iterdir()} == before


def test_a_training_that_was_stopped_is_taken_up_again(home, monkeypatch):
    settings = experiment("shop.csv", "name=stopped")

    def stop(*_):
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(runs.Run, "log_bundle", stop)
        with pytest.raises(StoppedError):
            run(settings, None)
    kept = {file.parent.name for file in home.glob("data/unfinished/*/*/*.npz")}
    assert kept == {"fit", "refit"}
    again = run(settings, None)
    assert not list(home.glob("data/unfinished/*/*"))
    curve = store.open_store().get_metric_history(again.run_id, "training/loss")
    assert [point.step for point in curve] == [25, 50, 75, 100]


def test_what_the_gate_rejects_does_not_replace_the_champion(ran):
    worse = run(experiment("shop.csv", "gate.min_skill=0.999", "training.seed=9"), None)
    assert not worse.published.decision.published
    assert registry.champion("shop") == ran.published.version
    assert worse.manifest.model_version == str(ran.published.version)


@pytest.mark.slow
def test_without_any_champion_the_forecasts_name_the_version_turned_down(home):
    ran = run(experiment("shop.csv", "gate.min_skill=0.999", "name=other"), None)
    assert registry.champion("other") is None
    assert ran.manifest.model_version == str(ran.published.version) == "other/1"


def test_the_champion_forecasts_series_it_has_never_seen(ran, tmp_path):
    table = pd.read_csv("shop.csv")
    table["unique_id"] = "other-" + table["unique_id"]
    table.to_csv(tmp_path / "others.csv", index=False)
    others = history_fields(str(tmp_path / "others.csv"))
    manifest = forecast("shop@champion", others, Output(folder=tmp_path / "out"))
    assert (manifest.series, manifest.rows) == (4, 28)


def test_a_model_a_forecast_and_a_run_open_the_same_report(ran, monkeypatch, capsys):
    monkeypatch.setenv("FORESEQ_VERBOSE", "1")
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    for what in ("shop", str(ran.folder), ran.run_id):
        look.open_report(what)
    (address,) = set(opened)
    assert address.startswith("file://")
    (printed,) = set(capsys.readouterr().out.split())
    assert Path(printed).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_publishing_again_by_run_id_keeps_the_champion(ran):
    assert publish(ran.run_id).decision.published
    assert registry.champion("shop") == ran.published.version


def test_a_backtest_uses_the_weights_that_have_not_seen_the_windows(ran):
    scores = backtest("shop@champion", None)
    assert scores["foreseq"].mase < scores["seasonal_naive"].mase
    assert {"ets", "theta", "arima"} <= scores.keys()


def test_publishing_a_run_that_is_not_there_is_refused(home):
    with pytest.raises(ConfigError, match="nosuchrun"):
        publish("nosuchrun")
