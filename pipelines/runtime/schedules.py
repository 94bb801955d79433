"""When which flow runs: read from `configs/schedules/`, and the logical dates that follow.

A logical date is when a run was due. It names the run's interval and decides what it may see,
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
    build,
    fields,
    load_experiment,
    read_yaml,
)
from foreseq.errors import ConfigError

ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)
"""Where intervals are counted from, so that a restart does not shift them."""
DATE = len("2026-01-31")


def _duration(told: object) -> object:
    """Return a duration that was written in words, and anything else as it is."""
    seconds = fields.seconds(told) if isinstance(told, str) else None
    return told if seconds is None else timedelta(seconds=seconds)


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class ScheduleConfig(Config):
    """One thing that happens again and again."""

    name: str
    """Names the deployment and the folder of its records; in YAML the file's own name."""
    flow: Literal["run", "forecast", "monitor"] = "run"
    """`run`: train, publish, forecast. `forecast`: forecast with what is published. `monitor`:
    judge what was forecast."""
    retrain: Retrain = "never"
    """Whether `monitor` does what the evidence asks for."""
    config: Path
    """YAML of the forecaster; in YAML relative to the schedule's file."""
    cron: str | None = None
    """Five fields of cron."""
    every: Duration | None = None
    """Or so often: 90s, 10m, 1h, 1d."""
    timezone: str = "UTC"
    """Where cron's hours are told."""
    lag: Duration = timedelta(0)
    """How long after its time an observation is known; a day's total stamped with midnight: 1d."""

    @field_validator("timezone")
    @classmethod
    def _is_there(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (OSError, KeyError, ValueError):
            raise ValueError("is no time zone, such as Europe/Berlin") from None
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
            raise ValueError("every must be longer than nothing")
        if self.cron is not None:
            try:
                CronSim(self.cron, ANCHOR)
            except CronSimError as error:
                raise ValueError(f"cron: {error}") from None
        return self

    def due(self, when: datetime) -> datetime:
        """Return the last logical date at or before a time, in UTC.

        Example:
            >>> hourly = ScheduleConfig(name="h", config="h.yaml", every="1h")
            >>> print(hourly.due(datetime(2026, 1, 1, 3, 59, tzinfo=UTC)))
            2026-01-01 03:00:00+00:00
        """
        when = datetime.fromtimestamp(when.timestamp(), UTC)  # Prefect's own kind divides otherwise
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
        """Return what is trained, forecast or judged."""
        return load_experiment(self.config)


def load(path: Path) -> ScheduleConfig:
    """Read a schedule.

    Raises:
        ConfigError: If it cannot be read or says something wrong.
    """
    told = {"name": path.stem, **read_yaml(path)}
    if "config" in told:
        told["config"] = str((path.parent / str(told["config"])).resolve())
    return build(ScheduleConfig, told, origin=str(path))


def moment(told: str, *, end: bool = False) -> datetime:
    """Return a time that a user wrote, in UTC unless it tells a zone.

    Args:
        told: Such as 2026-01-31 or 2026-01-31T03:00.
        end: Whether a date alone means the end of its day.

    Raises:
        ConfigError: If it is none.

    Example:
        >>> print(moment("2026-01-31T03:00"), moment("2026-01-31", end=True))
        2026-01-31 03:00:00+00:00 2026-01-31 23:59:59.999999+00:00
    """
    try:
        when = datetime.fromisoformat(told)
    except ValueError:
        raise ConfigError(f"{told}: write a time as 2026-01-31 or 2026-01-31T03:00") from None
    when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    return when + timedelta(days=1, microseconds=-1) if end and len(told) <= DATE else when


def find(place: Path) -> list[Path]:
    """Return the schedules in a folder, or the one a file tells.

    Raises:
        ConfigError: If there is none.
    """
    found = [place] if place.is_file() else sorted(place.glob("*.yaml"))
    if not found:
        raise ConfigError(f"{place}: no schedule there; write one, as pipelines/README.md shows")
    return found
