"""Sums to the points of a chart: one for each moment of forecasting."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.series import calendar
from foreseq.series.panel import Panel

TINY = 1e-3
"""Share of the expected error below which a smaller one is no better."""
TOTALS = ["count", "error", "naive", "inside", "due"]


def moments(sums: pd.DataFrame) -> NDArray[Any]:
    """Return when forecasts were made, of any version, ascending."""
    return np.unique(_made(sums))


def end_of(series: Panel) -> Any:
    """Return the newest time of any series."""
    return calendar.at(series.starts, series.lengths - 1, series.freq).max()


def cadence(made: NDArray[Any], series: Panel, horizon: int) -> int:
    """Return the usual number of steps from one forecast to the next, the horizon at most.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> series = from_series({"a": range(9)}, freq="1", season=1)
        >>> cadence(np.array([0, 2, 4, 7]), series, horizon=5)
        2
    """
    if len(made) <= 1:
        return horizon
    steps = calendar.positions(made, made[0], series.freq)
    return int(np.clip(np.median(np.diff(steps)), 1, horizon))


def until_next(made: NDArray[Any], series: Panel, gap: int, horizon: int) -> dict[Any, int]:
    """Return for each moment for how many steps its forecasts are the newest ones."""
    if not len(made):
        return {}
    steps = calendar.positions(made, made[0], series.freq)
    until = np.minimum(np.diff(steps, append=steps[-1] + gap), horizon)
    return dict(zip(made.tolist(), until.tolist(), strict=True))


def same_for_all(sums: pd.DataFrame, gap: int) -> dict[Any, int]:
    """Return the same number of steps for each moment."""
    return dict.fromkeys(_made(sums).tolist(), gap)


def per_step(sums: pd.DataFrame) -> "pd.Series[Any]":
    """Return the mean error of each step ahead."""
    total = sums.groupby("step")[["error", "count"]].sum()
    return total["error"] / total["count"]


def points_of(
    sums: pd.DataFrame, until: dict[Any, int], expected: "pd.Series[Any]"
) -> pd.DataFrame:
    """Return a row per moment with the sums of the steps that its forecasts are the newest for.

    Args:
        sums: Of one version.
        until: Moment to the last of these steps.
        expected: Step to mean error; a step that is not there is expected to err like the others.

    Returns:
        Columns `moment`, `TOTALS` and `ratio`: error over what was expected of the same steps.
    """
    made = _made(sums)
    last = np.array([until.get(moment, 0) for moment in made.tolist()], dtype=np.int64)
    newest = sums[sums["step"].to_numpy(dtype=np.int64) <= last]
    mean = expected.mean() if len(expected) else 1.0
    due = newest["step"].map(expected).fillna(mean) * newest["count"]
    table = newest.assign(due=due).groupby("moment", as_index=False, sort=True)[TOTALS].sum()
    table = table.astype(dict.fromkeys(TOTALS, np.float64))
    table["ratio"] = np.maximum(table["error"] / table["due"].where(table["due"] > 0, 1.0), TINY)
    return table


def complete(points: pd.DataFrame, series: Panel, gap: int) -> pd.DataFrame:
    """Return the points that have met all the actuals they wait for."""
    known = calendar.at(_made(points), gap, series.freq) <= end_of(series)
    done: pd.DataFrame = points[known].reset_index(drop=True)
    return done


def _made(table: pd.DataFrame) -> NDArray[Any]:
    moment = table["moment"].to_numpy()
    if moment.dtype.kind == "i":
        return np.asarray(moment, dtype=np.int64)
    return np.asarray(moment, dtype="datetime64[ns]")
