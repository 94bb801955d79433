"""Whether the inputs moved: level and scale of the newest steps against those trained on."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.metrics import mean_known
from foreseq.series import calendar
from foreseq.series.panel import Panel

BLOCKS = 5
"""Blocks of the past that tell how much a series usually moves from one to the next."""
FAR = 4.0
"""Usual moves beyond which a series counts as moved."""
MANY = 0.25
"""Share of moved series that is worth a word."""


class Drift(NamedTuple):
    """How the newest block of steps differs from the last one before the forecasts began."""

    level: float
    """Median over series of the change of the mean, in usual moves; NaN if no series can tell."""
    scale: float
    """The same of the logarithm of the spread."""
    moved: int
    """Series whose level or scale moved further than luck explains."""
    series: int
    """Series that can tell: they have enough past."""

    def __str__(self) -> str:
        """Return it in words.

        Example:
            >>> print(Drift(level=6.2, scale=0.1, moved=8, series=9))
            the inputs moved: 8 of 9 series (level +6.2, scale +0.1 usual moves)
        """
        if not self.series:
            return "the history is too short to tell whether the inputs moved"
        told = f"(level {self.level:+.1f}, scale {self.scale:+.1f} usual moves)"
        if self.moved < MANY * self.series:
            return f"the inputs are as they were: {self.moved} of {self.series} series moved {told}"
        return f"the inputs moved: {self.moved} of {self.series} series {told}"


UNKNOWN = Drift(np.nan, np.nan, 0, 0)


def drift(panel: Panel, until: Any, block: int) -> Drift:
    """Compare the newest block of each series with the last one that ended by `until`.

    A usual move is the spread of the changes between blocks of the past that lie as far apart; of a
    short past, nearer ones, times the root of how much nearer they are.

    Args:
        panel: The newest data.
        until: The last time known when the first forecast was made.
        block: Steps of a block; whole seasons, so that these do not count as moves.
    """
    block = _whole_seasons(block, panel)
    end = calendar.positions(np.full(panel.n_series, until), panel.starts, panel.freq) + 1
    moves = np.full((panel.n_series, 2), np.nan)
    for series in range(panel.n_series):
        values = np.where(panel.seen(series), panel.series(series), np.nan)
        past, newer = values[: max(0, int(end[series]))], values[max(0, int(end[series])) :]
        if len(newer) >= block and len(past) >= (BLOCKS + 1) * block:
            moves[series] = _moves(past, values[-block:], -(-len(newer) // block), block)
    known = np.isfinite(moves).all(axis=1)
    far = (np.abs(moves[known]) > FAR).any(axis=1)
    level, scale = np.median(moves[known], axis=0) if known.any() else (np.nan, np.nan)
    return Drift(float(level), float(scale), int(far.sum()), int(known.sum()))


def _whole_seasons(block: int, panel: Panel) -> int:
    """Return the steps of a block: whole seasons where the history is long enough for these."""
    season = panel.season
    whole = -(-block // season) * season
    return whole if np.median(panel.lengths) >= (BLOCKS + 2) * whole else block


def _moves(
    past: NDArray[np.float64], newest: NDArray[np.float64], apart: int, block: int
) -> NDArray[np.float64]:
    """Return how far level and scale moved, in usual moves, shape (2,)."""
    blocks = past[len(past) % block :].reshape(-1, block)  # (blocks, block)
    told = _told(np.concatenate([blocks, newest[None]]))  # (blocks + 1, 2)
    lag = min(apart, len(blocks) // 2)
    changes = told[lag:-1] - told[: -1 - lag]
    usual = np.sqrt(mean_known(changes.T**2) * apart / lag)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(told[-1] == told[-2], 0.0, (told[-1] - told[-2]) / usual)


def _told(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return level and log spread of each block, shape (blocks, 2); of one step there is none."""
    level = mean_known(blocks)
    spread = np.sqrt(mean_known((blocks - level[:, None]) ** 2))
    least = np.finfo(np.float64).tiny  # a number, so that none less none is none
    return np.stack([level, np.log(np.maximum(spread, least))], axis=-1)
