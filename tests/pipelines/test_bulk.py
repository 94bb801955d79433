"""File by file, on threads, processes or a cluster: the same parts, byte for byte."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from prefect.task_runners import ThreadPoolTaskRunner

from foreseq.config import build_experiment, history_fields
from foreseq.errors import ConfigError
from foreseq.forecasting import writer
from foreseq.forecasting.output import Output
from foreseq.pipelines.flows.bulk import forecast_files, runner
from foreseq.pipelines.flows.forecast import forecast
from foreseq.pipelines.flows.run import run
from foreseq.series import examples

QUICK = (
    "auto.time_budget=0",
    "training.max_steps=20",
    "network.cells.units=[8]",
    "statistical_baselines.windows=0",
    "gate.min_skill=-9",
)


@pytest.fixture(scope="module")
def shops(api, tmp_path_factory) -> Iterator[dict]:
    """Publish a forecaster, and write more series in five files."""
    place = tmp_path_factory.mktemp("bulk")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("PREFECT_API_URL", api)
        examples.write(Path("shop.csv"), series=4, freq="D", length=120, seed=1)
        fields = {"dataset": {"name": "shop", "source": "shop.csv", "horizon": 7}}
        run(build_experiment(fields, ["gate.confidence=0.5", *QUICK]), None)
        patch.setattr(examples, "CELLS", 480)
        examples.write(Path("shops"), series=20, freq="D", length=120, seed=2)
        yield history_fields("shops")


def forecast_on(task_runner, shops, output):
    return forecast_files.with_options(task_runner=task_runner)(
        "shop/1", shops, Output(folder=output)
    )


@pytest.fixture(scope="module")
def alone(shops):
    return forecast_on(ThreadPoolTaskRunner(max_workers=1), shops, Path("alone"))


def test_file_by_file_is_the_same_as_all_at_once(shops, alone):
    assert (alone.series, len(alone.parts)) == (20, 5)
    forecast("shop/1", shops, Output(folder=Path("whole")))
    pd.testing.assert_frame_equal(writer.read(Path("alone")), writer.read(Path("whole")))


def test_forecasts_file_by_file_are_exported_as_well(shops, alone):
    flow = forecast_files.with_options(task_runner=ThreadPoolTaskRunner(max_workers=1))
    flow("shop/1", shops, Output(export="rows.csv"))
    found = pd.read_csv("rows.csv", parse_dates=["ds", "cutoff"], dtype={"unique_id": str})
    pd.testing.assert_frame_equal(found, writer.read(Path("alone")), check_dtype=False)


def test_the_same_job_again_touches_nothing(shops, alone):
    before = {file: file.stat().st_mtime_ns for file in Path("alone").iterdir()}
    assert forecast_on(ThreadPoolTaskRunner(max_workers=1), shops, Path("alone")) == alone
    assert {file: file.stat().st_mtime_ns for file in Path("alone").iterdir()} == before


@pytest.mark.slow
def test_processes_write_the_same_parts(shops, alone):
    assert forecast_on(runner(2, None), shops, Path("processes")) == alone


@pytest.mark.slow
def test_a_dask_cluster_writes_the_same_parts(shops, alone, cluster):
    with cluster(threads_per_worker=1) as local:
        manifest = forecast_on(runner(1, local.scheduler_address), shops, Path("cluster"))
    assert manifest == alone


def test_without_prefect_dask_a_cluster_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)
    with pytest.raises(ConfigError, match="uv sync --extra dask"):
        runner(1, "tcp://127.0.0.1:8786")
