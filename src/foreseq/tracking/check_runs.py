"""Runs that hold a look at past forecasts, and runs that hold recalibrated forecasters."""

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# isort: split -- the store settles what MLflow reads from the environment when it is imported
from foreseq.tracking import store

# isort: split
from matplotlib.figure import Figure
from mlflow.entities import Metric

from foreseq.config import DatasetConfig
from foreseq.forecasting import bundle
from foreseq.monitoring import Decided, Judgement
from foreseq.monitoring.recalibration import Recalibrated
from foreseq.tracking import facts, model, runs
from foreseq.tracking.begun import Beginning, begin

PAGE = "monitor.html"
LONGEST_TAG = 500
MONITOR, RECALIBRATION = "monitor", "recalibration"
KIND, EVIDENCE = "kind", "evidence"
"""Tags of a run: what it holds, and the digest of what it was made on."""


@dataclass(frozen=True)
class About:
    """What a run of this module is about."""

    model: str
    """Name in the registry."""
    dataset: DatasetConfig
    fingerprint: str
    """Of the newest data."""
    evidence: str
    """Digest of what was judged; the same evidence makes one run only."""


def track(about: About, judged: Judgement, drawn: Mapping[str, Figure], page: Path) -> str:
    """Log the curves, the pictures and the page of a look; return the run's id.

    Raises:
        ConfigError: If the store cannot be used.
    """
    done = _done(about, MONITOR)
    if done:
        return done
    with begin(_beginning(about, MONITOR, judged.until, judged.version)) as run_id:
        client = store.open_store()
        for first in range(0, len(metrics := _metrics(judged)), runs.ROWS):
            client.log_batch(run_id, metrics=metrics[first : first + runs.ROWS])
        client.log_batch(run_id, tags=runs.tags_of(judged.verdict._asdict()))
        for file, figure in drawn.items():
            client.log_figure(run_id, figure, file)
        client.log_text(run_id, page.read_text(encoding="utf-8"), PAGE)
    return run_id


def conclude(run_id: str, decided: Decided, page: Path) -> None:
    """Write into the run of a look what was done about it.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    told = {"acted": str(decided.acted), "published": str(decided.published)}
    client.log_batch(run_id, tags=runs.tags_of({**told, "outcome": decided.outcome[:LONGEST_TAG]}))
    client.log_text(run_id, page.read_text(encoding="utf-8"), PAGE)


def save_recalibrated(about: About, version: str, until: str, made: Recalibrated) -> str:
    """Log a recalibrated forecaster as a run that `registry.register` takes; return its id."""
    done = _done(about, RECALIBRATION)
    if done:
        return done
    with (
        begin(_beginning(about, RECALIBRATION, until, version)) as run_id,
        tempfile.TemporaryDirectory() as scratch,
    ):
        folder = bundle.save(made.bundle, Path(scratch) / "bundle")
        logged = model.log(run_id, folder)
        told = {name: value for name, value in made._asdict().items() if name != "bundle"}
        client = store.open_store()
        client.log_text(run_id, json.dumps(told, indent=2) + "\n", "recalibration.json")
        tags = {store.BUNDLE_TAG: bundle.digest(folder), store.MODEL_TAG: logged}
        client.log_batch(run_id, tags=runs.tags_of(tags))
    return run_id


def _metrics(judged: Judgement) -> list[Metric]:
    """Return live and promised measures, over time (step: moment) and by steps ahead."""
    covered = judged.coverage.share if judged.coverage else math.nan
    told = [
        runs.metric_of("live/mase", judged.mase),
        runs.metric_of("live/skill", judged.skill),
        runs.metric_of("live/coverage", covered),
        runs.metric_of("promised/mase", judged.promised_mase),
        runs.metric_of("promised/skill", judged.promised_skill),
        runs.metric_of("drift/level", judged.drift.level),
        runs.metric_of("drift/scale", judged.drift.scale),
    ]
    for step, row in enumerate(judged.points.itertuples(), start=1):
        told += [
            runs.metric_of(f"over_time/{name}", getattr(row, name), step)
            for name in ("ratio", "mase", "skill", "coverage", "score")
        ]
    for name in ("mase", "skill", "coverage", "promised_mase", "promised_skill"):
        ahead = zip(judged.ahead["step"].tolist(), judged.ahead[name].tolist(), strict=True)
        told += [runs.metric_of(f"by_horizon/{name}", value, step) for step, value in ahead]
    return [metric for metric in told if math.isfinite(metric.value)]


def _done(about: About, kind: str) -> str | None:
    """Return the finished run that was made on the same evidence, if there is one."""
    client = store.open_store()
    experiment = client.get_experiment_by_name(about.model)
    if experiment is None:
        return None
    asked = f"tags.{KIND} = '{kind}' and tags.{EVIDENCE} = '{about.evidence}'"
    found = client.search_runs(
        [experiment.experiment_id], f"{asked} and attributes.status = 'FINISHED'", max_results=1
    )
    return str(found[0].info.run_id) if found else None


def _beginning(about: About, kind: str, until: str, version: str) -> Beginning:
    told = about.dataset
    return Beginning(
        model=about.model,
        name=f"{kind} {until}",
        tags={KIND: kind, EVIDENCE: about.evidence, "version": version, "data": about.dataset.name},
        parameters={"until": until, "version": version},
        dataset=facts.described(told.name, told.source, about.fingerprint, kind),
    )
