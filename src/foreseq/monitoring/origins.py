"""Forecast origins: live ones and those of a reference backtest, each one point of a chart.

What a forecaster is expected to do is measured by a rolling backtest of the weights that were
tested, on windows between their training and the first published forecast.
"""

from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.evaluation.backtest import FORESEQ, Backtest, mase_scales
from foreseq.evaluation.baselines import SEASONAL_NAIVE, seasonal_naive
from foreseq.forecasting.bundle import Seen
from foreseq.monitoring.actuals import COLUMNS, summarize
from foreseq.network.outputs import median_output
from foreseq.series import calendar, panel, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

BACKTEST = "backtest"
"""Stands for the version in the table of sums."""
MOST_ORIGINS = 60
"""Origins of the reference backtest: more hardly change the limits."""
MOST_SERIES = 1000
"""Series of the reference backtest, evenly taken: more cost time and change little."""
TINY = 1e-3
"""Smallest ratio of an error to the expected one, so that its logarithm is finite."""
TOTALS = ["count", "error", "naive", "inside", "expected"]


class Forecasts(Protocol):
    """An ensemble, or what forecasts like one."""

    @property
    def levels(self) -> tuple[float, ...]:
        """Of the quantiles; none for a point forecast."""

    def __call__(self, panel: Panel, chosen: Windows, /) -> NDArray[np.float64]:
        """Return forecasts, shape (windows, horizon, outputs)."""


def reference_backtest(
    forecaster: Forecasts, history: Panel, seen: Seen, until: Any, cadence: int
) -> pd.DataFrame:
    """Return the sums of a rolling backtest between the training and the first live forecast.

    Args:
        forecaster: With weights that have seen no more than `seen`.
        history: The data; nothing after `until` is read.
        seen: What the weights were trained on.
        until: The first live origin.
        cadence: Steps from one origin to the next.

    Returns:
        See `actuals.COLUMNS`; an origin is `until` less a multiple of the cadence.
    """
    every = -(-history.n_series // MOST_SERIES)
    some = panel.select(history, np.arange(0, history.n_series, every))
    end = calendar.positions(np.full(some.n_series, until), some.starts, some.freq) + 1
    first = seen.steps(some)
    sums = []
    for back in range(MOST_ORIGINS, 0, -1):
        cutoff = end - back * cadence
        fair = np.flatnonzero(
            (first >= 0) & (cutoff >= first) & (cutoff > 0) & (cutoff <= some.lengths)
        )
        if len(fair):
            result = _backtest(forecaster, some, Windows(fair, cutoff[fair]), end)
            origin = calendar.at(until, -back * cadence, some.freq)
            sums.append(summarize(result, BACKTEST, origin))
    known = [table for table in sums if len(table)]
    return pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=COLUMNS)


def origins_of(sums: pd.DataFrame) -> NDArray[Any]:
    """Return the forecast origins in a table of sums, of any version, ascending."""
    return np.unique(_column(sums))


def newest_time(newest: Panel) -> Any:
    """Return the newest time of any series."""
    return calendar.at(newest.starts, newest.lengths - 1, newest.freq).max()


def cadence(origins: NDArray[Any], panel: Panel, horizon: int) -> int:
    """Return the median number of steps from one origin to the next, the horizon at most.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": range(9)}, freq="1", season=1)
        >>> cadence(np.array([0, 2, 4, 7]), panel, horizon=5)
        2
    """
    if len(origins) <= 1:
        return horizon
    steps = calendar.positions(origins, origins[0], panel.freq)
    return int(np.clip(np.median(np.diff(steps)), 1, horizon))


def steps_until_next(origins: NDArray[Any], panel: Panel, gap: int, horizon: int) -> dict[Any, int]:
    """Return for each origin for how many steps its forecasts are the newest ones."""
    if not len(origins):
        return {}
    steps = calendar.positions(origins, origins[0], panel.freq)
    until = np.minimum(np.diff(steps, append=steps[-1] + gap), horizon)
    return dict(zip(origins.tolist(), until.tolist(), strict=True))


def error_by_step(sums: pd.DataFrame) -> "pd.Series[Any]":
    """Return the mean error of each step ahead."""
    total = sums.groupby("step")[["error", "count"]].sum()
    return total["error"] / total["count"]


def points(
    sums: pd.DataFrame, until: dict[Any, int] | int, expected: "pd.Series[Any]"
) -> pd.DataFrame:
    """Return a row per origin with the sums of the steps that its forecasts are the newest for.

    Args:
        sums: Of one version.
        until: Last of these steps, of each origin or of all.
        expected: Mean error by step; the mean of all stands in for a missing step.

    Returns:
        Columns `origin`, `TOTALS` and `ratio`: the error over the expected one of the same steps.
    """
    origins = _column(sums)
    if isinstance(until, int):
        until = dict.fromkeys(origins.tolist(), until)
    last = np.array([until.get(origin, 0) for origin in origins.tolist()], dtype=np.int64)
    newest = sums[sums["step"].to_numpy(dtype=np.int64) <= last]
    mean = expected.mean() if len(expected) else 1.0
    total = newest["step"].map(expected).fillna(mean) * newest["count"]
    grouped = newest.assign(expected=total).groupby("origin", as_index=False, sort=True)
    table = grouped[TOTALS].sum().astype(dict.fromkeys(TOTALS, np.float64))
    due = table["expected"].where(table["expected"] > 0, 1.0)
    table["ratio"] = np.maximum(table["error"] / due, TINY)
    return table


def complete(points: pd.DataFrame, newest: Panel, gap: int) -> pd.DataFrame:
    """Return the points all of whose actuals have arrived."""
    arrived = calendar.at(_column(points), gap, newest.freq) <= newest_time(newest)
    done: pd.DataFrame = points[arrived].reset_index(drop=True)
    return done


def _backtest(
    forecaster: Forecasts, history: Panel, tested: Windows, end: NDArray[np.int64]
) -> Backtest:
    quantiles = forecaster(history, tested)
    horizon = quantiles.shape[1]
    after = tested.cutoff[:, None] + np.arange(horizon) >= end[tested.series][:, None]
    return Backtest(
        tested,
        np.where(after, np.nan, windows.futures(history, tested, horizon)),
        {
            FORESEQ: median_output(quantiles, forecaster.levels),
            SEASONAL_NAIVE: seasonal_naive(history, tested, horizon),
        },
        quantiles,
        mase_scales(history, tested),
        forecaster.levels,
    )


def _column(table: pd.DataFrame) -> NDArray[Any]:
    origin = table["origin"].to_numpy()
    dtype = "int64" if origin.dtype.kind == "i" else "datetime64[ns]"
    return np.asarray(origin, dtype=dtype)
