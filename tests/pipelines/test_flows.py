"""Prefect's pages say what ran, for which model, and why it failed."""

from datetime import UTC, datetime

import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, LogFilter

from foreseq.config import DatasetConfig
from foreseq.errors import DataRefused
from foreseq.pipelines.flows.ingest import ingest
from foreseq.pipelines.runtime import flows
from foreseq.pipelines.runtime.schedules import ScheduleConfig


@pytest.mark.parametrize(
    ("when", "name"),
    [
        ({"cron": "0 3 * * *", "timezone": "Asia/Tokyo"}, "my nightly 2026-11-28"),
        ({"every": "1h"}, "my nightly 2026-11-27 18:00"),
    ],
)
def test_a_run_of_a_schedule_is_named_by_model_schedule_and_date(tmp_path, when, name):
    config = tmp_path / "my.yaml"
    config.write_text("dataset: {name: my, source: my.csv, horizon: 7}\n", encoding="utf-8")
    schedule = ScheduleConfig(name="nightly", config=config, **when)
    late = datetime(2026, 11, 27, 18, 40, tzinfo=UTC)
    assert flows.interval_name(schedule, late) == name


def test_a_refused_run_is_named_and_tagged_and_says_why_in_its_state_and_log(place, wait_for):
    (place / "torn.csv").write_text("unique_id,ds,y\na,2024-01-01,1\na,rubbish,2\n")
    with pytest.raises(DataRefused, match="rubbish") as refused:
        ingest(DatasetConfig(name="torn", source="torn.csv", horizon=1))
    with get_client(sync_client=True) as client:
        runs = FlowRunFilter(tags={"all_": ["torn"]})
        (failed,) = client.read_flow_runs(flow_run_filter=runs)
        assert failed.name.startswith("torn 20")
        assert failed.state.is_failed()
        assert failed.state.message == str(refused.value)
        of_run = LogFilter(flow_run_id={"any_": [failed.id]})

        def logged() -> list[str]:
            return [line.message for line in client.read_logs(of_run)]

        wait_for(lambda: str(refused.value) in logged(), "the refusal is logged", patience=20)
