"""Contracts that every forecaster has to keep: ours, the baselines and a user's own.

A forecaster is here any callable that takes a panel and windows of it and returns an array of shape
(windows, horizon, outputs).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from foreseq.errors import ForeseqError
from foreseq.series import rows
from foreseq.series.covariates import Covariates
from foreseq.series.panel import Panel, from_series, select
from foreseq.series.windows import Windows, before

ALONE = 3
"""Windows that are also forecast one by one."""
SEED = 1


class ForecastFunction(Protocol):
    """Forecasts windows of a panel."""

    def __call__(self, panel: Panel, windows: Windows, /) -> NDArray[np.float64]:
        """Return forecasts, shape (windows, horizon, outputs)."""


class ContractBroken(ForeseqError):
    """A forecaster does what no forecaster may do."""


class Case(NamedTuple):
    """A forecaster, the data it is checked on and what it forecast."""

    forecast: ForecastFunction
    panel: Panel
    windows: Windows
    horizon: int
    forecasts: NDArray[np.float64]


def check_forecaster(
    forecast: ForecastFunction, *, horizon: int, panel: Panel | None = None, min_past: int = 2
) -> list[str]:
    """Check a forecaster against every contract; return the contracts' names.

    Args:
        forecast: The forecaster.
        horizon: Steps that it forecasts.
        panel: Series to check on; None: synthetic daily series with a weekly season and gaps.
        min_past: Steps that it needs before a cutoff.

    Raises:
        ContractBroken: At the first contract that is broken; the message says which and how.
        SeriesTooShort: If no series of the panel leaves room for a window.

    Example:
        >>> from foreseq.evaluation.baselines import seasonal_naive
        >>> def forecast(panel, windows):
        ...     return seasonal_naive(panel, windows, 14)[..., None]
        >>> len(check_forecaster(forecast, horizon=14))
        8
    """
    panel = synthetic_panel() if panel is None else panel
    windows = _windows(panel, horizon, min_past)
    case = Case(forecast, panel, windows, horizon, np.array(forecast(panel, windows)))
    for name, contract in CONTRACTS.items():
        for complaint in contract(case):
            raise ContractBroken(f"{name}: {complaint}")
    return list(CONTRACTS)


def synthetic_panel() -> Panel:
    """Return daily series of different length and scale, with a weekly season and gaps."""
    rng = np.random.default_rng(SEED)
    longest = 260
    steps = np.arange(longest)
    series: dict[str, Sequence[float]] = {}
    for number, scale in enumerate((1.0, 20.0, 300.0, 4000.0)):
        values = scale * (3 + np.sin(2 * np.pi * (steps + number) / 7) + rng.gamma(4, 0.1, longest))
        values[: 40 * number] = np.nan
        values[rng.integers(60 * number, longest, size=3)] = np.nan
        series[f"series-{number}"] = values.tolist()
    return from_series(series, freq="D", season=7, start="2024-01-01")


def independent(
    forecast: ForecastFunction, panel: Panel, windows: Windows, forecasts: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which forecasts stay the same in reverse order and, for some, alone."""
    same = same_rows(forecasts, forecast(panel, windows.take(slice(None, None, -1)))[::-1])
    for row in range(min(ALONE, windows.count)):
        alone = slice(row, row + 1)
        same[row] &= same_rows(forecasts[alone], forecast(panel, windows.take(alone)))[0]
    return same


def same_rows(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows are equal bit for bit, NaN included.

    Example:
        >>> row = np.array([[0.1 + 0.2], [np.nan]])
        >>> same_rows(row, np.array([[0.3], [np.nan]])).tolist()
        [False, True]
    """
    left, right = (np.ascontiguousarray(rows, np.float64).view(np.int64) for rows in (one, other))
    if left.shape != right.shape:
        return np.zeros(len(left), bool)
    return np.asarray((left == right).reshape(len(left), -1).all(axis=1))


def altered(panel: Panel, windows: Windows, horizon: int) -> Panel:
    """Return the panel with absurd values after the first cutoff of each series.

    Covariates known ahead are altered from the end of the horizon on, others from the cutoff on.
    """
    first = panel.lengths.copy()
    np.minimum.at(first, windows.series, windows.cutoff)
    values = _altered(panel.values, panel.offsets, first)
    return replace(panel, values=values, covariates=_covariates(panel.covariates, first, horizon))


def _covariates(
    beside: Covariates | None, first: NDArray[np.int64], horizon: int
) -> Covariates | None:
    if beside is None:
        return None
    values = np.array(beside.values)
    for at in range(values.shape[1]):
        known = first + (horizon if beside.columns[at].role == "future" else 0)
        if beside.columns[at].categories:
            values[_later(beside.offsets, known), at] = np.nan
        else:
            values[:, at] = _altered(values[:, at], beside.offsets, known)
    return replace(beside, values=values)


def _altered(
    values: NDArray[np.float64], offsets: NDArray[np.int64], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    later, values = _later(offsets, first), np.array(values)
    values[later] = -1e3 * (1 + np.abs(values[later]))
    return values


def _later(offsets: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which steps of all series come after the first ones, shape (steps_total,)."""
    return np.asarray(rows.steps(offsets) >= np.repeat(first, np.diff(offsets)))


def _forecasts_the_horizon(case: Case) -> Iterator[str]:
    expected, shape = (case.windows.count, case.horizon), case.forecasts.shape
    if len(shape) != 3 or shape[:2] != expected or not shape[2]:  # noqa: PLR2004 three axes
        yield f"shape (windows, horizon, outputs) = {(*expected, 'any')} is needed, found {shape}"


def _quantiles_ascend(case: Case) -> Iterator[str]:
    if (np.diff(case.forecasts, axis=-1) < 0).any():
        yield "quantiles must ascend, found some that cross"


def _forecasts_are_finite(case: Case) -> Iterator[str]:
    complete = np.isfinite(before(case.panel, case.windows, 2 * case.panel.season)).all(axis=1)
    missing = complete & ~np.isfinite(case.forecasts).all(axis=(1, 2))
    if missing.any():
        yield f"{missing.sum()} windows with a complete recent past have no finite forecast"


def _is_deterministic(case: Case) -> Iterator[str]:
    if not same_rows(case.forecasts, case.forecast(case.panel, case.windows)).all():
        yield "the same windows must have the same forecasts, bit for bit"


def _leaves_the_panel_unchanged(case: Case) -> Iterator[str]:
    fingerprint = case.panel.fingerprint()
    case.forecast(case.panel, case.windows)
    if case.panel.fingerprint() != fingerprint:
        yield "forecasting has altered the panel"


def _forecasts_windows_independently(case: Case) -> Iterator[str]:
    same = independent(case.forecast, case.panel, case.windows, case.forecasts)
    if not same.all():
        yield f"{(~same).sum()} forecasts depend on the order or number of windows"


def _does_not_look_ahead(case: Case) -> Iterator[str]:
    back = case.windows.cutoff - case.panel.lengths[case.windows.series]
    for steps in np.unique(back):
        windows = case.windows.take(back == steps)
        again = case.forecast(altered(case.panel, windows, case.horizon), windows)
        same = same_rows(case.forecasts[back == steps], again)
        if not same.all():
            yield (
                f"{(~same).sum()} of {windows.count} forecasts changed when all values after"
                " their cutoff were altered"
            )


def _knows_series_by_their_past(case: Case) -> Iterator[str]:
    """A series under another name, alone in its panel, has the same past and the same forecast."""
    position = int(case.windows.series[-1])
    rows = case.windows.series == position
    alone = replace(select(case.panel, [position]), ids=np.array(["an unknown series"]))
    windows = Windows(np.zeros(rows.sum(), np.int64), case.windows.cutoff[rows])
    if not same_rows(case.forecasts[rows], case.forecast(alone, windows)).all():
        yield "a series under another name, alone, is forecast otherwise"


CONTRACTS: dict[str, Callable[[Case], Iterator[str]]] = {
    "forecasts the horizon": _forecasts_the_horizon,
    "quantiles ascend": _quantiles_ascend,
    "forecasts are finite": _forecasts_are_finite,
    "is deterministic": _is_deterministic,
    "leaves the panel unchanged": _leaves_the_panel_unchanged,
    "forecasts windows independently": _forecasts_windows_independently,
    "does not look ahead": _does_not_look_ahead,
    "knows series by their past": _knows_series_by_their_past,
}
"""By name; each yields what is wrong."""


def _windows(panel: Panel, horizon: int, min_past: int) -> Windows:
    """Return of each series the newest window with a known future, one amid, and the very end."""
    newest = panel.lengths - horizon
    amid = (panel.lengths + min_past) // 2
    cutoffs = np.stack([amid, newest, panel.lengths], axis=1)
    series = np.repeat(np.arange(panel.n_series), cutoffs.shape[1])
    windows = Windows(series, cutoffs.ravel())
    return windows.take(windows.cutoff >= min_past)
