import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foreseq.config import DatasetConfig, build_experiment
from foreseq.forecasting import bundle, writer
from foreseq.forecasting.ensemble import Ensemble
from foreseq.forecasting.writer import ForecastSource
from foreseq.ingest.store import ingest
from foreseq.monitoring import decisions
from foreseq.monitoring.check import FOLDER
from foreseq.monitoring.recalibration import Recalibrated
from foreseq.pipelines.flows.forecast import forecast
from foreseq.pipelines.flows.monitor import monitor
from foreseq.pipelines.flows.run import run
from foreseq.series import panel
from foreseq.tracking import check_runs, registry, store
from foreseq.tracking.check_runs import About
from foreseq.tracking.registry import ModelVersion

TRAINED, WEEKS = 200, 10
QUICK = (
    "auto.time_budget=0",
    "training.max_steps=60",
    "training.validations=4",
    "training.members=1",
    "statistical_baselines.windows=0",
    "network.cells.units=[8]",
    "gate.min_skill=-9",  # so short a training need not be good
)


def sales(days: int, *, shift: float = 0.0, noise: float = 1.0, weeks: int = WEEKS) -> pd.DataFrame:
    """Return what four products sold; the last two weeks of all may be on another level."""
    rng = np.random.default_rng(7)
    count = TRAINED + 7 * weeks
    y = 50 + 10 * np.sin(2 * np.pi * np.arange(count) / 7) + rng.normal(size=(count, 4)).T
    y[:, count - 14 :] += shift
    ds = pd.date_range("2024-01-01", periods=count)
    table = pd.concat(
        [pd.DataFrame({"unique_id": f"p{i}", "ds": ds, "y": row}) for i, row in enumerate(y)]
    )
    return table[table["ds"] < ds[0] + pd.Timedelta(days=days)]


@pytest.fixture(scope="module")
def trained(api, tmp_path_factory) -> Path:
    """Train in a folder of its own, once: that is what takes time."""
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("PREFECT_API_URL", api)
        sales(TRAINED).to_csv("shop.csv", index=False)
        config = {"dataset": {"name": "shop", "source": "shop.csv", "horizon": 7}}
        run(build_experiment(config, QUICK), None)
    return place


@pytest.fixture
def home(trained, place) -> Path:
    """Work in a copy of it; the tracking store keeps absolute paths of models."""
    return shutil.copytree(trained, place, dirs_exist_ok=True)


@pytest.fixture
def weeks_pass(home) -> Callable[..., None]:
    """Forecast every week from what was known then, and let the actuals arrive."""

    def pass_by(**options: float) -> None:
        version = registry.resolve("shop")
        fitted = bundle.load(registry.fetch(version))
        source = ForecastSource(
            Ensemble(fitted.experiment, fitted.final), str(version), version.digest
        )
        dataset = DatasetConfig(name="known", source="known.csv", horizon=7)
        for week in range(WEEKS):
            sales(TRAINED + 7 * week, **options).to_csv("known.csv", index=False)
            known = ingest(dataset, home / "known")
            writer.write(source, panel.load(known.folder), home / f"data/forecasts/shop/{week}")
        sales(TRAINED + 7 * WEEKS, **options).to_csv("shop.csv", index=False)

    return pass_by


def test_before_any_actual_arrives_the_champion_is_kept(home):
    monitored = monitor("shop", retrain="auto")
    assert monitored.decided.action == "keep"
    assert "no actuals of its forecasts have arrived" in monitored.decided.reason
    assert monitored.page.is_file()


def test_a_quiet_time_keeps_the_champion_and_a_repeated_check_changes_nothing(home, weeks_pass):
    weeks_pass()
    champion = registry.champion("shop")
    monitored = monitor("shop", retrain="auto")
    assert monitored.decided.action == "keep", monitored.decided.reason
    folder = home / "data/forecasts/shop" / FOLDER
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    again = monitor("shop", retrain="auto")
    assert again.run_id == monitored.run_id
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert registry.champion("shop") == champion
    logged = store.get_run(monitored.run_id).data
    assert logged.tags["action"] == "keep"
    assert logged.metrics["live/mase"] == pytest.approx(monitored.measures["mase"])
    assert {"over_time/ratio", "by_horizon/skill", "expected/mase"} <= logged.metrics.keys()
    page = monitored.page.read_text(encoding="utf-8")
    assert page.count("data:image/png") == 4
    assert "shop/1" in page
    assert 'src="http' not in page


@pytest.mark.slow
def test_a_shift_is_retrained_for_once_and_only_when_asked(home, weeks_pass, inside):
    weeks_pass(shift=25)
    asked = ("monitor", "--model", "shop@champion", "--json")
    ran = inside(*asked)
    assert ran.returncode == 0, ran.stderr
    printed = json.loads(ran.stdout.splitlines()[-1])
    assert (printed["decision"], printed["acted"]) == ("retrain", False)
    assert "data drift in 4 of 4 series" in printed["reason"]
    assert "decision retrain shop/1" in ran.stderr
    acted = inside(*asked, "--retrain", "auto")
    printed = json.loads(acted.stdout.splitlines()[-1])
    assert printed["acted"]
    assert printed["outcome"].startswith("shop/2 ")
    assert acted.returncode == (0 if printed["published"] else 4)
    again = inside(*asked, "--retrain", "auto")
    if printed["published"]:  # a new champion, which has not forecast yet
        assert json.loads(again.stdout.splitlines()[-1])["decision"] == "keep"
    else:
        assert "before, on the same evidence" in again.stderr
    assert not store.open_store().search_model_versions("name = 'shop' and version_number = 3")


def narrowed(version: ModelVersion) -> ModelVersion:
    """Publish a version whose intervals are much too narrow."""
    fitted = bundle.load(registry.fetch(version))
    narrow = fitted.final.calibration._replace(offsets=fitted.final.calibration.offsets / 3)
    states = {
        name: getattr(fitted, name)._replace(calibration=narrow) for name in ("evaluated", "final")
    }
    made = Recalibrated(replace(fitted, **states), True, 0, 0, 0, 0)
    about = About(version.name, fitted.experiment.dataset, "none", "none")
    run_id = check_runs.save_recalibrated(about, str(version), "2024", made)
    fresh = registry.register(run_id, version.name)
    registry.promote(fresh, expected=version)
    return fresh


def test_intervals_that_are_not_better_are_not_logged(home):
    version = registry.resolve("shop")
    fitted = bundle.load(registry.fetch(version))
    about = About(version.name, fitted.experiment.dataset, "none", "none")
    worse = Recalibrated(fitted, False, 0.8, 0.8, 1.0, 1.0)
    assert check_runs.save_recalibrated(about, str(version), "2024", worse) is None


class KilledError(Exception):
    """Stands for a killed process."""


@pytest.mark.slow
def test_intervals_that_are_too_narrow_are_fitted_again_and_published(
    home, weeks_pass, monkeypatch
):
    version = narrowed(registry.resolve("shop"))
    fitted = bundle.load(registry.fetch(version))
    weeks_pass()

    promote = registry.promote

    def promote_then_die(*versions: ModelVersion, **named: ModelVersion) -> None:
        promote(*versions, **named)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(registry, "promote", promote_then_die)
        with pytest.raises(KilledError):
            monitor("shop", retrain="auto")
    monitored = monitor("shop", retrain="auto")
    assert monitored.decided.action == "recalibrate", monitored.decided.reason
    assert monitored.decided.published, monitored.decided.outcome
    champion = registry.champion("shop")
    assert (champion.version, registry.previous("shop")) == (version.version + 1, version)
    fresh = bundle.load(registry.fetch(champion))
    for one, other in zip(fitted.final.members, fresh.final.members, strict=True):
        for weights, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(weights, same)
    wider, before = (each.final.calibration.offsets for each in (fresh, fitted))
    assert (wider[:, -1] > before[:, -1]).all()
    remembered = decisions.read(home / "data/forecasts/shop" / FOLDER)
    assert [each.acted for each in remembered] == [True]
    assert store.get_run(monitored.run_id).data.tags["outcome"] == monitored.decided.outcome


def test_the_history_of_a_dataset_names_what_was_trained_on_each_version(home, inside):
    sales(TRAINED + 7).to_csv("shop.csv", index=False)
    assert inside("ingest", "--data", "shop.csv").returncode == 0
    ran = inside("history", "shop", "--json")
    assert ran.returncode == 0, ran.stderr
    versions = json.loads(ran.stdout.splitlines()[-1])["versions"]
    assert [each["changes"] for each in versions] == ["first version", "28 steps appended"]
    assert [len(each["trained"]) for each in versions] == [1, 0]
    assert inside("history", "nosuch").returncode == 2


@pytest.mark.slow
def test_through_half_a_year_of_weeks_only_the_shift_leads_to_a_retraining(home):
    weeks, acted = 26, {}
    for week in range(weeks + 1):
        sales(TRAINED + 7 * week, shift=25, weeks=weeks).to_csv("shop.csv", index=False)
        decided = monitor("shop@champion", retrain="auto").decided
        if decided.action != "keep":
            acted[week] = decided.action
        forecast("shop@champion", None, Path(f"data/forecasts/shop/week{week:02}"))
    assert acted[weeks - 1] == "retrain", acted  # the first week on the new level has just come
    assert min(acted) == weeks - 1
    outcomes = [each.outcome for each in decisions.read(home / "data/forecasts/shop" / FOLDER)]
    assert any(outcome.startswith("shop/2 ") for outcome in outcomes)
