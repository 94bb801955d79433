"""A check of a published forecaster: assessed on what has arrived, written down, drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from foreseq.durable import files
from foreseq.forecasting.bundle import Bundle, Seen
from foreseq.forecasting.ensemble import Ensemble
from foreseq.monitoring import actuals, decisions, origins, page
from foreseq.monitoring.actuals import COLUMNS, Actuals
from foreseq.monitoring.assessment import Assessment, Evidence, assess
from foreseq.monitoring.decisions import Decided
from foreseq.series.panel import Panel

FOLDER = "_monitoring"
"""Name of the folder of a model's page, scores and decisions, among its forecasts."""
PAGE, SCORES = "monitor.html", "scores.parquet"


class Places(NamedTuple):
    """The folders that a check reads and writes."""

    forecasts: Path
    """Folder of folders of forecasts, of other models as well."""
    results: Path
    """Folder of page, scores and decisions of one model."""


@dataclass(frozen=True, eq=False)
class Check:
    """The results of a check."""

    decided: Decided
    """The one of an earlier check with the same evidence, if there was one."""
    assessment: Assessment
    actuals: Actuals
    pictures: Mapping[str, Figure]
    page: Path

    def __str__(self) -> str:
        """Return one line for people on what was read."""
        read = self.actuals
        return (
            f"{read.folders} folders of forecasts, {int(read.sums['count'].sum()):,} actuals have"
            f" arrived; {read.duplicates:,} duplicate forecasts of a series, {read.trained_on:,} of"
            f" steps trained on, {len(read.damaged)} damaged folders"
        )


def places(root: Path, model: str, forecasts: Path | None = None) -> Places:
    """Return the folders of a model: of its own forecasts, or of all below a root."""
    return Places(forecasts or root, (forecasts or root / model) / FOLDER)


def check(
    version: str,
    champion: Bundle,
    newest: Panel,
    where: Places,
    seen: Callable[[str], Seen | None],
) -> Check:
    """Assess a version on the newest data, and write page, scores and decision.

    Args:
        version: Name and number.
        champion: Its bundle.
        newest: The newest data.
        where: Folders.
        seen: Version to what it was trained on, None if unknown.
    """
    arrived = actuals.collect(where.forecasts, version.partition("/")[0], newest, seen)
    level = actuals.nominal_coverage(champion.levels)
    evidence = Evidence(version, arrived.sums, pd.DataFrame(columns=COLUMNS), level)
    evidence = evidence._replace(expected=_expected(champion, newest, evidence.ours))
    config = champion.experiment.monitor
    digest = decisions.digest(evidence, config)
    earlier = decisions.read(where.results)
    acted = decisions.acted_until(earlier, evidence, digest)
    assessment = assess(evidence, newest, config, acted=acted)
    drawn = page.pictures(assessment, arrived.sums)
    html = page.write(assessment, arrived, drawn, config.false_alarm_interval)
    with files.new_file(where.results / SCORES) as temporary:
        arrived.sums.to_parquet(temporary, index=False)
    decided = next((decided for decided in earlier if decided.evidence == digest), None)
    if decided is None:
        decided = Decided(
            until=assessment.until,
            version=version,
            action=assessment.verdict.action,
            reason=assessment.verdict.reason,
            origin=decisions.newest_origin(evidence),
            evidence=digest,
        )
    remember(where.results, decided, html)
    return Check(decided, assessment, arrived, drawn, where.results / PAGE)


def remember(folder: Path, decided: Decided, html: str | None = None) -> None:
    """Write a decision, or what was done about it, into a folder: on its page, and last for good.

    Args:
        folder: Of page and decisions.
        decided: Replaces a decision on the same evidence.
        html: The page of a new check; None: the one in the folder.
    """
    known = decisions.with_one(decisions.read(folder), decided)
    with files.new_file(folder / PAGE) as temporary:
        html = html or (folder / PAGE).read_text(encoding="utf-8")
        temporary.write_text(page.with_decisions(html, known), encoding="utf-8")
    decisions.write(folder, known)


def _expected(champion: Bundle, newest: Panel, ours: pd.DataFrame) -> pd.DataFrame:
    """Return the sums of the tested weights up to the first live forecast."""
    live = origins.origins_of(ours)
    if not len(live):
        return pd.DataFrame(columns=COLUMNS)
    gap = origins.cadence(live, newest, champion.experiment.dataset.horizon)
    tested = Ensemble(champion.experiment, champion.evaluated)
    return origins.reference_backtest(tested, newest, champion.evaluated.seen, live[0], gap)
