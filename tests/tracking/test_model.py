"""Plain MLflow can forecast."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import pytest

from foreseq.errors import BundleRefused
from foreseq.forecasting import bundle, ensemble
from foreseq.forecasting.ensemble import Ensemble
from foreseq.series.panel import to_frame
from foreseq.tracking import forecaster, registry

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
