"""What `pipelines/README.md` tells people to type works, in a folder of its own."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from foreseq.forecasting import writer
from foreseq.series import examples

FORESEQ = Path(sys.executable).with_name("foreseq")
MY = """
dataset: {name: my, source: my.csv, horizon: 14}
auto: {time_budget: 0}
training: {max_steps: 40, validations: 4}
network: {cells: {units: [8]}}
statistical_baselines: {windows: 1}
gate: {min_skill: -9, confidence: 0.5}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def type_in(api, tmp_path_factory):
    """Return what types lines in a folder with data and the config that the pages are about."""
    place = tmp_path_factory.mktemp("pages")
    examples.write(place / "my.csv", series=20, freq="D", length=400, seed=1)
    (place / "configs" / "forecasters").mkdir(parents=True)
    (place / "configs" / "schedules").mkdir()
    (place / "configs" / "forecasters" / "my.yaml").write_text(MY, encoding="utf-8")

    def type_in(block: str) -> Path:
        for name, *words in map(shlex.split, block.splitlines()):
            assert name == "foreseq"
            ran = subprocess.run(  # noqa: S603 our own command
                [FORESEQ, *words],
                cwd=place,
                env=os.environ | {"PREFECT_API_URL": api},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, f"{words}\n{ran.stderr}"
        return place

    return type_in


@pytest.fixture(scope="module")
def scheduled(type_in, blocks):
    (schedule,), (backfill,) = blocks("Schedule it", "yaml"), blocks("Schedule it", "sh")
    file = type_in("") / "configs" / "schedules" / "my.yaml"
    file.write_text(schedule, encoding="utf-8")
    return type_in(backfill)


def test_a_backfill_brings_each_interval_with_what_was_known_then(scheduled):
    found = sorted((scheduled / "data" / "forecasts" / "my").iterdir())
    days = [28, 29, 30]  # Berlin's three o'clock is two in UTC
    assert [folder.name for folder in found] == [f"2001-01-{day}T02-00-00" for day in days]
    cutoffs = [writer.read(folder)["cutoff"].max().day for folder in found]
    assert cutoffs == [27, 28, 29]  # what is stamped with today's midnight is not known yet


def test_the_lines_that_read_mlflow_find_what_they_name(scheduled, blocks, monkeypatch):
    import pandas as pd  # noqa: PLC0415

    (lines,) = blocks("Read it in MLflow", "python")
    monkeypatch.chdir(scheduled)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{scheduled}/mlruns/mlflow.db")
    found = {"frame": pd.read_csv("my.csv", parse_dates=["ds"])}
    exec(lines, found)  # noqa: S102 our own page
    assert [point.step for point in found["errors"]] == list(range(1, 15))
    assert len(found["forecasts"]) == 20 * 14


def test_batch_jobs_end_with_the_same_parts_by_processes_and_on_dask(scheduled, type_in, blocks):
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    (block,) = blocks("Batch jobs", "sh")
    *local, on_dask = block.splitlines()
    type_in("\n".join(local))
    alone = (scheduled / "tonight").rename(scheduled / "alone")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        type_in(on_dask.replace("tcp://scheduler:8786", cluster.scheduler_address))
    manifest = writer.read_manifest(scheduled / "tonight")
    assert manifest == writer.read_manifest(alone)
    assert (manifest.series, manifest.failures) == (5000, {})
    assert (alone / "_SUCCESS").exists()
