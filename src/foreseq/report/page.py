"""The report of a run: one HTML page, pictures included, on how far to trust the forecasts."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from foreseq import __version__
from foreseq.evaluation.backtest import FORESEQ, Backtest, Interval
from foreseq.evaluation.baselines import SEASONAL_NAIVE
from foreseq.evaluation.comparison import Comparison
from foreseq.evaluation.decision import Decision
from foreseq.ingest.repairs import health
from foreseq.report import charts
from foreseq.report.findings import NAMES, Findings
from foreseq.report.html import image, number, percent, picture, render
from foreseq.series.panel import Panel
from foreseq.training.loop import MIN_GAIN

GATE = re.compile(r"(<!-- gate -->).*?(<!-- /gate -->)", re.DOTALL)
"""The part of a report that is replaced when the gate has decided."""
MAX_NAMED = 20
"""Series that are named in one row."""


def report_page(findings: Findings, pictures: Mapping[str, Figure]) -> str:
    """Return the report of a run as HTML.

    Args:
        findings: Its content.
        pictures: File name to figure, of `pictures.draw`.
    """
    backtest, comparison = findings.backtest, findings.comparison
    baselines = [name for name in backtest.forecasts if name != FORESEQ]
    crps = {name: backtest.crps(name) for name in backtest.forecasts}
    statistical = []
    if comparison.backtest is not None:
        names = [*comparison.names, SEASONAL_NAIVE]
        crps_there = {
            SEASONAL_NAIVE: comparison.backtest.crps(SEASONAL_NAIVE),
            **comparison.crps(),
        }
        statistical = _scores(comparison.backtest, names, crps_there)
    failures = ", ".join(f"{NAMES[name]} {n}" for name, n in comparison.failures.items() if n)
    return render(
        "report.html",
        title=f"{findings.model}: {backtest.actual.shape[1]} steps ahead",
        release=__version__,
        run=findings.run,
        charts=charts.script(
            {"outlook": charts.outlook(findings.future, findings.panel, backtest)}
        ),
        shown=len(findings.future.series),
        all=findings.panel.n_series,
        summary=summarize(backtest, comparison),
        facts=_facts(backtest),
        windows=backtest.windows.count,
        series=len(np.unique(backtest.windows.series)),
        baselines=_scores(backtest, baselines, crps),
        statistical=statistical,
        sample=comparison.sample,
        failures=failures,
        intervals=_intervals(backtest, comparison),
        choices=findings.choices,
        candidates=findings.candidates,
        min_gain=percent(MIN_GAIN),
        members=len(findings.members),
        unused=sum(not member.best_step for member in findings.members),
        quality=_quality(findings),
        image=lambda file, alternative: image(pictures, file, alternative),
        picture=lambda file, caption: picture(pictures, file, caption),
    )


def with_decision(report: str, decision: Decision) -> str:
    """Return a report with the gate's decision put in."""
    section = render("gate.html", decision=decision, names=NAMES)
    return GATE.sub(lambda match: f"{match[1]}{section}{match[2]}", report)


def decision_page(version: str, decision: Decision) -> str:
    """Return a page of its own for the gate's decision."""
    return render("decision.html", version=version, decision=decision, names=NAMES)


def summarize(backtest: Backtest, comparison: Comparison) -> str:
    """Return the result in one sentence."""
    skill = backtest.skill()
    if not isfinite(skill) or skill <= 0:
        return (
            "On the test windows the forecasts are no better than the seasonal naive:"
            " use the seasonal naive instead."
        )
    sentence = f"On the test windows the error is {percent(skill)} below the seasonal naive's"
    if comparison.backtest is None:
        return f"{sentence}."
    best = comparison.names[0]
    gain = comparison.backtest.skill(over=best)
    against = f"{percent(abs(gain))} {'below' if gain >= 0 else 'above'} that of {NAMES[best]}"
    return f"{sentence}, and {against}, the best statistical baseline."


def _facts(backtest: Backtest) -> list[tuple[str, str]]:
    return [
        (percent(backtest.skill()), "skill over the seasonal naive"),
        (percent(backtest.win_rate(SEASONAL_NAIVE)), "of series beat the seasonal naive"),
        (number(backtest.scores()[FORESEQ].mase), "MASE"),
        *(
            (
                percent(interval.coverage),
                f"of actuals inside the {percent(interval.level)} interval"
                f" (target {percent(interval.level)})",
            )
            for interval in reversed(backtest.intervals())
        ),
    ]


def _scores(
    backtest: Backtest, others: Sequence[str], crps: Mapping[str, float]
) -> list[tuple[str, ...]]:
    """Return a row of cells for foreseq and for each other forecaster."""
    scores = backtest.scores()
    return [
        (
            NAMES[name],
            *(number(getattr(scores[name], field)) for field in ("mase", "smape", "mae", "rmse")),
            number(crps[name]),
            "" if name == FORESEQ else percent(backtest.skill(over=name)),
            "" if name == FORESEQ else percent(backtest.win_rate(name)),
        )
        for name in (FORESEQ, *others)
    ]


def _intervals(backtest: Backtest, comparison: Comparison) -> list[tuple[str, ...]]:
    """Return a row of cells for each forecaster and level."""
    rows = [_interval("foreseq", interval) for interval in backtest.intervals()]
    there = comparison.intervals()
    sampled = comparison.backtest
    if sampled is not None and sampled.windows.count < backtest.windows.count:
        rows += [_interval("foreseq, same sample", interval) for interval in there[FORESEQ]]
    return rows + [
        _interval(NAMES[name], interval) for name in comparison.names for interval in there[name]
    ]


def _interval(name: str, interval: Interval) -> tuple[str, ...]:
    level, coverage = percent(interval.level), percent(interval.coverage, 1)
    return name, level, coverage, number(interval.width), number(interval.score)


def _quality(findings: Findings) -> list[tuple[str, str]]:
    panel, backtest = findings.panel, findings.backtest
    tested = backtest.windows.series
    unanswered = np.union1d(backtest.unanswered, tested[backtest.lacks()]).astype(np.int64)
    untested = np.setdiff1d(np.arange(panel.n_series), [*tested, *unanswered])
    return [
        *health(findings.repairs, panel.freq, panel.season),
        ("series too short to test", _named(panel, untested)),
        ("series with a test window without a forecast", _named(panel, unanswered)),
    ]


def _named(panel: Panel, positions: np.ndarray[Any, Any]) -> str:
    if not len(positions):
        return "none"
    names = ", ".join(panel.ids[positions[:MAX_NAMED]].tolist())
    more = ", ..." if len(positions) > MAX_NAMED else ""
    return f"{len(positions):,}: {names}{more}"
