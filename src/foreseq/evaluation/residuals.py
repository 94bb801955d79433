"""What the errors of a backtest have in common: direction, correlation, time, and hard series."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import MEDIAN
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import SEASONAL_NAIVE
from foreseq.metrics import mean_known, series_mean
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

LAGS = 24
"""Most steps between two errors whose correlation is shown."""
SEASONS = 2
"""A history of fewer seasons is short; the last ones are the usual range of values."""
GAPS, ZEROS, SPIKE, ONE_SIDED = 0.2, 0.5, 0.5, 0.8
"""Shares from which a reason is likely: steps without a value, zeros, error of a single step, and
error in one direction."""

Floats = NDArray[np.float64]


class Hard(NamedTuple):
    """A series with a large error, and why that may be."""

    name: str
    error: float
    naive: float
    """Error of the seasonal naive."""
    bias: float
    """Mean of forecast less actual, as a share of the mean size of the actuals."""
    reason: str


def signed(backtest: Backtest) -> Floats:
    """Return forecast less actual in units of the seasonal error, shape (windows, horizon).

    NaN where nothing was observed, or the series has no seasonal error.
    """
    error = backtest.forecasts[FORESEQ] - backtest.actual
    if backtest.measure == "MAE":
        return error
    scale = backtest.seasonal_error[backtest.windows.series]
    return error / np.where(scale > 0, scale, np.nan)[:, None]


def autocorrelation(errors: Floats, lags: int = LAGS) -> Floats:
    """Return the correlation of errors with those some steps later in the same window.

    Args:
        errors: Shape (windows, horizon).
        lags: Most steps between them.

    Returns:
        Shape (lags,), from one step on, and at most half the horizon.

    Example:
        >>> autocorrelation(np.array([[1.0, -1.0, 1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])).tolist()
        [-1.0, 1.0]
    """
    rest = errors - mean_known(errors.ravel())
    variance = float(mean_known(rest.ravel() ** 2))
    most = min(lags, errors.shape[1] // 2)
    pairs = [mean_known((rest[:, lag:] * rest[:, :-lag]).ravel()) for lag in range(1, most + 1)]
    return np.array(pairs, np.float64) / (variance or np.nan)


def by_cutoff(backtest: Backtest, panel: Panel) -> tuple[NDArray[Any], dict[str, Floats]]:
    """Return the last known time before each cutoff, and every forecaster's error then."""
    times, place = np.unique(backtest.times, return_inverse=True)
    errors = {
        name: series_mean(backtest.losses(name).windows, place, len(times))
        for name in backtest.forecasts
    }
    return calendar.at(panel.starts.min(), times - 1, panel.freq), errors


def widths(backtest: Backtest) -> dict[float, Floats]:
    """Return the mean width of each central interval by steps ahead, by level, shape (horizon,).

    In units of the seasonal error, as MASE.
    """
    scale = backtest.seasonal_error[backtest.windows.series][:, None]
    unit = np.where(scale > 0, scale, np.nan) if backtest.measure == "MASE" else np.ones_like(scale)
    found = {}
    for place, level in enumerate(backtest.levels):
        if level < MEDIAN:
            width = backtest.quantiles[..., -1 - place] - backtest.quantiles[..., place]
            found[round(1 - 2 * level, 9)] = mean_known(width / unit, axis=0)
    return found


def hardest(backtest: Backtest, panel: Panel, count: int) -> list[Hard]:
    """Return the series with the largest errors, and the likely reason of each."""
    errors, naive = backtest.losses(FORESEQ).series, backtest.losses(SEASONAL_NAIVE).series
    order = np.argsort(-np.where(np.isnan(errors), -np.inf, errors), kind="stable")
    return [
        _hard(backtest, panel, position, float(errors[position]), float(naive[position]))
        for position in order[:count].tolist()
        if np.isfinite(errors[position])
    ]


def _hard(backtest: Backtest, panel: Panel, position: int, error: float, naive: float) -> Hard:
    rows = backtest.windows.series == position
    actual = backtest.actual[rows]
    away = (backtest.forecasts[FORESEQ][rows] - actual)[np.isfinite(actual)]
    bias = float(away.mean() / (np.abs(actual[np.isfinite(actual)]).mean() or np.nan))
    reason = _reason(backtest, panel, position, error < naive)
    return Hard(str(panel.ids[position]), error, naive, bias, reason)


def _reason(backtest: Backtest, panel: Panel, position: int, beats_naive: bool) -> str:
    """Return the first of the usual reasons that holds for a series."""
    rows = np.flatnonzero(backtest.windows.series == position)
    first, season = int(backtest.windows.cutoff[rows].min()), panel.season
    usual = SEASONS * max(season, backtest.actual.shape[1])
    past = windows.before(
        panel, Windows(np.array([position]), np.array([first])), min(usual, first)
    )
    known, actual = past[np.isfinite(past)], backtest.actual[rows]
    error = backtest.forecasts[FORESEQ][rows] - actual
    total, missing = float(np.nansum(np.abs(error))), float(np.isnan(past).mean())
    low, high = (known.min(), known.max()) if len(known) else (np.nan, np.nan)
    middle, largest = float(np.nanmedian(actual)), np.nan_to_num(np.abs(error))
    row, step = np.unravel_index(largest.argmax(), largest.shape)
    when = panel.times(position, int(backtest.windows.cutoff[rows[row]] + step), 1)[0]
    sided = float(np.nansum(error)) / (total or 1.0)
    reasons = [
        (first < usual, f"short history: {first} steps before the test"),
        (missing > GAPS, f"gaps: {missing:.0%} of the last {past.size} steps have no value"),
        (len(known) and (known == 0).mean() > ZEROS, "most values are zero"),
        (middle > high, f"the level rose: above {high:,.4g} in the test, the most before"),
        (middle < low, f"the level fell: below {low:,.4g} in the test, the least before"),
        (largest.max() > SPIKE * total, f"one step, {calendar.shown(when)}, is most of the error"),
        (
            abs(sided) > ONE_SIDED,
            f"forecast too {'high' if sided > 0 else 'low'} nearly throughout",
        ),
        (beats_naive, "irregular: the seasonal naive errs more"),
    ]
    return next((text for holds, text in reasons if holds), "none of the usual ones")
