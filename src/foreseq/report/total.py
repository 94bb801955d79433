"""The forecast of the total over series, and how far totals were off in the test."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.report.html import percent
from foreseq.report.parts import Parts
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

Floats = NDArray[np.float64]


class Total(NamedTuple):
    """Sums over series that reach the newest time of a panel."""

    series: NDArray[np.int64]
    """Their positions in the panel."""
    past: Floats
    """Newest steps, shape (steps,); at a gap the last value of a series counts."""
    forecast: Floats
    """Sum of the point forecasts, shape (horizon,)."""
    parts: Parts
    """Sums of theirs, of shape (1, horizon)."""
    tested: Floats
    """Sum of the point forecasts of the newest test windows, shape (horizon,), or none."""
    at: int
    """Place of its first step in `past`."""
    note: str
    """What the sum is, why it has no interval, and how far it was off in the test."""


def total(
    panel: Panel, forecast: Floats, parts: Parts, backtest: Backtest, steps: int
) -> Total | None:
    """Return the total over the series; None if fewer than two of them can be added.

    Why no interval: quantiles do not add up, as errors of series may cancel out or go together, and
    test windows are too few for quantiles of their own.

    Args:
        panel: The histories.
        forecast: Of the newest window of every series, shape (n_series, horizon).
        parts: Of these forecasts.
        backtest: Of the same forecaster.
        steps: Past to show, at most.
    """
    first = calendar.positions(panel.starts, panel.starts.min(), panel.freq)
    ends = first + panel.lengths
    series = np.flatnonzero((ends == ends.max()) & np.isfinite(forecast).all(axis=1))
    if len(series) < 2:  # noqa: PLR2004 one is its own total
        return None
    lengths = panel.lengths[series]
    shown = min(steps, int(lengths.max()))
    past = windows.before(panel, Windows(series, lengths), shown)
    filled = pd.DataFrame(past).ffill(axis=1).bfill(axis=1).fillna(0).to_numpy()
    started = np.arange(shown) >= shown - lengths[:, None]
    of_all = len(series) == panel.n_series
    which = f"all {len(series):,} series" if of_all else f"{len(series):,} series up to date"
    note = (
        f"The sum of the forecasts of {which}. It has no interval: those of series do not add up,"
        " as their errors may cancel out or go together."
    )
    tested, at, misses = _tested(backtest, series)
    if len(misses):
        off, bias = percent(float(np.abs(misses).mean()), 1), float(misses.mean())
        way = "too high" if bias > 0 else "too low"
        note += (
            f" In the test the sum over all steps was {off} off on average of {len(misses)}"
            f" window{'s' if len(misses) > 1 else ''}, {percent(abs(bias), 1)} {way} in the mean."
        )
    return Total(
        series,
        (filled * started).sum(axis=0),
        forecast[series].sum(axis=0),
        Parts(*(part[series].sum(axis=0, keepdims=True) for part in parts)),
        tested if (place := at - int(ends.max()) + shown) >= 0 else np.empty(0),
        place,
        note,
    )


def _tested(backtest: Backtest, series: NDArray[np.int64]) -> tuple[Floats, int, Floats]:
    """Return the newest forecast of the total, its cutoff, and how far each one's sum was off.

    Errors are shares of the actual sum. Only cutoffs count at which all of the series were tested.
    """
    ours, times = np.isin(backtest.windows.series, series), backtest.times
    cutoffs, count = np.unique(times[ours], return_counts=True)
    newest, cutoff, misses = np.empty(0), 0, list[float]()
    for cutoff in cutoffs[count == len(series)].tolist():
        rows = ours & (times == cutoff)
        forecast = backtest.forecasts[FORESEQ][rows].sum(axis=0)
        actual = backtest.actual[rows].sum(axis=0)
        known = np.isfinite(forecast) & np.isfinite(actual)
        if known.any() and (scale := np.abs(actual[known].sum())) > 0:
            misses.append(float((forecast - actual)[known].sum() / scale))
        newest = forecast
    return newest, cutoff, np.array(misses)
