"""In a bucket: data that are read from there, and MLflow's files behind its server."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foreseq.config import build_experiment
from foreseq.forecasting import writer
from foreseq.forecasting.output import Output
from foreseq.pipelines.flows.forecast import forecast
from foreseq.pipelines.flows.run import run
from foreseq.pipelines.runtime import server
from foreseq.series import examples

HOW = (
    "needs `uv run --extra s3 --with 'moto[server]' pytest -m slow tests/pipelines/test_bucket.py`"
)
moto = pytest.importorskip("moto.server", reason=HOW)
s3fs = pytest.importorskip("s3fs", reason=HOW)

pytestmark = pytest.mark.slow
QUICK = ("auto.time_budget=0", "training.max_steps=20", "network.cells.units=[8]",
         "statistical_baselines.windows=0",
         "gate.min_skill=-9", "gate.confidence=0.5")  # fmt: skip


@pytest.fixture
def bucket(place, monkeypatch) -> Iterator[str]:
    """Name a bucket of an S3 endpoint on this machine, which the environment tells of."""
    endpoint = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    endpoint.start()
    host, port = endpoint.get_host_and_port()
    variables = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "MLFLOW_S3_ENDPOINT_URL": f"http://{host}:{port}",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("ours")
    yield "s3://ours"
    endpoint.stop()


@pytest.fixture
def tracked(bucket, place, free_port, running, monkeypatch) -> Iterator[None]:
    """Keep MLflow's files in the bucket, behind its server, whose clients know nothing of it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    words = ("--port", str(port), "--artifacts-destination", f"{bucket}/mlflow")
    mlflow = Path(sys.executable).with_name("mlflow")
    settings = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running(mlflow, "server", *words, cwd=place, env=settings) as process:
        server.wait(address, process)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        yield


def test_data_and_models_in_a_bucket_are_used_like_others(bucket, tracked, place):
    local = examples.write(place / "shop.csv", series=4, freq="D", length=120, seed=1)
    files = s3fs.S3FileSystem()
    files.put(str(local), f"{bucket}/data/shop.csv")
    dataset = {"name": "shop", "source": f"{bucket}/data/shop.csv", "horizon": 7}
    ran = run(build_experiment({"dataset": dataset}, QUICK), Output(folder=Path("out")))
    assert [file for file in files.find(f"{bucket}/mlflow") if file.endswith(".npz")]
    forecast("shop@champion", None, Output(folder=Path("again")))
    assert writer.read(Path("again")).equals(writer.read(ran.folder))
