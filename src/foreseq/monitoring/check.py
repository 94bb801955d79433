"""One look at the past forecasts of a published forecaster: judged, written down, drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from foreseq.durable import files
from foreseq.forecasting.bundle import Bundle, Seen
from foreseq.forecasting.ensemble import Forecaster
from foreseq.monitoring import actuals, decision_log, page
from foreseq.monitoring.actuals import COLUMNS, Arrivals
from foreseq.monitoring.decision_log import Decided
from foreseq.monitoring.expected import promise
from foreseq.monitoring.judgement import Evidence, Judgement, judge
from foreseq.monitoring.origins import cadence, moments
from foreseq.series.panel import Panel

LEDGER = "_ledger"
"""Name of its folder, which lies beside the forecasts."""
PAGE, SCORES = "monitor.html", "scores.parquet"


class Places(NamedTuple):
    """Where things are."""

    forecasts: Path
    """Folder of folders of forecasts, of other models as well."""
    ledger: Path
    """Folder of what is known of one model's."""


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen."""

    decided: Decided
    """As it is remembered: with what was done about it, if this evidence was seen before."""
    judged: Judgement
    arrivals: Arrivals
    pictures: Mapping[str, Figure]
    folder: Path
    """Of the ledger: page, scores, decisions."""

    @property
    def page(self) -> Path:
        """The page for people."""
        return self.folder / PAGE


def look(
    version: str,
    champion: Bundle,
    series: Panel,
    places: Places,
    seen: Callable[[str], Seen | None],
) -> Look:
    """Judge what has come of the forecasts of a version, and write it into the ledger.

    Args:
        version: Name and number.
        champion: Its bundle.
        series: The newest data.
        places: Where the forecasts are, and the ledger.
        seen: Version to what it was trained on, None if that is not known any more.
    """
    found = actuals.collect(places.forecasts, version.partition("/")[0], series, seen)
    ours = found.sums[found.sums["model_version"] == version]
    evidence = Evidence(
        version, found.sums, _promised(champion, series, ours), actuals.widest(champion.levels)
    )
    folder, told = places.ledger, champion.experiment.monitor
    made_on = decision_log.digest(evidence, told)
    before = decision_log.read(folder)
    acted = decision_log.acted_until(before, evidence, made_on)
    judged = judge(evidence, series, told, acted=acted)
    drawn = page.pictures(judged, found.sums)
    html = page.write(judged, found, drawn, told.false_alarm_interval)
    with files.new_file(folder / SCORES) as beside:
        found.sums.to_parquet(beside, index=False)
    decided = next((each for each in before if each.evidence == made_on), None)
    if decided is None:
        decided = Decided(
            until=judged.until,
            version=version,
            action=judged.verdict.action,
            reason=judged.verdict.reason,
            moment=decision_log.newest(evidence),
            evidence=made_on,
        )
    remember(folder, decided, html)
    return Look(decided, judged, found, drawn, folder)


def remember(folder: Path, decided: Decided, html: str | None = None) -> None:
    """Write what was decided, or done about it, into the ledger: on its page, and last for good.

    Args:
        folder: Of the ledger.
        decided: It takes the place of what was decided on the same evidence.
        html: The page of a new look; None: the one that is there.
    """
    decisions = decision_log.with_one(decision_log.read(folder), decided)
    with files.new_file(folder / PAGE) as beside:
        shown = html or (folder / PAGE).read_text(encoding="utf-8")
        beside.write_text(page.with_decisions(shown, decisions), encoding="utf-8")
    decision_log.write(folder, decisions)


def _promised(champion: Bundle, series: Panel, ours: pd.DataFrame) -> pd.DataFrame:
    """Return what the tested weights do up to the first forecast that was made in earnest."""
    made = moments(ours)
    if not len(made):
        return pd.DataFrame(columns=COLUMNS)
    gap = cadence(made, series, champion.experiment.dataset.horizon)
    tested = Forecaster(champion.experiment, champion.evaluated)
    return promise(tested, series, champion.evaluated.seen, made[0], gap)
