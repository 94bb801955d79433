"""Data drift: level and scale of the newest steps against those before the first forecast."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.metrics import mean_known
from foreseq.series import calendar, rows
from foreseq.series.panel import Panel

BLOCKS = 5
"""Blocks of the past from which the usual change of a series is estimated."""
FAR = 4.0
"""Usual changes (sigma) beyond which a series has drifted."""
MANY = 0.25
"""Share of drifted series from which the panel has drifted."""


class DataDrift(NamedTuple):
    """Difference between the newest block of steps and the last one before the first forecast."""

    level: float
    """Median over series of the change of the mean, in sigma; NaN if no series has enough past."""
    scale: float
    """The same of the logarithm of the spread."""
    drifted: int
    """Series whose level or scale changed by more than `FAR`."""
    series: int
    """Series with enough past."""
    columns: tuple[str, ...] = ()
    """Covariates of which as many series have drifted."""

    def __str__(self) -> str:
        """Return one line for people.

        Example:
            >>> print(DataDrift(level=6.2, scale=0.1, drifted=8, series=9))
            data drift in 8 of 9 series (median level shift +6.2 sigma, log scale +0.1)
        """
        if not self.series:
            return "history too short to test for data drift"
        median = f"(median level shift {self.level:+.1f} sigma, log scale {self.scale:+.1f})"
        beside = f"; of the covariates {', '.join(self.columns)} drifted" if self.columns else ""
        if not self.is_widespread:
            return f"no data drift: {self.drifted} of {self.series} series drifted {median}{beside}"
        return f"data drift in {self.drifted} of {self.series} series {median}{beside}"

    @property
    def is_widespread(self) -> bool:
        """Whether so many series have drifted that the panel has."""
        return self.series > 0 and self.drifted >= MANY * self.series


UNKNOWN = DataDrift(np.nan, np.nan, 0, 0)


def data_drift(panel: Panel, until: Any, block: int) -> DataDrift:
    """Return the drift of a panel, with the names of its covariates that have drifted.

    Args:
        panel: The newest data.
        until: The first forecast origin.
        block: Steps of a block, see `drift_of_values`.
    """
    drifted, beside = [], panel.covariates
    if beside is not None:
        lengths = np.diff(beside.offsets)
        inside = rows.steps(beside.offsets) < np.repeat(panel.lengths, lengths)
        for column, values in zip(beside.columns, beside.values[inside].T, strict=False):
            known = np.isfinite(values)
            alone = replace(panel, values=np.nan_to_num(values), observed=known, covariates=None)
            if not column.categories and drift_of_values(alone, until, block).is_widespread:
                drifted.append(column.name)
    return drift_of_values(panel, until, block)._replace(columns=tuple(drifted))


def drift_of_values(panel: Panel, until: Any, block: int) -> DataDrift:
    """Compare the newest block of each series with the last one that ended by `until`.

    Sigma is the root mean square of the changes between past blocks that lie as far apart; if the
    past is too short for that, of nearer ones, scaled by the square root of the distance.

    Args:
        panel: The newest data.
        until: The first forecast origin.
        block: Steps of a block; rounded up to whole seasons, so that these do not count as drift.
    """
    block = _whole_seasons(block, panel)
    end = calendar.positions(np.full(panel.n_series, until), panel.starts, panel.freq) + 1
    changes = np.full((panel.n_series, 2), np.nan)
    for series in range(panel.n_series):
        values = np.where(panel.seen(series), panel.series(series), np.nan)
        past, newer = values[: max(0, int(end[series]))], values[max(0, int(end[series])) :]
        if len(newer) >= block and len(past) >= (BLOCKS + 1) * block:
            changes[series] = _changes(past, values[-block:], -(-len(newer) // block), block)
    known = np.isfinite(changes).all(axis=1)
    far = (np.abs(changes[known]) > FAR).any(axis=1)
    level, scale = np.median(changes[known], axis=0) if known.any() else (np.nan, np.nan)
    return DataDrift(float(level), float(scale), int(far.sum()), int(known.sum()))


def _whole_seasons(block: int, panel: Panel) -> int:
    """Return the steps of a block: whole seasons where the history is long enough for these."""
    season = panel.season
    whole = -(-block // season) * season
    return whole if np.median(panel.lengths) >= (BLOCKS + 2) * whole else block


def _changes(
    past: NDArray[np.float64], newest: NDArray[np.float64], apart: int, block: int
) -> NDArray[np.float64]:
    """Return the changes of level and log scale, in sigma, shape (2,)."""
    blocks = past[len(past) % block :].reshape(-1, block)  # (blocks, block)
    statistics = _level_and_scale(np.concatenate([blocks, newest[None]]))  # (blocks + 1, 2)
    lag = min(apart, len(blocks) // 2)
    usual = statistics[lag:-1] - statistics[: -1 - lag]
    sigma = np.sqrt(mean_known(usual.T**2) * apart / lag)
    change = statistics[-1] - statistics[-2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(statistics[-1] == statistics[-2], 0.0, change / sigma)


def _level_and_scale(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean and log standard deviation of each block, shape (blocks, 2)."""
    level = mean_known(blocks)
    spread = np.sqrt(mean_known((blocks - level[:, None]) ** 2))
    least = np.finfo(np.float64).tiny  # finite logarithms of blocks without spread
    return np.stack([level, np.log(np.maximum(spread, least))], axis=-1)
