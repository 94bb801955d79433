"""A run holds its parameters, curves, scores and files, and how it ended."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from findings import make_findings
from mlflow.artifacts import download_artifacts

from foreseq.errors import ConfigError
from foreseq.evaluation import backtest, comparison
from foreseq.evaluation.decision import Decision
from foreseq.forecasting import bundle
from foreseq.ingest.repairs import Repairs
from foreseq.report import leaderboard
from foreseq.report.figures import errors
from foreseq.report.html import number
from foreseq.tracking import forecaster, registry, store
from foreseq.tracking import run as runs
from foreseq.tracking.run import CACHE_KEY, PROCESS
from foreseq.training.fitting import Progress
from foreseq.training.loop import CurvePoint


def read(run_id, file):
    path = download_artifacts(run_id=run_id, artifact_path=file, tracking_uri=store.address())
    return json.loads(Path(path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def done(example):
    """Return a run with everything logged."""
    with forecaster.begin(example.experiment, example.panel) as run:
        forecaster.log_progress(
            run, "fit", Progress(0, 2, 40, CurvePoint(20, 0.5, 0.9), ended=False)
        )
        forecaster.log_progress(
            run, "fit", Progress(0, 2, 40, CurvePoint(40, 0.4, 0.8), ended=True)
        )
        forecaster.log_progress(
            run, "fit", Progress(1, 2, 40, CurvePoint(20, 0.6, float("nan")), ended=False)
        )
        forecaster.log_progress(
            run, "refit", Progress(0, 2, 40, CurvePoint(20, 0.3, float("nan")), ended=False)
        )
        forecaster.log_choices(
            run, example.choices, Repairs(rows=192, series=2, steps=192, first="", last="")
        )
        forecaster.log_bundle(run, bundle.load(example.folder))
        forecaster.log_backtest(run, example.backtest, example.panel)
        forecaster.log_comparison(
            run,
            comparison.compare(example.backtest, example.panel, example.experiment),
            example.panel,
        )
        run.log_figure(errors.curves_figure([20, 40], [0.5, 0.4], [0.9, 0.8]), "curves.png")
    return run


def test_a_run_is_named_by_model_cells_and_result_and_its_experiment_after_the_model(done, example):
    error = number(example.backtest.error("foreseq"))
    assert runs.find(done.id).name == f"waves gru-4x3 MASE {error}"
    assert done.model == "waves"


def test_the_list_of_runs_has_a_view_of_the_first_metrics_and_a_note_that_links_to_it(done):
    client = store.open_store()
    experiment = client.get_experiment_by_name("waves")
    saved = json.loads(experiment.tags["mlflow.sharedViewState.foreseq"])
    columns = json.loads(saved["state"])["selectedColumns"]
    assert columns[:4] == [
        "metrics.`test/mase`", "metrics.`test/skill`", "metrics.`test/crps`", "tags.`gate`",
    ]  # fmt: skip
    (link,) = re.findall(r"\]\((.*)\)", experiment.tags[store.NOTE])
    key = saved["name"]
    assert link.startswith(f"#/experiments/{experiment.experiment_id}/runs?")
    assert link.endswith(f"&viewStateShareKey={key}")


def test_a_finished_run_has_that_status(done):
    assert store.get_run(done.id).info.status == "FINISHED"


def test_tags_name_machine_process_data_and_cells(done):
    tags = store.get_run(done.id).data.tags
    assert tags["host"] == socket.gethostname()
    assert tags["pid"] == str(os.getpid())
    assert (tags["data"], tags["cells"], tags["horizon"]) == ("waves", "gru", "6")


def test_parameters_are_the_resolved_fields_under_the_names_of_the_config(done, example):
    params = store.get_run(done.id).data.params
    assert params["training.max_steps"] == str(example.experiment.training.max_steps)
    assert params["network.cells.units"] == "4 3"
    assert params["network.quantiles"] == "0.1 0.5 0.9"
    assert not {"name", "dataset.name", "gate.margin", "dataset.columns.y"} & params.keys()


def test_parameters_are_few_and_those_that_runs_are_compared_by_are_always_there(done):
    params = store.get_run(done.id).data.params
    assert len(params) <= 30
    assert set(forecaster.ALWAYS_PARAMETERS) <= params.keys()
    assert "network.cells.residual" not in params  # as it is by default


def test_secrets_of_a_source_stay_out_of_the_store(done, home):
    run = store.get_run(done.id)
    assert run.data.params["dataset.source"] == "s3://bucket/w.csv"
    assert b"hunter2" not in (home / "mlruns" / "mlflow.db").read_bytes()


def test_curves_have_a_point_for_each_validation_and_none_for_nan(done):
    client = store.open_store()

    def curve(name):
        return [(point.step, point.value) for point in client.get_metric_history(done.id, name)]

    assert curve("training/loss") == [(20, 0.5), (40, 0.4)]
    assert curve("training/validation") == [(20, 0.9), (40, 0.8)]
    assert curve("training/member2/loss") == [(20, 0.6)]
    assert curve("training/member2/validation") == []
    assert curve("training/refit/loss") == [(20, 0.3)]


def test_metrics_are_few_the_telling_ones_first(done):
    names = [name for name in store.get_run(done.id).data.metrics if "training/" not in name]
    assert names[:3] == list(forecaster.FIRST)
    assert len(names) < 40


def test_test_metrics_are_those_of_the_backtest_and_of_others_the_error(done, example):
    metrics = store.get_run(done.id).data.metrics
    scores = example.backtest.scores()
    for measure in ("mae", "rmse", "smape", "mase"):
        assert metrics[f"test/{measure}"] == getattr(scores["foreseq"], measure)
    for name in ("seasonal_naive", "naive", "drift"):
        assert metrics[f"versus/{name}/mase"] == pytest.approx(scores[name].mase)
    assert metrics["test/skill"] == example.backtest.skill()


def test_each_statistical_baseline_has_its_error_and_foreseq_its_skill_over_it(done, example):
    metrics = store.get_run(done.id).data.metrics
    for name in ("ets", "theta", "arima"):
        assert metrics[f"test/skill_over_{name}"] == pytest.approx(
            1 - metrics["versus/foreseq/mase"] / metrics[f"versus/{name}/mase"]
        )
    assert metrics["versus/windows"] == example.backtest.windows.count
    assert metrics["test/skill_over_seasonal_naive"] == metrics["test/skill"]


def test_the_model_bears_the_metrics_of_its_test(done):
    client = store.open_store()
    model = client.get_logged_model(store.get_run(done.id).data.tags[store.MODEL_TAG])
    run = store.get_run(done.id).data.metrics
    borne = {metric.key: metric.value for metric in model.metrics}
    assert borne["test/mase"] == run["test/mase"]
    assert borne["versus/ets/mase"] == run["versus/ets/mase"]
    assert "training/loss" not in borne


def test_error_by_horizon_is_stepped_by_steps_ahead(done, example):
    points = store.open_store().get_metric_history(done.id, "test/mase_by_horizon")
    ahead = example.backtest.by_horizon()[backtest.FORESEQ].mase
    assert [point.step for point in points] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal([point.value for point in points], ahead)


def test_files_lie_at_the_root_of_the_run_in_the_folder_of_the_store(done, home):
    names = {file.path for file in store.open_store().list_artifacts(done.id)}
    assert names == {
        "choices.json", "repairs.json", "per_series.json", "curves.png",
        "statistical_baselines.json",
    }  # fmt: skip
    assert (home / "mlruns" / "artifacts" / "waves" / done.id / "artifacts").is_dir()


def test_table_has_a_row_per_series(done):
    table = read(done.id, "per_series.json")
    ids = [row[table["columns"].index("unique_id")] for row in table["data"]]
    assert sorted(ids) == ["a", "b"]


def test_choices_are_logged_with_their_reasons(done, example):
    logged = read(done.id, "choices.json")
    assert [choice["field"] for choice in logged] == [choice.field for choice in example.choices]
    assert all(choice["reason"] for choice in logged)


def test_dataset_is_identified_by_the_beginning_of_its_fingerprint(done, example):
    (dataset,) = store.get_run(done.id).inputs.dataset_inputs
    assert dataset.dataset.name == "waves"
    assert dataset.dataset.digest == example.panel.fingerprint()[:12]
    assert runs.find(done.id).name in runs.trained_on(example.panel.fingerprint())
    assert runs.trained_on("another") == []


def test_decision_can_be_added_when_the_run_is_done_and_describes_it_first(done):
    version = registry.register(done.id, "decided")
    runs.find(done.id).log_note("All that is known.")
    scores = {"challenger": 0.9, "seasonal_naive": float("nan")}
    for reason in ("not yet", "not better"):  # of which the last one counts
        decision = Decision(False, reason, scores)
        forecaster.log_decision(runs.find(done.id), decision, version)
    logged = read(done.id, "decision.json")
    assert (logged["verdict"], logged["reason"]) == ("rejected", "not better")
    assert logged["scores"] == {"challenger": 0.9, "seasonal_naive": None}
    run = store.get_run(done.id)
    assert run.data.tags["gate"] == "rejected"
    assert run.data.tags[store.NOTE] == "**rejected**: not better\n\nAll that is known."
    assert run.info.status == "FINISHED"
    described = store.open_store().get_model_version("decided", "1").description
    assert described.startswith(run.data.tags[store.NOTE])
    assert 'load_model("models:/decided/1")' in described


def test_a_note_tells_in_markdown_how_good_a_run_is_and_what_it_reads():
    found = make_findings()
    note = forecaster.note(found, leaderboard.rank(found.backtest, found.comparison, 6, 12.3))
    assert note.startswith("On the test windows the error is")
    assert "| **foreseq** |&emsp;0.2 |" in note
    assert "`unique_id, ds, y`" in note


def test_error_ends_the_run_as_failed_and_is_logged(example):
    with pytest.raises(ConfigError), forecaster.begin(example.experiment, example.panel) as run:
        raise ConfigError("units must be positive")
    ended = store.get_run(run.id)
    assert ended.info.status == "FAILED"
    assert ended.data.tags["error"] == "ConfigError: units must be positive"


def test_ctrl_c_ends_the_run_as_killed(example):
    with (
        pytest.raises(KeyboardInterrupt),
        forecaster.begin(example.experiment, example.panel) as run,
    ):
        raise KeyboardInterrupt
    assert store.get_run(run.id).info.status == "KILLED"


def test_next_run_closes_those_whose_process_is_gone_and_no_others(example):
    client = store.open_store()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = {"host": socket.gethostname(), "pid": str(os.getpid()), "process": PROCESS}
    tags = {
        "gone": {**here, "pid": str(gone.pid), "process": "older"},
        "same number, older process": {**here, "process": "older"},
        "other machine": {**here, "host": "elsewhere", "pid": str(gone.pid)},
        "still running": here,
        "parent": {**here, "pid": str(os.getppid()), "process": "other"},
    }
    started = {name: client.create_run("0", tags=own).info.run_id for name, own in tags.items()}
    with forecaster.begin(example.experiment, example.panel):
        pass
    closed = {
        name for name, run_id in started.items() if client.get_run(run_id).info.status == "KILLED"
    }
    assert closed == {"gone", "same number, older process"}


def finished(model, key):
    return runs.finished(model, {CACHE_KEY: key}, with_bundle=True)


def test_a_cached_training_is_one_that_finished_with_a_forecaster(example):
    assert finished("waves", "key1") is None
    with forecaster.begin(example.experiment, example.panel, cache_key="key1"):
        pass  # no forecaster
    with forecaster.begin(example.experiment, example.panel, cache_key="key1") as run:
        forecaster.log_bundle(run, bundle.load(example.folder))
        assert finished("waves", "key1") is None
    assert finished("waves", "key1") == run.id
    assert finished("waves", "key2") is None
    assert finished("other", "key1") is None
    assert registry.holds(run.id)
    manifest = registry.fetch(registry.register(run.id, "held")) / bundle.MANIFEST
    manifest.write_text("{}")
    assert not registry.holds(run.id)


def test_unknown_run_is_refused():
    with pytest.raises(ConfigError, match="no such run"):
        runs.find("0" * 32)
    with pytest.raises(ConfigError, match="no run yet"):
        store.compare_link("unheard-of")


def test_links_open_the_pages_for_forecasters(done):
    page = r"http://127\.0\.0\.1:5000/#/experiments/\d+/runs"
    kind = r"\?workflowType=machine_learning"
    assert re.fullmatch(f"{page}/{done.id}{kind}", store.ui_link(done.id))
    chart = f"{page}{kind}&compareRunsMode=CHART"
    assert re.fullmatch(chart, store.compare_link("waves"))
