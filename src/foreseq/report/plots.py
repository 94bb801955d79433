"""Data of the charts of errors in a report, by the name of their figure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foreseq.evaluation import residuals
from foreseq.evaluation.backtest import FORESEQ
from foreseq.evaluation.baselines import NAIVE, SEASONAL_NAIVE
from foreseq.metrics import mean_known
from foreseq.report.charts import rounded, seconds
from foreseq.report.findings import NAMES, Findings

COMPARED = (FORESEQ, SEASONAL_NAIVE, NAIVE)
"""Forecasters with a line in every chart."""
QUIET = ("calibrated", "training")
"""Lines to compare with, in grey."""
RANKS = 101
"""Points of a curve over all series."""


def plots(findings: Findings) -> dict[str, Any]:
    """Return the charts of a backtest and of the training; what is not known has none."""
    backtest = findings.backtest
    ahead = np.arange(1, backtest.actual.shape[1] + 1)
    errors = {name: backtest.losses(name) for name in backtest.forecasts}
    signed = residuals.signed(backtest)
    lags = residuals.autocorrelation(signed)
    by_series = {NAMES[name]: errors[name].series for name in COMPARED}
    ranks = np.linspace(0, 100, min(RANKS, max(2, findings.panel.n_series)))
    times, by_cutoff = residuals.by_cutoff(backtest, findings.panel)
    curve = findings.members[0].curve
    found = {
        "horizon": _plot("steps ahead", ahead, _lines(backtest.by_horizon())),
        "bias": _plot("steps ahead", ahead, {"mean of forecast - actual": mean_known(signed.T)}),
        "curves": _plot(
            "training steps",
            np.array([point.step for point in curve]),
            {
                "validation": [point.validation for point in curve],
                "training": [point.loss for point in curve],
            },
        ),
    }
    if len(lags) > 1:
        steps = np.arange(1, len(lags) + 1)
        found["autocorrelation"] = _plot("steps between two errors", steps, {"correlation": lags})
    if len(times) > 1:
        lines = {NAMES[name]: by_cutoff[name] for name in COMPARED}
        found["cutoffs"] = _plot("forecast from", times, lines)
    if len(np.unique(backtest.windows.series)) > 1:
        lines = {name: _quantiles(values, ranks) for name, values in by_series.items()}
        found["series"] = _plot("percent of the series", ranks, lines)
    if backtest.levels:
        levels = 100 * np.array(backtest.levels)
        shares = {"actuals below": 100 * np.array(backtest.shares_below()), "calibrated": levels}
        found["calibration"] = _plot("level of the quantile in percent", levels, shares)
        lines = {f"{level:.0%} interval": one for level, one in residuals.widths(backtest).items()}
        found["widths"] = _plot("steps ahead", ahead, lines)
    return found


def _lines(errors: Mapping[str, Any]) -> dict[str, ArrayLike]:
    return {NAMES[name]: one.mase for name, one in errors.items()}


def _plot(label: str, places: NDArray[Any], lines: Mapping[str, ArrayLike]) -> dict[str, Any]:
    values = {name: np.asarray(line, np.float64) for name, line in lines.items()}
    return {
        "x": label,
        "places": seconds(places),
        "dated": places.dtype.kind == "M",
        "lines": [
            {"label": name, "values": rounded(line), "quiet": name in QUIET}
            for name, line in values.items()
            if np.isfinite(line).any()
        ],
    }


def _quantiles(values: NDArray[np.float64], ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values below which so many percent of those that are known lie."""
    known = values[np.isfinite(values)]
    return np.quantile(known, ranks / 100) if len(known) else np.full(len(ranks), np.nan)
