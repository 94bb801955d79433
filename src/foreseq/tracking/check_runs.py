"""Runs that hold a look at past forecasts, and runs that hold recalibrated forecasters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from foreseq.config import DatasetConfig
from foreseq.monitoring import Decided, Judgement
from foreseq.monitoring.recalibration import Recalibrated
from foreseq.tracking import forecaster
from foreseq.tracking import run as runs
from foreseq.tracking.run import Measure, Start

PAGE = "monitor.html"
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

    def tags(self, kind: str) -> dict[str, str]:
        """Return the tags by which a run on the same evidence is found."""
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


def track(about: About, judged: Judgement, drawn: Mapping[str, Figure], page: Path) -> str:
    """Log the curves, the pictures and the page of a check; return the run's id.

    Raises:
        ConfigError: If the store cannot be used.
    """
    done = runs.finished(about.model, about.tags(MONITOR))
    if done:
        return done
    with runs.begin(about.start(MONITOR, judged.until, judged.version)) as run:
        run.log_metrics(_measures(judged))
        run.log_tags(judged.verdict._asdict())
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


def save_recalibrated(about: About, version: str, until: str, made: Recalibrated) -> str:
    """Log a recalibrated forecaster as a run that `registry.register` takes; return its id."""
    done = runs.finished(about.model, about.tags(RECALIBRATION))
    if done:
        return done
    with runs.begin(about.start(RECALIBRATION, until, version)) as run:
        forecaster.log_bundle(run, made.bundle)
        numbers = {name: value for name, value in made._asdict().items() if name != "bundle"}
        run.log_json(numbers, "recalibration.json")
    return run.id


def _measures(judged: Judgement) -> list[Measure]:
    """Return live and promised measures, over time (step: moment) and by steps ahead."""
    covered = judged.coverage.share if judged.coverage else math.nan
    measures = [
        Measure("live/mase", judged.mase),
        Measure("live/skill", judged.skill),
        Measure("live/coverage", covered),
        Measure("promised/mase", judged.promised_mase),
        Measure("promised/skill", judged.promised_skill),
        Measure("drift/level", judged.drift.level),
        Measure("drift/scale", judged.drift.scale),
    ]
    for step, row in enumerate(judged.points.itertuples(), start=1):
        measures += [
            Measure(f"over_time/{name}", getattr(row, name), step)
            for name in ("ratio", "mase", "skill", "coverage", "score")
        ]
    for name in ("mase", "skill", "coverage", "promised_mase", "promised_skill"):
        ahead = zip(judged.ahead["step"].tolist(), judged.ahead[name].tolist(), strict=True)
        measures += [Measure(f"by_horizon/{name}", value, step) for step, value in ahead]
    return measures
