"""Plain MLflow can forecast."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import mlflow.models
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

from foreseq.errors import BundleRefused
from foreseq.forecasting import bundle, ensemble
from foreseq.forecasting.ensemble import Ensemble
from foreseq.pipelines.runtime import server
from foreseq.series.panel import to_frame
from foreseq.tracking import forecaster, registry, store

MLFLOW = Path(sys.executable).with_name("mlflow")

PREDICT = """
import sys, mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/waves@champion")
model.predict(pd.read_csv("history.csv")).to_parquet("forecast.parquet")
"""


CANARY = "import pathlib; pathlib.Path({!r}).touch()\n"


@pytest.mark.parametrize("part", ["final.npz", "config.json", "manifest.json"])
def test_plain_mlflow_refuses_a_bundle_with_an_altered_byte(example, tmp_path, part):
    with forecaster.begin(example.experiment, example.panel) as run:
        forecaster.log_bundle(run, bundle.load(example.folder))
    stored = registry.fetch_of_run(run.id)
    model = Path(shutil.copytree(stored.parents[1], tmp_path / "model"))
    file = model / "artifacts" / stored.name / part
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleRefused):
        mlflow.pyfunc.load_model(str(model))


def test_foreseq_runs_no_code_of_a_stored_model(example, tmp_path):
    with forecaster.begin(example.experiment, example.panel) as run:
        forecaster.log_bundle(run, bundle.load(example.folder))
    model, canary = registry.fetch_of_run(run.id).parents[1], tmp_path / "canary"
    (model / "pyfunc.py").write_text(CANARY.format(str(canary)))
    (model / "evil.py").write_text(CANARY.format(str(canary)))
    description = (model / "MLmodel").read_text()
    (model / "MLmodel").write_text(description.replace("mlflow.pyfunc.loaders.code_model", "evil"))
    bundle.load(registry.fetch_of_run(run.id))
    assert not canary.exists()


def test_plain_mlflow_forecasts_a_plain_csv_in_a_fresh_process_without_pickle(
    home, example, tmp_path
):
    with forecaster.begin(example.experiment, example.panel) as run:
        forecaster.log_bundle(run, bundle.load(example.folder))
    registry.promote(registry.register(run.id, "waves"), expected=None)

    history = to_frame(example.panel)
    history["y"] = history["y"].round().astype(int)  # as in files of counts; times are text there
    history.to_csv(tmp_path / "history.csv", index=False)
    uri = f"sqlite:///{(home / 'mlruns' / 'mlflow.db').as_posix()}"
    subprocess.run(  # noqa: S603 -- our own interpreter and words
        [sys.executable, "-c", PREDICT, uri],
        cwd=tmp_path,
        env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        check=True,
        timeout=300,
    )

    ours = Ensemble(example.experiment, bundle.load(example.folder).final)
    expected = ensemble.from_table(ours, history, version=bundle.digest(example.folder)[:12])
    forecast = pd.read_parquet(tmp_path / "forecast.parquet")
    pd.testing.assert_frame_equal(forecast, expected, check_exact=True, check_dtype=False)


def test_a_model_has_an_example_of_what_it_reads(example):
    with forecaster.begin(example.experiment, example.panel) as run:
        forecaster.log_bundle(run, bundle.load(example.folder), example.panel)
    model = mlflow.models.Model.load(str(registry.fetch_of_run(run.id).parents[1]))
    rows = model.load_input_example(str(registry.fetch_of_run(run.id).parents[1]))
    assert rows["unique_id"].unique().tolist() == ["a"]
    assert len(rows) == example.experiment.network.context
    assert [column.name for column in model.signature.inputs] == rows.columns.tolist()


@pytest.mark.slow
def test_mlflow_serves_and_predicts_what_foreseq_forecasts(home, example, tmp_path, free_port):
    with forecaster.begin(example.experiment, example.panel) as run:
        forecaster.log_bundle(run, bundle.load(example.folder), example.panel)
    version = registry.register(run.id, "served")
    registry.promote(version, expected=None)
    history = to_frame(example.panel).assign(ds=lambda table: table["ds"].astype(str))
    asked = json.dumps(
        {"dataframe_split": json.loads(history.to_json(orient="split", index=False))}
    )
    ours = Ensemble(example.experiment, bundle.load(example.folder).final)
    expected = ensemble.from_table(ours, history, version=version.digest[:12])

    def check(answer: str) -> None:
        got = pd.DataFrame(json.loads(answer)["predictions"])
        assert got["unique_id"].tolist() == expected["unique_id"].tolist()
        assert pd.to_datetime(got["ds"]).tolist() == expected["ds"].tolist()
        np.testing.assert_allclose(got["y_hat"], expected["y_hat"])

    (tmp_path / "asked.json").write_text(asked)
    words = ("-m", "models:/served@champion", "--env-manager", "local")
    settings = {**os.environ, "MLFLOW_TRACKING_URI": store.address()}
    predicted = [MLFLOW, "models", "predict", *words, "-i", "asked.json", "-o", "answer.json"]
    subprocess.run(predicted, cwd=tmp_path, env=settings, check=True, timeout=300)  # noqa: S603
    check((tmp_path / "answer.json").read_text())

    address = f"http://127.0.0.1:{(port := free_port())}"
    served = subprocess.Popen(  # noqa: S603 our own words
        [MLFLOW, "models", "serve", *words, "--port", str(port)],
        cwd=tmp_path,
        env=settings,
        start_new_session=True,
    )
    try:
        server.wait(address, served)
        request = Request(  # noqa: S310 our own server
            f"{address}/invocations", asked.encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=60) as answer:  # noqa: S310 our own server
            check(answer.read().decode())
    finally:
        os.killpg(served.pid, signal.SIGKILL)
        served.wait(timeout=30)
