"""When which interval is due: by hand, and as laws."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pendulum
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from foreseq.errors import ConfigError
from foreseq.pipelines.runtime import schedules
from foreseq.pipelines.runtime.schedules import ScheduleConfig, parse_time

PROJECT = Path(__file__).parents[2]
TIMES = [
    {"every": "5m"},
    {"every": "7d"},
    {"cron": "0 3 * * *", "timezone": "Europe/Berlin"},
    {"cron": "*/20 9-17 * * 1-5", "timezone": "America/New_York"},
]


def schedule(**fields) -> ScheduleConfig:
    return ScheduleConfig(**{"name": "nightly", "config": "shop.yaml"} | fields)


def times(start: int = 2024, end: int = 2027) -> st.SearchStrategy[datetime]:
    return st.datetimes(
        datetime(start, 1, 1),
        datetime(end, 1, 1),
        timezones=st.just(UTC),
    )


@pytest.mark.parametrize("fields", TIMES, ids=str)
@settings(max_examples=30)
@given(when=times())
def test_a_run_however_late_belongs_to_the_newest_interval_before_it(fields, when):
    scheduled = schedule(**fields)
    due = scheduled.due(when)
    assert due <= when
    assert scheduled.due(due) == due
    assert list(scheduled.between(due, when)) == [due]


@pytest.mark.parametrize("fields", TIMES, ids=str)
@settings(max_examples=10)
@given(first=times(), days=st.integers(0, 20))
def test_intervals_of_two_spans_are_those_of_both_together(fields, first, days):
    scheduled = schedule(**fields)
    between, last = first + timedelta(days=days), first + timedelta(days=2 * days)
    one = list(scheduled.between(first, between))
    other = list(scheduled.between(between + timedelta(microseconds=1), last))
    assert one + other == list(scheduled.between(first, last))


def test_times_of_prefects_own_class_are_understood():
    when = pendulum.datetime(2026, 1, 1, 3, 59)
    assert schedule(every="1h").due(when) == datetime(2026, 1, 1, 3, tzinfo=UTC)


def test_three_in_the_morning_is_local_time():
    nightly = schedule(cron="0 3 * * *", timezone="Europe/Berlin")
    due_dates = nightly.between(
        datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)
    )
    assert [f"{due:%d %H:%M}" for due in due_dates] == ["28 02:00", "29 01:00", "30 01:00"]


def test_an_hour_that_clocks_have_twice_is_due_once():
    nightly = schedule(cron="30 2 * * *", timezone="Europe/Berlin")
    due_dates = nightly.between(
        datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 27, tzinfo=UTC)
    )
    assert [due.day for due in due_dates] == [24, 25, 26]


def test_a_date_alone_means_all_of_its_day_and_a_time_means_itself():
    hourly = schedule(every="1h")
    assert (
        len(list(hourly.between(parse_time("2026-01-30"), parse_time("2026-01-31", end=True))))
        == 48
    )
    assert parse_time("2026-01-31T03:00+01:00", end=True) == datetime(2026, 1, 31, 2, tzinfo=UTC)
    with pytest.raises(ConfigError, match="yesterday"):
        parse_time("yesterday")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("every: 5m\ncron: '0 3 * * *'", "one of the two"),
        ("timezone: UTC", "one of the two"),
        ("every: soon", "every"),
        ("every: 0s", "longer than 0s"),
        ("cron: 0 25 * * *", "cron"),
        ("every: 5m\ntimezone: Europe/Atlantis", "no time zone"),
        ("every: 5m\nflow: destroy", "flow"),
        ("every: 5m\nretrain: auto", "flow: monitor"),
        ("every: 5m\nnosuch: 1", "nosuch"),
    ],
)
def test_an_invalid_schedule_is_refused(tmp_path, text, word):
    file = tmp_path / "often.yaml"
    file.write_text(f"config: shop.yaml\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=word):
        schedules.load(file)


def test_a_schedule_is_named_after_its_file_and_finds_its_config_beside_it(tmp_path):
    file = tmp_path / "often.yaml"
    file.write_text("config: ../shop.yaml\nevery: 90s\n", encoding="utf-8")
    config = schedules.load(file)
    assert (config.name, config.every) == ("often", timedelta(seconds=90))
    assert config.config == tmp_path.parent / "shop.yaml"


@pytest.mark.parametrize("file", schedules.find(PROJECT / "configs" / "schedules"), ids=str)
def test_every_schedule_of_the_project_can_be_carried_out(file):
    assert schedules.load(file).experiment().model


def test_prefect_yaml_has_the_schedules_of_foreseq_serve():
    deployments = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))
    known = {one["parameters"]["schedule"]: one for one in deployments["deployments"]}
    due_dates = schedules.find(PROJECT / "configs" / "schedules")
    assert {PROJECT / place for place in known} == set(due_dates)
    for place, deployment in known.items():
        schedule = schedules.load(PROJECT / place)
        when = {"cron": schedule.cron, "timezone": schedule.timezone}
        assert (deployment["name"], deployment["schedules"]) == (schedule.name, [when])


def test_a_folder_without_schedules_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no schedule"):
        schedules.find(tmp_path)
