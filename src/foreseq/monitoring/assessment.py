"""The decision that live errors call for: keep a forecaster, recalibrate its intervals, or retrain.

Retraining is called for by an alarm of the control chart, or by a significant shift of the newest
origins' mean; recalibration by intervals whose coverage is off while errors are within limits.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.config import MonitorConfig
from foreseq.monitoring import chart, origins
from foreseq.monitoring.chart import Chart, Coverage
from foreseq.monitoring.data_drift import UNKNOWN, DataDrift, data_drift
from foreseq.series.calendar import shown
from foreseq.series.panel import Panel

Action = Literal["keep", "recalibrate", "retrain"]
LASTING = 8
"""Newest origins that are tested together for a small lasting shift."""


class Verdict(NamedTuple):
    """What to do, and why."""

    action: Action
    reason: str
    """One sentence, with its numbers."""


class Evidence(NamedTuple):
    """What a version is assessed on."""

    version: str
    sums: pd.DataFrame
    """Of all versions, from `actuals.collect`."""
    expected: pd.DataFrame
    """From `origins.reference_backtest`."""
    level: float | None
    """Nominal coverage of the widest interval."""

    @property
    def ours(self) -> pd.DataFrame:
        """The sums of this version."""
        return self.sums[self.sums["model_version"] == self.version]


@dataclass(frozen=True, eq=False)
class Assessment:
    """Live measures of a version next to the expected ones, and the verdict."""

    version: str
    verdict: Verdict
    points: pd.DataFrame
    """A row for each complete origin: `origin, ratio, mase, skill, coverage, score`."""
    limit: float
    """Of the score."""
    ahead: pd.DataFrame
    """A row for each step ahead: `step, mase, skill, coverage, expected_mase, expected_skill`."""
    mase: float
    """Over all points of the chart."""
    expected_mase: float
    skill: float
    """Over the seasonal naive, on the same steps."""
    expected_skill: float
    coverage: Coverage | None
    """None: no intervals, or too few origins."""
    drift: DataDrift
    until: str
    """Newest time of the data."""

    def measures(self) -> dict[str, float | None]:
        """Return the live and expected measures; None where unknown."""
        measures = {
            "mase": self.mase,
            "expected_mase": self.expected_mase,
            "skill": self.skill,
            "expected_skill": self.expected_skill,
            "coverage": self.coverage.share if self.coverage else np.nan,
        }
        return {name: value if np.isfinite(value) else None for name, value in measures.items()}


def assess(
    evidence: Evidence, newest: Panel, config: MonitorConfig, *, acted: Any = None
) -> Assessment:
    """Assess a version by its live errors.

    Args:
        evidence: Live and expected errors.
        newest: The newest data.
        config: Tolerances, and how rare false alarms shall be.
        acted: The newest origin known when the version was last acted on; None: never.
    """
    ours, backtest = evidence.ours, evidence.expected
    horizon = _longest(evidence)
    every_origin = origins.origins_of(evidence.sums)
    gap = origins.cadence(every_origin, newest, horizon)
    by_step = origins.error_by_step(backtest if len(backtest) else ours)
    until = origins.steps_until_next(every_origin, newest, gap, horizon)
    points = origins.complete(origins.points(ours, until, by_step), newest, gap)
    reference = origins.points(backtest, gap, by_step)
    live, expected = (np.log(table["ratio"].to_numpy()) for table in (points, reference))
    since = int((points["origin"] <= acted).sum()) if acted is not None else 0
    least = chart.least_spread(float(points["count"].median()) if len(points) else 1.0)
    control = chart.control(
        expected, live, every=config.false_alarm_interval, least=least, since=since
    )
    coverage = chart.coverage(points, evidence.level)
    drift = UNKNOWN
    if len(ours):
        drift = data_drift(newest, origins.origins_of(ours)[0], horizon)
    mase, skill = _mase_and_skill(points)
    expected_mase, expected_skill = _mase_and_skill(reference)
    p_value = chart.shift_p_value(expected, live[since:][-LASTING:], least)
    errors = _Errors(
        points["origin"].to_numpy(),
        points["ratio"].to_numpy(),
        control,
        since,
        mase,
        expected_mase,
        p_value,
    )
    return Assessment(
        evidence.version,
        _decide(errors, coverage, drift, config),
        _measures_of(points, control),
        control.limit,
        _ahead(ours, backtest),
        mase,
        expected_mase,
        skill,
        expected_skill,
        coverage,
        drift,
        shown(origins.newest_time(newest)),
    )


class _Errors(NamedTuple):
    origins: NDArray[Any]
    ratios: NDArray[np.float64]
    chart: Chart
    since: int
    """Origins before the version was last acted on."""
    mase: float
    expected: float
    p_value: float
    """Of a shift of the newest origins' mean."""


def _decide(
    errors: _Errors, coverage: Coverage | None, drift: DataDrift, config: MonitorConfig
) -> Verdict:
    alarms = np.flatnonzero(errors.chart.alarms[errors.since :]) + errors.since
    count = len(errors.origins)
    rate = f"false-alarm rate 1 in {config.false_alarm_interval:,} forecasts"
    if not count:
        return Verdict("keep", "no actuals of its forecasts have arrived yet")
    if len(alarms):
        worst = alarms[np.argmax(errors.ratios[alarms])]
        return Verdict(
            "retrain",
            f"error of the forecasts of {shown(errors.origins[worst])} is"
            f" {errors.ratios[worst]:.1f}x the backtest's; {rate}; {drift}",
        )
    newest = errors.ratios[errors.since :][-LASTING:]
    lasting = float(np.exp(np.log(newest).mean())) if len(newest) else 1.0
    significant = errors.p_value < 1 / config.false_alarm_interval
    if lasting >= 1 + config.error_tolerance and significant:
        return Verdict(
            "retrain",
            f"error of the newest {len(newest)} forecasts is {lasting:.2f}x the backtest's;"
            f" {rate}; {drift}",
        )
    mase = f"MASE {errors.mase:.3f}" + (
        f" vs {errors.expected:.3f} in the backtest" if np.isfinite(errors.expected) else ""
    )
    if np.isnan(errors.chart.score).all():
        return Verdict("keep", f"too few actuals to decide: {mase} at {count} origins")
    if coverage and coverage.is_off(config):
        return Verdict(
            "recalibrate",
            f"{coverage.share:.0%} of actuals inside the {coverage.level:.0%} interval at"
            f" {coverage.origins} origins, while errors are within limits: {mase}",
        )
    inside = (
        f", {coverage.share:.0%} of actuals inside the {coverage.level:.0%} interval"
        if coverage
        else ""
    )
    return Verdict("keep", f"errors are within limits at {count} origins: {mase}{inside}; {drift}")


def _mase_and_skill(points: pd.DataFrame) -> tuple[float, float]:
    count, error, naive = (float(points[name].sum()) for name in ("count", "error", "naive"))
    return (error / count if count else np.nan), (1 - error / naive if naive else np.nan)


def _measures_of(points: pd.DataFrame, control: Chart) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "origin": points["origin"],
            "ratio": points["ratio"],
            "mase": points["error"] / points["count"],
            "skill": 1 - points["error"] / points["naive"],
            "coverage": points["inside"] / points["count"],
            "score": control.score,
        }
    )


def _ahead(ours: pd.DataFrame, backtest: pd.DataFrame) -> pd.DataFrame:
    tables = []
    for prefix, sums in (("", ours), ("expected_", backtest)):
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
    """Return the most steps ahead in the evidence: the horizon, or less of it."""
    steps = [sums["step"].max() for sums in (evidence.sums, evidence.expected) if len(sums)]
    return int(max(steps, default=1))
