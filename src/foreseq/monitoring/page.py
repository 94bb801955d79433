"""A page for people: the verdict, the curves behind it, every version, every decision."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from foreseq import __version__
from foreseq.monitoring.actuals import Arrivals
from foreseq.monitoring.decision_log import Decided
from foreseq.monitoring.judgement import Judgement
from foreseq.report.figures import live
from foreseq.report.html import number, percent, picture, render

DECISIONS = re.compile(r"(<!-- decisions -->).*?(<!-- /decisions -->)", re.DOTALL)
"""What is told anew when something was done."""
NAMED = 5
"""Versions that have a line of their own, the newest ones."""
SHOWN = 20
"""Decisions on the page, the newest ones."""


def pictures(judged: Judgement, sums: pd.DataFrame) -> dict[str, Figure]:
    """Draw a judgement: file name to figure.

    Args:
        judged: Of one version.
        sums: Of every version, see `arrivals.COLUMNS`.
    """
    drawn = {}
    points = judged.points
    if len(points):
        times = _axis(points["moment"])
        drawn["control.png"] = live.control_figure(
            times, points["ratio"], points["score"], judged.limit
        )
    if len(judged.ahead):
        ahead = judged.ahead.sort_values("step")
        drawn["live-horizon.png"] = live.ahead_figure(
            ahead["step"], ahead["skill"], ahead["promised_skill"]
        )
    if len(points) and judged.coverage is not None:
        drawn["live-coverage.png"] = live.coverage_figure(
            times, points["coverage"], judged.coverage.level
        )
    if len(sums):
        drawn["versions.png"] = live.versions_figure(_over_time(sums))
    return drawn


def write(judged: Judgement, found: Arrivals, drawn: Mapping[str, Figure], alarm_every: int) -> str:
    """Return the page of a look as HTML, pictures and all, without the decisions."""
    return render(
        "monitor.html",
        release=__version__,
        version=judged.version,
        until=judged.until,
        verdict=judged.verdict,
        facts=_facts(judged),
        alarm=f"{alarm_every:,}",
        pictures=drawn,
        versions=list(versions(found.sums).itertuples()),
        health=_health(judged, found),
        picture=lambda file, caption: picture(drawn, file, caption),
    )


def with_decisions(page: str, decisions: Sequence[Decided]) -> str:
    """Return a page that also tells what was decided, and what was done about it."""
    told = render("decisions.html", decisions=decisions[-SHOWN:])
    return DECISIONS.sub(lambda found: f"{found[1]}{told}{found[2]}", page)


def versions(sums: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each version: moments, actuals, MASE, skill and coverage of all steps."""
    grouped = sums.groupby("model_version", sort=True)
    total = grouped[["count", "error", "naive", "inside"]].sum().astype(np.float64)
    table = pd.DataFrame(
        {
            "version": total.index,
            "moments": grouped["moment"].nunique(),
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


def _over_time(sums: pd.DataFrame) -> dict[str, tuple[NDArray[Any], NDArray[np.float64]]]:
    """Return when the newest versions forecast, and their skill then."""
    lines = {}
    for name in versions(sums)["version"].tolist()[-NAMED:]:
        made = sums[sums["model_version"] == name]
        total = made.groupby("moment")[["error", "naive"]].sum().astype(np.float64)
        lines[str(name)] = (
            _axis(total.index.to_series()),
            (1 - total["error"] / total["naive"]).to_numpy(),
        )
    return lines


def _facts(judged: Judgement) -> list[dict[str, str]]:
    facts = [
        (number(judged.mase), f"MASE, promised {number(judged.promised_mase)}"),
        (percent(judged.skill), f"skill, promised {percent(judged.promised_skill)}"),
    ]
    if judged.coverage is not None:
        held = f"held by the {percent(judged.coverage.level)} interval"
        facts.append((percent(judged.coverage.share), held))
    if judged.drift.series:
        moved = "series whose level or scale has moved"
        facts.append((f"{judged.drift.moved} of {judged.drift.series}", moved))
    return [{"value": value, "meaning": meaning} for value, meaning in facts]


def _health(judged: Judgement, found: Arrivals) -> list[tuple[str, str]]:
    return [
        ("folders of forecasts", f"{found.folders:,}"),
        ("moments judged", f"{len(judged.points):,}"),
        ("inputs", str(judged.drift)),
        ("forecasts of a series that came twice", f"{found.repeated:,}, counted once"),
        ("forecasts of steps trained on", f"{found.unfair:,}, not judged"),
        ("rows that belong to no step of the data", f"{found.strange:,}, not judged"),
        ("folders that are not whole", ", ".join(found.damaged) or "none"),
    ]


def _axis(moments: "pd.Series[Any]") -> NDArray[Any]:
    made = moments.to_numpy()
    return made if made.dtype.kind == "i" else made.astype("datetime64[ns]")
