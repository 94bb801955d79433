"""A command that is told to stop ends at once, says so in its run, and leaves no process."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from foreseq.durable.files import is_alive
from foreseq.series import examples

FORESEQ = Path(sys.executable).with_name("foreseq")
ENDLESS = ("auto.time_budget=0", "training.max_steps=1000000", "training.patience=1000000",
           "network.cells.units=[8]")  # fmt: skip


def status(client: MlflowClient) -> str:
    """Return the status of the only run; empty: there is none yet."""
    try:
        experiments = [one.experiment_id for one in client.search_experiments()]
        runs = client.search_runs(experiments)
    except MlflowException:  # the store is being made
        return ""
    return runs[0].info.status if runs else ""


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_training_that_is_stopped_is_killed_in_mlflow_and_leaves_no_process(
    tmp_path, running, wait_for, monkeypatch, sent
):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    examples.write(tmp_path / "shop.csv", series=4, freq="D", length=120, seed=1)
    sets = [word for field in ENDLESS for word in ("--set", field)]
    words = (FORESEQ, "run", "--data", "shop.csv", "--horizon", "7", *sets)
    store = tmp_path / "mlruns" / "mlflow.db"
    with running(*words, cwd=tmp_path) as process:
        wait_for(store.exists, "the store is there")
        client = MlflowClient(f"sqlite:///{store}")
        wait_for(lambda: status(client) == "RUNNING", "the training is tracked")
        children = pids_below(process.pid)
        assert children
        process.send_signal(sent)
        assert process.wait(timeout=60) in (130, 143, -sent)
        wait_for(lambda: not any(map(is_alive, children)), "its processes end", patience=60)
    assert status(client) == "KILLED"


def pids_below(parent: int) -> list[int]:
    listed = subprocess.run(  # noqa: S603 our own words
        ["/usr/bin/env", "ps", "-o", "pid=", "--ppid", str(parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(pid) for pid in listed.stdout.split()]
