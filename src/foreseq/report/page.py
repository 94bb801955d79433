"""One page per run that says how far its forecasts can be trusted; it needs nothing but itself."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from foreseq import __version__
from foreseq.evaluation import FORESEQ, SEASONAL_NAIVE, Backtest, Interval, Rivals
from foreseq.evaluation.decision import Decision
from foreseq.ingest.table import Repairs
from foreseq.report.html import number, percent, picture, render
from foreseq.report.pictures import NAMES
from foreseq.selection.rules import Choice
from foreseq.selection.search import Candidate
from foreseq.series.panel import Panel
from foreseq.training.loop import MIN_GAIN, Fitted

GATE = re.compile(r"(<!-- gate -->).*?(<!-- /gate -->)", re.DOTALL)
"""What becomes known only after the page was written."""
SHOWN = 20
"""Series without a test that are named."""


class Findings(NamedTuple):
    """What a page tells of."""

    model: str
    run: str
    """Name of the run, for people."""
    panel: Panel
    repairs: Repairs
    tested: Backtest
    rivals: Rivals
    choices: Sequence[Choice]
    candidates: Sequence[Candidate]
    members: Sequence[Fitted]


def page(found: Findings, pictures: Mapping[str, Figure]) -> str:
    """Return the report of a run as HTML, pictures and all.

    Args:
        found: What it tells of.
        pictures: File name to figure, as `pictures` draws them.
    """
    tested, rivals = found.tested, found.rivals
    classical = [] if rivals.tested is None else _points(rivals.tested, rivals.names)
    return render(
        "report.html",
        title=f"{found.model}: {tested.actual.shape[1]} steps ahead",
        release=__version__,
        run=found.run,
        said=_said(tested, rivals),
        facts=_facts(tested),
        windows=tested.windows.count,
        series=len(np.unique(tested.windows.series)),
        simple=_points(tested, [name for name in tested.forecasts if name != FORESEQ]),
        classical=classical,
        sample=rivals.told,
        failures=", ".join(f"{NAMES[name]} {n}" for name, n in rivals.failures.items() if n),
        intervals=_intervals(tested, rivals),
        choices=found.choices,
        candidates=found.candidates,
        earned=percent(MIN_GAIN),
        members=len(found.members),
        unused=sum(not member.best_step for member in found.members),
        health=_health(found),
        head=_HEAD,
        points=_row,
        picture=lambda file, caption: picture(pictures, file, caption),
    )


def with_decision(report: str, decision: Decision) -> str:
    """Return a report that also tells what the gate said."""
    told = render("gate.html", decision=decision, names=NAMES)
    return GATE.sub(lambda found: f"{found[1]}{told}{found[2]}", report)


def decision_page(version: str, decision: Decision) -> str:
    """Return a page about a decision of the gate."""
    return render("decision.html", version=version, decision=decision, names=NAMES)


_HEAD = Markup(
    '<tr><th class="text">forecaster</th><th>MASE</th><th>sMAPE</th><th>MAE</th><th>RMSE</th>'
    "<th>skill</th><th>wins</th></tr>"
)


def _row(cells: Sequence[str]) -> Markup:
    name, *numbers = cells
    ours = Markup(' class="ours"') if name == NAMES[FORESEQ] else ""
    told = Markup("").join(Markup("<td>{}</td>").format(number) for number in numbers)
    return Markup('<tr{}><td class="text">{}</td>{}</tr>').format(ours, name, told)


def _points(tested: Backtest, others: Sequence[str]) -> list[list[str]]:
    """Return the cells of foreseq's row and of those of others."""
    scores = tested.scores()
    names = [FORESEQ, *others]
    if SEASONAL_NAIVE not in names:
        names.append(SEASONAL_NAIVE)
    return [
        [
            NAMES[name],
            *(number(getattr(scores[name], each)) for each in ("mase", "smape", "mae", "rmse")),
            "" if name == FORESEQ else percent(tested.skill(over=name)),
            "" if name == FORESEQ else percent(tested.win_rate(name)),
        ]
        for name in names
    ]


def _said(tested: Backtest, rivals: Rivals) -> str:
    """Return the one sentence that matters."""
    skill = tested.skill()
    against = "the seasonal naive"
    if not isfinite(skill) or skill <= 0:
        return f"On the test windows these forecasts are no better than {against}: use that."
    told = f"On the test windows these forecasts err {percent(skill)} less than {against}"
    if rivals.tested is None:
        return f"{told}."
    best = rivals.names[0]
    gain = rivals.tested.skill(over=best)
    how = f"{percent(gain)} less" if gain >= 0 else f"{percent(-gain)} more"
    return f"{told}, and {how} than the best classical method, {NAMES[best]}."


def _facts(tested: Backtest) -> list[dict[str, str]]:
    facts = [
        (percent(tested.skill()), "skill over the seasonal naive"),
        (percent(tested.win_rate(SEASONAL_NAIVE)), "of series forecast better than by it"),
        (number(tested.scores()[FORESEQ].mase), "MASE"),
        *(
            (percent(each.coverage), f"held by the {percent(each.level)} interval")
            for each in reversed(tested.intervals())
        ),
    ]
    return [{"value": value, "meaning": meaning} for value, meaning in facts]


def _intervals(tested: Backtest, rivals: Rivals) -> list[dict[str, Any]]:
    shared = rivals.intervals()
    sampled = rivals.tested is not None and rivals.tested.windows.count < tested.windows.count
    rows = [("foreseq", True, each) for each in tested.intervals()]
    if sampled:
        rows += [("foreseq, on their sample", True, each) for each in shared[FORESEQ]]
    rows += [(NAMES[name], False, each) for name in rivals.names for each in shared[name]]
    return [_interval(*row) for row in rows]


def _interval(name: str, ours: bool, each: Interval) -> dict[str, Any]:
    return {
        "name": name,
        "ours": ours,
        "level": percent(each.level),
        "coverage": percent(each.coverage, 1),
        "width": number(each.width),
        "score": number(each.score),
    }


def _health(found: Findings) -> list[tuple[str, str]]:
    repairs, panel = found.repairs, found.panel
    tested = np.unique(found.tested.windows.series)
    untested = np.setdiff1d(np.arange(panel.n_series), tested)
    silent = np.isnan(found.tested.forecasts[FORESEQ]).all(axis=1)
    unanswered = np.unique(found.tested.windows.series[silent])
    return [
        ("series", f"{repairs.series:,}"),
        ("rows read", f"{repairs.rows:,}"),
        ("from, to", f"{repairs.first} to {repairs.last}"),
        ("steps, season", f"{panel.freq}, {panel.season}"),
        ("steps without a row", f"{repairs.gaps:,}, of which filled {repairs.gaps_filled:,}"),
        (
            "rows with an empty y",
            f"{repairs.missing:,}, of which filled {repairs.missing_filled:,}",
        ),
        ("duplicate rows collapsed", f"{repairs.duplicates_collapsed:,}"),
        ("series that had to be sorted", f"{repairs.unsorted_series:,}"),
        ("blank rows skipped", f"{repairs.blank_rows:,}"),
        ("times converted from", repairs.zone or "nothing: UTC or no zone"),
        ("series too short to be tested", _named(panel, untested)),
        ("series tested but not answered", _named(panel, unanswered)),
    ]


def _named(panel: Panel, positions: np.ndarray[Any, Any]) -> str:
    if not len(positions):
        return "none"
    names = ", ".join(panel.ids[positions[:SHOWN]].tolist())
    more = ", ..." if len(positions) > SHOWN else ""
    return f"{len(positions):,}: {names}{more}"
