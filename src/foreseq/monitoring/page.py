"""The monitoring page: verdict, live error vs. backtest, every version, every decision."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from foreseq import __version__
from foreseq.monitoring.actuals import Actuals
from foreseq.monitoring.assessment import Assessment
from foreseq.monitoring.decisions import Decided
from foreseq.report.figures import live
from foreseq.report.html import number, percent, picture, render

DECISIONS = re.compile(r"(<!-- decisions -->).*?(<!-- /decisions -->)", re.DOTALL)
"""The part of the page that is written again after an action."""
MOST_VERSIONS = 5
"""Versions with a line of their own, the newest ones."""
MOST_DECISIONS = 20
"""Decisions on the page, the newest ones."""


def pictures(assessment: Assessment, sums: pd.DataFrame) -> dict[str, Figure]:
    """Return file name to figure, for one version and the sums of all (`actuals.COLUMNS`)."""
    drawn = {}
    points = assessment.points
    if len(points):
        times = _axis(points["origin"])
        drawn["control.png"] = live.control_figure(
            times, points["ratio"], points["score"], assessment.limit
        )
    if len(assessment.ahead):
        ahead = assessment.ahead.sort_values("step")
        drawn["live-horizon.png"] = live.ahead_figure(
            ahead["step"], ahead["skill"], ahead["expected_skill"]
        )
    if len(points) and assessment.coverage is not None:
        drawn["live-coverage.png"] = live.coverage_figure(
            times, points["coverage"], assessment.coverage.level
        )
    if len(sums):
        drawn["versions.png"] = live.versions_figure(_skill_by_origin(sums))
    return drawn


def write(
    assessment: Assessment, actuals: Actuals, drawn: Mapping[str, Figure], false_alarms: int
) -> str:
    """Return the page of a check as HTML with embedded pictures, without the decisions."""
    return render(
        "monitor.html",
        release=__version__,
        version=assessment.version,
        until=assessment.until,
        verdict=assessment.verdict,
        facts=_facts(assessment),
        alarm=f"{false_alarms:,}",
        pictures=drawn,
        versions=list(versions(actuals.sums).itertuples()),
        health=_health(assessment, actuals),
        picture=lambda file, caption: picture(drawn, file, caption),
    )


def with_decisions(page: str, decisions: Sequence[Decided]) -> str:
    """Return a page with a table of the decisions, in place of an earlier one."""
    table = render("decisions.html", decisions=decisions[-MOST_DECISIONS:])
    return DECISIONS.sub(lambda match: f"{match[1]}{table}{match[2]}", page)


def versions(sums: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each version: origins, actuals, MASE, skill and coverage of all steps."""
    grouped = sums.groupby("model_version", sort=True)
    total = grouped[["count", "error", "naive", "inside"]].sum().astype(np.float64)
    table = pd.DataFrame(
        {
            "version": total.index,
            "origins": grouped["origin"].nunique(),
            "actuals": total["count"].astype(np.int64),
            "mase": total["error"] / total["count"],
            "skill": 1 - total["error"] / total["naive"],
            "coverage": total["inside"] / total["count"],
        }
    )
    return table.sort_values("version", key=_numbers).reset_index(drop=True)


def _numbers(names: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the number of each version: 10 comes after 9."""
    return names.map(lambda name: int(str(name).rpartition("/")[2]))


def _skill_by_origin(sums: pd.DataFrame) -> dict[str, tuple[NDArray[Any], NDArray[np.float64]]]:
    lines = {}
    for name in versions(sums)["version"].tolist()[-MOST_VERSIONS:]:
        own = sums[sums["model_version"] == name]
        total = own.groupby("origin")[["error", "naive"]].sum().astype(np.float64)
        skill = (1 - total["error"] / total["naive"]).to_numpy()
        lines[str(name)] = (_axis(total.index.to_series()), skill)
    return lines


def _facts(assessment: Assessment) -> list[dict[str, str]]:
    mase, skill = number(assessment.expected_mase), percent(assessment.expected_skill)
    facts = [
        (number(assessment.mase), f"MASE (backtest {mase})"),
        (percent(assessment.skill), f"skill (backtest {skill})"),
    ]
    if assessment.coverage is not None:
        level = percent(assessment.coverage.level)
        inside = f"of actuals inside the {level} interval (target {level})"
        facts.append((percent(assessment.coverage.share), inside))
    if assessment.drift.series:
        drifted = f"{assessment.drift.drifted} of {assessment.drift.series}"
        facts.append((drifted, "series with data drift"))
    return [{"value": value, "meaning": meaning} for value, meaning in facts]


def _health(assessment: Assessment, actuals: Actuals) -> list[tuple[str, str]]:
    return [
        ("folders of forecasts", f"{actuals.folders:,}"),
        ("forecast origins with all actuals", f"{len(assessment.points):,}"),
        ("data drift", str(assessment.drift)),
        ("duplicate forecasts of a series", f"{actuals.duplicates:,}, counted once"),
        ("forecasts of steps trained on", f"{actuals.trained_on:,}, skipped"),
        ("rows that match no step of the data", f"{actuals.unmatched:,}, skipped"),
        ("damaged folders", ", ".join(actuals.damaged) or "none"),
    ]


def _axis(origins: "pd.Series[Any]") -> NDArray[Any]:
    times = origins.to_numpy()
    return times if times.dtype.kind == "i" else times.astype("datetime64[ns]")
