"""One page over all models, forecasts and nightly runs: who is champion, how it does, alarms."""

import json
import os
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mlflow.exceptions import MlflowException

from foreseq import __version__
from foreseq.durable import files
from foreseq.errors import DataRefused
from foreseq.monitoring import decisions
from foreseq.monitoring.check import FOLDER, PAGE
from foreseq.monitoring.decisions import Decided
from foreseq.report.html import render
from foreseq.tracking import registry, store
from foreseq.tracking.registry import ModelVersion

INDEX = "index.html"
NIGHTS, FORECASTS = 10, 20
"""Intervals of each schedule, and folders of forecasts, that are shown: the newest."""
LATE = 2.5
"""A schedule is late after so many of its usual intervals."""


class Forecast(NamedTuple):
    """A folder of forecasts."""

    folder: Path
    model: str
    version: str
    written: datetime
    series: int
    failures: int
    """Series and input files without a forecast."""
    rejected: bool
    """Whether the gate rejected the forecaster."""


class Standing(NamedTuple):
    """How a model stands."""

    name: str
    champion: ModelVersion | None
    since: str
    metrics: dict[str, float]
    """Of the champion's training."""
    report: str
    """Link; empty: there is none."""
    forecast: Forecast | None
    """The newest."""
    decided: Decided | None
    """The newest decision of monitoring."""
    monitor: str
    """Link to its page; empty: there is none."""


def write(data: Path) -> Path:
    """Write the page into the folder of data, and return its path.

    Raises:
        ConfigError: If the store cannot be used.
    """
    with files.new_file(data / INDEX) as temporary:
        temporary.write_text(page(data, datetime.now(UTC)), encoding="utf-8")
    return data / INDEX


def page(data: Path, now: datetime) -> str:
    """Return the page as HTML; what is damaged is an alarm, not a failure.

    Args:
        data: Folder of forecasts and of records of schedules.
        now: In UTC.
    """
    seen = _look(data, now)
    return render(
        "index.html",
        release=__version__,
        now=f"{now:%Y-%m-%d %H:%M}",
        alarms=seen.alarms,
        standings=seen.standings,
        nights={name: rows[:NIGHTS] for name, rows in seen.nights.items()},
        forecasts=seen.forecasts[:FORECASTS],
        link=lambda folder: _link(folder, data),
    )


def alarms(data: Path, names: Collection[str]) -> list[tuple[str, str]]:
    """Return the alarms of the page about some models and schedules: name and reason."""
    parts = (alarm.partition(": ") for alarm in _look(data, datetime.now(UTC)).alarms)
    return [(name, reason) for name, _, reason in parts if name in names]


class _Seen(NamedTuple):
    alarms: list[str]
    standings: list[Standing]
    nights: dict[str, list[dict[str, Any]]]
    forecasts: list[Forecast]


def _look(data: Path, now: datetime) -> _Seen:
    alarms: list[str] = []
    forecasts = sorted(_forecasts(data, alarms), key=lambda one: one.written, reverse=True)
    standings = [_standing(name, data, forecasts, alarms) for name in registry.names()]
    nights = {folder.name: _nights(folder, alarms) for folder in _folders(data / "schedules")}
    alarms += [alarm for one in standings for alarm in _alarms(one)]
    alarms += [alarm for name, rows in nights.items() for alarm in _late(name, rows, now)]
    return _Seen(alarms, standings, nights, forecasts)


def _standing(name: str, data: Path, forecasts: list[Forecast], alarms: list[str]) -> Standing:
    champion = registry.champion(name)
    results = data / "forecasts" / name / FOLDER
    decided = None
    try:
        decided = next(reversed(decisions.read(results)), None)
    except DataRefused as error:
        alarms.append(f"{name}: {error}")
    return Standing(
        name,
        champion,
        registry.since(champion) if champion else "",
        store.get_run(champion.run_id).data.metrics if champion else {},
        _report(champion, data) if champion else "",
        next((one for one in forecasts if one.model == name), None),
        decided,
        _link(results / PAGE, data) if (results / PAGE).exists() else "",
    )


def _alarms(standing: Standing) -> Iterator[str]:
    name, newest, decided = standing.name, standing.forecast, standing.decided
    if standing.champion is None:
        yield f"{name}: no champion, as the gate has published no version"
    if newest and newest.rejected:
        yield f"{name}: the newest forecast is by {newest.version}, which the gate rejected"
    if newest and newest.failures:
        yield f"{name}: the newest forecast lacks {newest.failures:,} series or files"
    if decided and decided.action != "keep" and not decided.published:
        yield f"{name}: {decided.version} needs action ({decided.action}): {decided.reason}"


def _late(name: str, nights: list[dict[str, Any]], now: datetime) -> Iterator[str]:
    """Yield an alarm if a schedule has not run for longer than it usually does not."""
    times = [night["logical"] for night in nights]
    if len(times) > 1:
        usual = np.median([later - earlier for later, earlier in pairwise(times)])
        if now - times[0] > LATE * usual:
            yield f"{name}: nothing since the interval of {times[0]:%Y-%m-%d %H:%M}"


def _forecasts(data: Path, alarms: list[str]) -> Iterator[Forecast]:
    for file in (data / "forecasts").glob("*/*/_manifest.json"):
        try:
            found = json.loads(file.read_bytes())
            yield Forecast(
                folder=file.parent,
                model=found["model_version"].rpartition("/")[0],
                version=found["model_version"],
                written=datetime.fromtimestamp(file.stat().st_mtime, UTC),
                series=found["series"],
                failures=len(found["failures"]) + len(found.get("refused", ())),
                rejected=found.get("verdict") == "rejected",
            )
        except (OSError, ValueError, KeyError):
            alarms.append(f"{file.parent.name}: the manifest is damaged; forecast again")


def _nights(folder: Path, alarms: list[str]) -> list[dict[str, Any]]:
    """Return the records of a schedule, newest first."""
    nights = []
    for file in sorted(folder.glob("*.json"), reverse=True):
        try:
            night = json.loads(file.read_bytes())
            times = {name: datetime.fromisoformat(night[name]) for name in ("logical", "ended")}
            nights.append({**night, **times})
        except (OSError, ValueError, KeyError):
            alarms.append(f"{folder.name}: the record {file.name} is damaged; remove it")
    return nights


def _folders(root: Path) -> list[Path]:
    return sorted(one for one in root.glob("*") if one.is_dir())


def _report(champion: ModelVersion, data: Path) -> str:
    """Return a link to the report of a version: its file, or its page on a tracking server."""
    try:
        run = store.get_run(champion.run_id)
        folder = None if store.is_served() else store.local(run.info.artifact_uri)
        if folder is None:
            return store.report_link(champion.run_id)
        return _link(folder / store.REPORT, data) if (folder / store.REPORT).exists() else ""
    except MlflowException:
        return ""


def _link(file: Path, data: Path) -> str:
    """Return the relative link from the page to a file, so that both may be moved together."""
    return Path(os.path.relpath(file.absolute(), data.absolute())).as_posix()
