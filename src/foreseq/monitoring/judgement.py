"""What past forecasts say about a forecaster: keep it, recalibrate its intervals, or retrain it."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.config import MonitorConfig
from foreseq.monitoring.chart import Chart, chance_of, control, steadiest
from foreseq.monitoring.coverage import Coverage, cover, is_off
from foreseq.monitoring.data_drift import UNKNOWN, Drift, drift
from foreseq.monitoring.origins import (
    cadence,
    complete,
    end_of,
    moments,
    per_step,
    points_of,
    same_for_all,
    until_next,
)
from foreseq.series.calendar import shown
from foreseq.series.panel import Panel

Action = Literal["keep", "recalibrate", "retrain"]
LASTING = 8
"""Newest moments that together show what is worse by little, but for good."""


class Verdict(NamedTuple):
    """What to do, and why."""

    action: Action
    reason: str
    """One sentence, with its numbers."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """One look at a version."""

    version: str
    verdict: Verdict
    points: pd.DataFrame
    """A row for each arrived moment: `moment, ratio, mase, skill, coverage, score`."""
    limit: float
    """Of the score."""
    ahead: pd.DataFrame
    """A row for each step ahead: `step, mase, skill, coverage, promised_mase, promised_skill`."""
    mase: float
    """Of all that arrived for the steps that the chart takes."""
    promised_mase: float
    skill: float
    """Over the seasonal naive, on the same steps."""
    promised_skill: float
    coverage: Coverage | None
    """None: no intervals, or too few moments."""
    drift: Drift
    until: str
    """Newest time of the data."""

    def measures(self) -> dict[str, float | None]:
        """Return the numbers of it that are known."""
        told = {
            "mase": self.mase,
            "promised_mase": self.promised_mase,
            "skill": self.skill,
            "promised_skill": self.promised_skill,
            "coverage": self.coverage.share if self.coverage else np.nan,
        }
        return {name: value if np.isfinite(value) else None for name, value in told.items()}


class Evidence(NamedTuple):
    """What a version is judged on."""

    version: str
    sums: pd.DataFrame
    """Of all versions, from `arrivals.collect`."""
    promised: pd.DataFrame
    """From `promise.promise`."""
    level: float | None
    """Share that the intervals promise."""


def judge(
    evidence: Evidence, series: Panel, told: MonitorConfig, *, acted: Any = None
) -> Judgement:
    """Judge a version by what has come of its forecasts.

    Args:
        evidence: What it promised and what came.
        series: The newest data.
        told: How rare false alarms shall be.
        acted: The newest moment that was known when the version was last acted on; None: never.
    """
    ours = evidence.sums[evidence.sums["model_version"] == evidence.version]
    horizon = _longest(evidence)
    made = moments(evidence.sums)
    gap = cadence(made, series, horizon)
    expected = per_step(evidence.promised if len(evidence.promised) else ours)
    points = points_of(ours, until_next(made, series, gap, horizon), expected)
    points = complete(points, series, gap)
    promised = points_of(evidence.promised, same_for_all(evidence.promised, gap), expected)
    arrived, promise = (np.log(each["ratio"].to_numpy()) for each in (points, promised))
    since = int((points["moment"] <= acted).sum()) if acted is not None else 0
    least = steadiest(float(points["count"].median()) if len(points) else 1.0)
    chart = control(promise, arrived, every=told.false_alarm_interval, least=least, since=since)
    covered = cover(points, evidence.level)
    moved = drift(series, moments(ours)[0], horizon) if len(ours) else UNKNOWN
    mase, skill = _total(points)
    promised_mase, promised_skill = _total(promised)
    facts = _Facts(
        points["moment"].to_numpy(),
        points["ratio"].to_numpy(),
        chart,
        since,
        mase,
        promised_mase,
        chance_of(promise, arrived[since:][-LASTING:], least),
    )
    return Judgement(
        evidence.version,
        _decide(facts, covered, moved, told),
        _told(points, chart),
        chart.limit,
        _ahead(ours, evidence.promised),
        mase,
        promised_mase,
        skill,
        promised_skill,
        covered,
        moved,
        shown(end_of(series)),
    )


class _Facts(NamedTuple):
    """What the errors say."""

    moments: NDArray[Any]
    ratios: NDArray[np.float64]
    chart: Chart
    since: int
    mase: float
    promised: float
    chance: float
    """Of the mean of the newest moments, if the promise held."""


def _decide(facts: _Facts, covered: Coverage | None, moved: Drift, told: MonitorConfig) -> Verdict:
    alarms = np.flatnonzero(facts.chart.alarms[facts.since :]) + facts.since
    count = len(facts.moments)
    if not count:
        return Verdict("keep", "none of its forecasts has met its actuals yet")
    if len(alarms):
        worst = alarms[np.argmax(facts.ratios[alarms])]
        return Verdict(
            "retrain",
            f"forecasts of {shown(facts.moments[worst])} err {facts.ratios[worst]:.1f} times as"
            f" much as the backtest promised, beyond what luck does once in"
            f" {told.false_alarm_interval:,} moments; {moved}",
        )
    newest = facts.ratios[facts.since :][-LASTING:]
    lasting = float(np.exp(np.log(newest).mean())) if len(newest) else 1.0
    if lasting >= 1 + told.error_tolerance and facts.chance < 1 / told.false_alarm_interval:
        return Verdict(
            "retrain",
            f"the newest {len(newest)} moments err {lasting:.2f} times as much as the backtest"
            f" promised, which luck does less than once in {told.false_alarm_interval:,} looks;"
            f" {moved}",
        )
    errors = f"MASE {facts.mase:.3f}" + (
        f" against {facts.promised:.3f} promised" if np.isfinite(facts.promised) else ""
    )
    if np.isnan(facts.chart.score).all():
        return Verdict("keep", f"too little has come true to judge it: {errors} at {count} moments")
    if covered and is_off(covered, told):
        return Verdict(
            "recalibrate",
            f"its {covered.level:.0%} intervals held {covered.share:.0%} of the actuals of"
            f" {covered.moments} moments, while errors are within limits: {errors}",
        )
    inside = f", {covered.share:.0%} inside the {covered.level:.0%} intervals" if covered else ""
    return Verdict(
        "keep", f"errors are within limits at {count} moments: {errors}{inside}; {moved}"
    )


def _total(points: pd.DataFrame) -> tuple[float, float]:
    """Return MASE and skill of some moments together."""
    count, error, naive = (float(points[name].sum()) for name in ("count", "error", "naive"))
    return (error / count if count else np.nan), (1 - error / naive if naive else np.nan)


def _told(points: pd.DataFrame, chart: Chart) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "moment": points["moment"],
            "ratio": points["ratio"],
            "mase": points["error"] / points["count"],
            "skill": 1 - points["error"] / points["naive"],
            "coverage": points["inside"] / points["count"],
            "score": chart.score,
        }
    )


def _ahead(ours: pd.DataFrame, promised: pd.DataFrame) -> pd.DataFrame:
    """Return what came and what was promised for each step ahead."""
    tables = []
    for prefix, sums in (("", ours), ("promised_", promised)):
        total = sums.groupby("step")[["count", "error", "naive", "inside"]].sum()
        tables.append(
            pd.DataFrame(
                {
                    f"{prefix}mase": total["error"] / total["count"],
                    f"{prefix}skill": 1 - total["error"] / total["naive"],
                    f"{prefix}coverage": total["inside"] / total["count"],
                }
            )
        )
    return pd.concat(tables, axis=1).rename_axis("step").reset_index()


def _longest(evidence: Evidence) -> int:
    """Return the horizon, as far as anything is known of it."""
    steps = [sums["step"].max() for sums in (evidence.sums, evidence.promised) if len(sums)]
    return int(max(steps, default=1))
