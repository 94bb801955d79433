"""Schedules of flows, as in `configs/schedules/`, and their logical dates.

A logical date is when a run was due. It names the run's interval and limits the data that it uses,
whenever it really takes place.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator, field_validator, model_validator

from foreseq.config import (
    Config,
    ExperimentConfig,
    Retrain,
    Source,
    build,
    fields,
    load_experiment,
    read_yaml,
)
from foreseq.errors import ConfigError
from foreseq.forecasting.output import By, Output, parse

ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)
"""Where intervals are counted from, so that a restart does not shift them."""
DATE = len("2026-01-31")


def _duration(value: object) -> object:
    """Return a duration from text such as 10m; anything else unchanged."""
    seconds = fields.seconds(value) if isinstance(value, str) else None
    return value if seconds is None else timedelta(seconds=seconds)


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class ScheduleConfig(Config):
    """A flow, a config and when to run it."""

    name: str
    """Of the deployment and the folder of its records; in YAML the file's name."""
    flow: Literal["run", "forecast", "monitor"] = "run"
    """`run`: train, publish, forecast. `forecast`: forecast with the champion. `monitor`: check
    past forecasts."""
    retrain: Retrain = "never"
    """Whether `monitor` acts on its decision."""
    config: Path
    """YAML of the forecaster; in YAML relative to this file."""
    cron: str | None = None
    """Five fields."""
    every: Duration | None = None
    """Interval, instead of cron: 90s, 10m, 1h, 1d."""
    timezone: str = "UTC"
    """Of cron."""
    lag: Duration = timedelta(0)
    """Delay until an observation is known; for a day's total stamped with its midnight 1d."""
    output: Source = ""
    """CSV or Excel file, or database, to which each forecast is exported; its folder is kept."""
    table: str = "forecasts"
    """Of the database."""
    by: By = ""
    """How the folder of a forecast is divided: by `unique_id` or `hash`."""

    @field_validator("timezone")
    @classmethod
    def _is_there(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (OSError, KeyError, ValueError):
            raise ValueError("is no time zone such as Europe/Berlin") from None
        return timezone

    @model_validator(mode="after")
    def _retrain_on_evidence(self) -> Self:
        if self.retrain == "auto" and self.flow != "monitor":
            raise ValueError(f"retrain: auto is for flow: monitor, found flow: {self.flow}")
        return self

    @model_validator(mode="after")
    def _say_when_once(self) -> Self:
        if (self.cron is None) == (self.every is None):
            raise ValueError("give cron or every, one of the two")
        if self.every is not None and self.every <= timedelta(0):
            raise ValueError("every must be longer than 0s")
        if self.cron is not None:
            try:
                CronSim(self.cron, ANCHOR)
            except CronSimError as error:
                raise ValueError(f"cron: {error}") from None
        return self

    @model_validator(mode="after")
    def _output_is_no_folder(self) -> Self:
        if self.output and not self.destination().export:
            raise ValueError("output must be FILE.csv, FILE.xlsx or a database; a folder is kept")
        return self

    def destination(self) -> Output:
        """Return where its forecasts go, beside the folder."""
        return parse(self.output, table=self.table, by=self.by)

    def due(self, when: datetime) -> datetime:
        """Return the last logical date at or before a time, in UTC.

        Example:
            >>> hourly = ScheduleConfig(name="h", config="h.yaml", every="1h")
            >>> print(hourly.due(datetime(2026, 1, 1, 3, 59, tzinfo=UTC)))
            2026-01-01 03:00:00+00:00
        """
        when = datetime.fromtimestamp(
            when.timestamp(), UTC
        )  # Prefect's subclass divides differently
        if self.every is not None:
            return ANCHOR + (when - ANCHOR) // self.every * self.every
        after = when.astimezone(ZoneInfo(self.timezone)) + timedelta(seconds=1)
        return next(CronSim(str(self.cron), after, reverse=True)).astimezone(UTC)

    def between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Yield the logical dates from one time to another, both included, in UTC."""
        when = self.due(first)
        while when <= last:
            if when >= first:
                yield when
            when = self._next(when)

    def _next(self, when: datetime) -> datetime:
        if self.every is not None:
            return when + self.every
        return next(CronSim(str(self.cron), when.astimezone(ZoneInfo(self.timezone)))).astimezone(
            UTC
        )

    def experiment(self) -> ExperimentConfig:
        """Return the config of the forecaster."""
        return load_experiment(self.config)


def load(path: Path) -> ScheduleConfig:
    """Read a schedule.

    Raises:
        ConfigError: If it cannot be read or is invalid.
    """
    values = {"name": path.stem, **read_yaml(path)}
    if "config" in values:
        values["config"] = str((path.parent / str(values["config"])).resolve())
    return build(ScheduleConfig, values, origin=str(path))


def parse_time(text: str, *, end: bool = False) -> datetime:
    """Return a time from ISO text, in UTC unless it has a zone.

    Args:
        text: Such as 2026-01-31 or 2026-01-31T03:00.
        end: Whether a date alone means the end of its day.

    Raises:
        ConfigError: If it cannot be parsed.

    Example:
        >>> print(parse_time("2026-01-31T03:00"), parse_time("2026-01-31", end=True))
        2026-01-31 03:00:00+00:00 2026-01-31 23:59:59.999999+00:00
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text}: write a time as 2026-01-31 or 2026-01-31T03:00") from None
    when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    return when + timedelta(days=1, microseconds=-1) if end and len(text) <= DATE else when


def find(path: Path) -> list[Path]:
    """Return the schedule files in a folder, or the file itself.

    Raises:
        ConfigError: If there is none.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.yaml"))
    if not files:
        raise ConfigError(f"{path}: no schedule found; pipelines/README.md shows how to write one")
    return files
