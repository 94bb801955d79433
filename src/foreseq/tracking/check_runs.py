"""Runs of checks of past forecasts, and runs of recalibrated forecasters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from foreseq.config import DatasetConfig
from foreseq.monitoring.assessment import Assessment
from foreseq.monitoring.decisions import Decided
from foreseq.monitoring.recalibration import Recalibrated
from foreseq.tracking import forecaster
from foreseq.tracking import run as runs
from foreseq.tracking.run import Measure, Start

PAGE = "monitor.html"
MONITOR, RECALIBRATION = "monitor", "recalibration"
KIND, EVIDENCE = "kind", "evidence"
"""Tags of a run: what it holds, and the digest of its evidence."""


@dataclass(frozen=True)
class About:
    """The model, data and evidence of a run."""

    model: str
    """Name in the registry."""
    dataset: DatasetConfig
    fingerprint: str
    """Of the newest data."""
    evidence: str
    """Digest of what the decision was based on; the same evidence makes one run only."""

    def tags(self, kind: str) -> dict[str, str]:
        """Return the tags that identify a run on the same evidence."""
        return {KIND: kind, EVIDENCE: self.evidence}

    def start(self, kind: str, until: str, version: str) -> Start:
        """Return how a run of one kind starts."""
        dataset = self.dataset
        return Start(
            model=self.model,
            name=f"{kind} {until}",
            parameters={"until": until, "version": version},
            dataset=runs.dataset(dataset.name, dataset.source, self.fingerprint, kind),
            tags={**self.tags(kind), "version": version, "data": dataset.name},
        )


def track(about: About, assessment: Assessment, drawn: Mapping[str, Figure], page: Path) -> str:
    """Log the curves, the pictures and the page of a check; return the run's id.

    Raises:
        ConfigError: If the store cannot be used.
    """
    done = runs.finished(about.model, about.tags(MONITOR))
    if done:
        return done
    with runs.begin(about.start(MONITOR, assessment.until, assessment.version)) as run:
        run.log_metrics(_measures(assessment))
        run.log_tags(assessment.verdict._asdict())
        for file, figure in drawn.items():
            run.log_figure(figure, file)
        run.log_text(page.read_text(encoding="utf-8"), PAGE)
    return run.id


def conclude(run_id: str, decided: Decided, page: Path) -> None:
    """Log what was done about a check.

    Raises:
        ConfigError: If the store cannot be used.
    """
    run = runs.find(run_id)
    acted, published = str(decided.acted), str(decided.published)
    run.log_tags({"acted": acted, "published": published, "outcome": decided.outcome})
    run.log_text(page.read_text(encoding="utf-8"), PAGE)


def save_recalibrated(about: About, version: str, until: str, made: Recalibrated) -> str | None:
    """Log a recalibrated forecaster if it is better; return the run's id for `register`."""
    if not made.better:
        return None
    done = runs.finished(about.model, about.tags(RECALIBRATION))
    if done:
        return done
    with runs.begin(about.start(RECALIBRATION, until, version)) as run:
        forecaster.log_bundle(run, made.bundle)
        numbers = {name: value for name, value in made._asdict().items() if name != "bundle"}
        run.log_json(numbers, "recalibration.json")
    return run.id


def _measures(assessment: Assessment) -> list[Measure]:
    """Return live and expected measures, by origin (1, 2, ...) and by steps ahead."""
    covered = assessment.coverage.share if assessment.coverage else math.nan
    measures = [
        Measure("live/mase", assessment.mase),
        Measure("live/skill", assessment.skill),
        Measure("live/coverage", covered),
        Measure("expected/mase", assessment.expected_mase),
        Measure("expected/skill", assessment.expected_skill),
        Measure("data_drift/level", assessment.drift.level),
        Measure("data_drift/scale", assessment.drift.scale),
    ]
    for step, row in enumerate(assessment.points.itertuples(), start=1):
        measures += [
            Measure(f"over_time/{name}", getattr(row, name), step)
            for name in ("ratio", "mase", "skill", "coverage", "score")
        ]
    for name in ("mase", "skill", "coverage", "expected_mase", "expected_skill"):
        ahead = zip(assessment.ahead["step"].tolist(), assessment.ahead[name].tolist(), strict=True)
        measures += [Measure(f"by_horizon/{name}", value, step) for step, value in ahead]
    return measures
