"""The report of a run: one HTML page, pictures included, on how far to trust the forecasts."""

import re
from collections.abc import Mapping, Sequence
from math import inf, isfinite, nan
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from foreseq import __version__
from foreseq.evaluation import residuals
from foreseq.evaluation.backtest import FORESEQ, Backtest, Interval
from foreseq.evaluation.baselines import SEASONAL_NAIVE
from foreseq.evaluation.comparison import Comparison
from foreseq.evaluation.decision import Decision
from foreseq.ingest.repairs import health
from foreseq.report import charts, exploration
from foreseq.report.findings import NAMES, Findings
from foreseq.report.html import image, number, percent, render
from foreseq.report.plots import plots
from foreseq.series.panel import Panel
from foreseq.training.loop import MIN_GAIN

GATE = re.compile(r"(<!-- gate -->).*?(<!-- /gate -->)", re.DOTALL)
"""The part of a report that is replaced when the gate has decided."""
HARDEST = 10
"""Series with the largest errors that are shown with a likely reason."""
Cells = tuple[str, ...]
MAX_NAMED = 20
"""Series that are named in one row."""


def report_page(findings: Findings, pictures: Mapping[str, Figure]) -> str:
    """Return the report of a run as HTML.

    Args:
        findings: Its content.
        pictures: File name to figure, of `pictures.draw`.
    """
    backtest, comparison, panel = findings.backtest, findings.comparison, findings.panel
    failures = ", ".join(f"{NAMES[name]} {n}" for name, n in comparison.failures.items() if n)
    outlook, errors = charts.outlook(findings.future, panel, backtest), plots(findings)
    seconds = findings.seconds + sum(candidate.seconds for candidate in findings.candidates)
    return render(
        "report.html",
        title=f"{findings.model}: {backtest.actual.shape[1]} steps ahead",
        release=__version__,
        run=findings.run,
        charts=charts.script({"outlook": outlook, "plots": errors}),
        plots=errors,
        season=panel.season,
        covariates=bool(findings.future.parts and findings.future.parts.covariates.any()),
        shown=len(findings.future.series),
        all=panel.n_series,
        summary=summarize(backtest, comparison),
        facts=_facts(backtest),
        windows=backtest.windows.count,
        series=len(np.unique(backtest.windows.series)),
        measure=backtest.measure,
        leaderboards=_leaderboards(backtest, comparison, seconds),
        sample=comparison.sample,
        failures=failures,
        intervals=_intervals(backtest, comparison),
        hardest=residuals.hardest(backtest, panel, HARDEST),
        suspects=exploration.suspects(exploration.explore(panel, findings.repairs)),
        worth=_worth(findings),
        choices=findings.choices,
        candidates=findings.candidates,
        min_gain=percent(MIN_GAIN),
        members=len(findings.members),
        unused=sum(not member.best_step for member in findings.members),
        quality=_quality(findings),
        again=findings.again,
        fingerprint=panel.fingerprint(),
        image=lambda file, alternative: image(pictures, file, alternative),
    )


def with_decision(report: str, decision: Decision) -> str:
    """Return a report with the gate's decision put in."""
    section = render("gate.html", decision=decision, names=NAMES, folded=True)
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
    against = f"{percent(abs(gain))} {'below' if gain >= 0 else 'above'}"
    against = "about equal to" if percent(abs(gain)) == "0%" else against
    return f"{sentence}, and {against} that of {NAMES[best]}, the best statistical baseline."


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


def _leaderboards(
    backtest: Backtest, comparison: Comparison, seconds: float
) -> list[tuple[str, Sequence[Cells]]]:
    """Return title and rows, apart for the statistical forecasters where they saw fewer windows."""
    rows = _scores(backtest, {name: backtest.crps(name) for name in backtest.forecasts}, {})
    rows[FORESEQ] = (*rows[FORESEQ][:-1], _seconds(seconds))
    there = comparison.backtest
    if there is None:
        return [("", _ranked(rows))]
    crps = {SEASONAL_NAIVE: there.crps(SEASONAL_NAIVE), **comparison.crps()}
    statistical = _scores(there, crps, comparison.seconds)
    if there.windows.count == backtest.windows.count:
        return [("", _ranked(statistical | rows))]
    return [("", _ranked(rows)), (f"On {comparison.sample}", _ranked(statistical))]


def _scores(
    backtest: Backtest, crps: Mapping[str, float], seconds: Mapping[str, float]
) -> dict[str, Cells]:
    """Return a row of cells for each forecaster that has a CRPS."""
    scores = backtest.scores()
    return {
        name: (
            NAMES[name],
            *(number(getattr(scores[name], field)) for field in ("mase", "smape", "mae", "rmse")),
            number(crps[name]),
            "" if name == FORESEQ else percent(backtest.skill(over=name)),
            "" if name == FORESEQ else percent(backtest.win_rate(name)),
            _seconds(seconds.get(name, nan)),
        )
        for name in crps
    }


def _ranked(rows: Mapping[str, Cells]) -> list[Cells]:
    """Return rows by MASE, or by MAE where there is none, best first."""
    place = 1 if all(row[1] != "unknown" for row in rows.values()) else 3

    def error(row: Cells) -> float:
        text = row[place].replace(",", "")
        return inf if text in ("infinite", "unknown") else float(text)

    return sorted(rows.values(), key=error)


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}" if isfinite(seconds) else ""


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


def _worth(findings: Findings) -> list[Cells]:
    """Return a row for each covariate: error without it, interval, and error at both ends."""
    rows: list[Cells] = []
    for name, table in findings.importance.groupby("covariate", sort=False):
        larger = (table["mase_without"] / table["mase"] - 1).tolist()
        role, error, low, high = table[["role", "mase_without", "low", "high"]].iloc[0]
        interval = f"{number(low)} to {number(high)}" if role else ""
        ends = (percent(larger[step]) for step in (0, 1, -1))
        rows.append((str(name), role, number(error), interval, *ends))
    return rows


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
