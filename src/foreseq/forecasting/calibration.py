"""Intervals that cover what they say: how far forecasts missed on windows held back.

Split conformal prediction: misses on windows that the network did not learn from, in units of how
much each window moves, are ranked, for each step ahead and level on its own; the ranked miss is
then added to new forecasts. Why in those units: series of any level then share their misses, and
one never seen can be given an interval. Why a miss above counts below as well, at the mirrored
level: the windows held back are often of the same few weeks, which push all series one way.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import MEDIAN
from foreseq.metrics import mean_known

ROUNDING = 1e-9
TAIL = 10
"""Misses wanted beyond the outermost level; with fewer at one step ahead, its neighbours lend."""
KEPT = 500
"""Windows, at most, whose misses are kept whole."""


class Calibration(NamedTuple):
    """What to add to a forecast, in units of the window's own movement, to reach each level."""

    levels: tuple[float, ...]
    """Ascending, the median among them."""
    offsets: NDArray[np.float64]
    """Shape (horizon, levels); zero for the median, which stays what the network says."""
    log: bool
    """Whether misses are ratios, their logarithms counted, rather than differences."""
    together: NDArray[np.int64] = np.zeros((0, 0), np.int64)
    """Rank of the median's miss among some windows held back, step by step, shape (windows,
    horizon): which misses go together. None were kept before paths were drawn from them."""

    def as_told(self) -> dict[str, Any]:
        """Return plain lists and numbers, which JSON takes to the last bit."""
        ranks = [" ".join(map(str, window)) for window in self.together.tolist()]
        return self._asdict() | {"offsets": self.offsets.tolist(), "together": ranks}

    @classmethod
    def from_told(cls, told: dict[str, Any]) -> "Calibration":
        """Return what `as_told` told; ValueError or KeyError if it is something else."""
        offsets = np.array(told["offsets"], dtype=np.float64)
        levels = tuple(float(level) for level in told["levels"])
        if offsets.shape[1:] != (len(levels),) or not np.isfinite(offsets).all():
            raise ValueError(f"offsets of shape {offsets.shape} for {len(levels)} levels")
        ranks = np.array([window.split() for window in told.get("together", [])], dtype=np.int64)
        together = ranks.reshape(-1, len(offsets))
        return cls(levels, offsets, bool(told["log"]), together)


def fit(
    actual: NDArray[np.float64],
    answers: NDArray[np.float64],
    unit: NDArray[np.float64],
    levels: tuple[float, ...],
    *,
    log: bool,
) -> Calibration:
    """Rank the misses of forecasts on windows held back.

    Args:
        actual: What came, shape (windows, horizon); NaN where not observed.
        answers: What was forecast for each level, shape (windows, horizon, levels).
        unit: How much each window moves, shape (windows,).
        levels: Of the intervals, ascending, the median among them.
        log: Whether the network works on logarithms, whose misses are ratios.

    Example:
        >>> missed = np.arange(9.0)[:, None]  # 9 windows, 1 step ahead
        >>> answers = np.zeros((9, 1, 3))
        >>> fit(missed, answers, np.ones(9), (0.2, 0.5, 0.8), log=False).offsets.tolist()
        [[-6.0, 0.0, 6.0]]
    """
    horizon = actual.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        truth = actual[..., None]  # (windows, horizon, 1)
        missed = (np.log(truth / answers) if log else truth - answers) / unit[:, None, None]
    offsets = np.zeros((horizon, len(levels)))
    for step in range(horizon):
        for place, level in enumerate(levels):
            if level != MEDIAN:
                both = _with_mirrored(missed, levels, place)
                near = _enough(both, step, round(TAIL / min(level, 1 - level)))
                offsets[step, place] = conformal_quantile(near, level)
    middle = missed[..., levels.index(MEDIAN)]
    return Calibration(levels, offsets, log, _together(middle))


def apply(
    calibration: Calibration, answers: NDArray[np.float64], unit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return calibrated quantiles, ascending around the median, which stays as it was.

    Args:
        calibration: From `fit`.
        answers: What the network says for each level, shape (windows, horizon, levels).
        unit: How much each window moves, shape (windows,).
    """
    shift = calibration.offsets * unit[:, None, None]
    moved = answers * np.exp(shift) if calibration.log else answers + shift
    place = calibration.levels.index(MEDIAN)
    middle = answers[..., place, None]
    lower = np.sort(np.minimum(moved[..., :place], middle), axis=-1)
    upper = np.sort(np.maximum(moved[..., place + 1 :], middle), axis=-1)
    return np.concatenate([lower, middle, upper], axis=-1)


def conformal_quantile(missed: NDArray[np.float64], level: float) -> float:
    """Return the miss that a new one stays below with probability `level`, or a little more surely.

    Of n known misses the one of rank `ceil((n + 1) * level)`; below the median the mirror image, so
    that both bounds err to the wide side. Too few misses to rank that far give the outermost one.

    Example:
        >>> missed = np.arange(1.0, 20.0)  # 19 of them: 1 ... 19
        >>> conformal_quantile(missed, 0.9), conformal_quantile(missed, 0.1)
        (18.0, 2.0)
        >>> conformal_quantile(missed[:3], 0.99)
        3.0
    """
    if level < MEDIAN:
        return -conformal_quantile(-missed, 1 - level)
    known = np.sort(missed[np.isfinite(missed)])
    if not len(known):
        return 0.0
    rank = int(np.ceil(round((len(known) + 1) * level, 9)))  # 0.1 * 30 must not be 3.0000000000004
    return float(known[min(rank, len(known)) - 1])


def unit(past: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Return how much each window moves: the mean change from one season to the next.

    Where that is not known, or nothing changes, it is the mean distance from the mean.

    Args:
        past: Newest values before the cutoff, or their logarithms, shape (windows, steps); NaN
            where not observed.
        season: Steps after which the pattern repeats.

    Example:
        >>> nan = np.nan
        >>> past = np.array([[1.0, 2.0, 3.0, 5.0], [nan, nan, 4.0, 7.0], [1.0, 2.0, 1.0, 2.0]])
        >>> unit(past, 2).tolist()
        [2.5, 1.5, 0.5]
    """
    change = mean_known(np.abs(past[:, season:] - past[:, :-season]))
    spread = mean_known(np.abs(past - mean_known(past)[:, None]))
    return np.where(change > 0, change, np.nan_to_num(spread))


def of_levels(
    answers: NDArray[np.float64], known: tuple[float, ...], levels: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return what a network says for each level: its own quantile if it has one, else the median.

    Args:
        answers: Of the network, shape (windows, horizon, outputs).
        known: Level of each output; none for a point forecast.
        levels: Wanted.

    Returns:
        Shape (windows, horizon, levels).
    """
    own = known or (MEDIAN,)
    outputs = [own.index(level if level in own else MEDIAN) for level in levels]
    return answers[..., outputs]


def _together(missed: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the ranks of misses at each step, of some complete windows, evenly taken."""
    complete = missed[np.isfinite(missed).all(axis=1)]
    kept = complete[:: -(-len(complete) // KEPT) or 1]
    return np.argsort(np.argsort(kept, axis=0, kind="stable"), axis=0)


def _with_mirrored(
    missed: NDArray[np.float64], levels: tuple[float, ...], place: int
) -> NDArray[np.float64]:
    """Return the misses of a level and, reversed, of the one as far on the other side."""
    distance = np.abs(np.array(levels) - (1 - levels[place]))
    mirrored = int(distance.argmin())
    if distance[mirrored] > ROUNDING:
        return missed[..., place]
    return np.concatenate([missed[..., place], -missed[..., mirrored]])


def _enough(missed: NDArray[np.float64], step: int, wanted: int) -> NDArray[np.float64]:
    """Return the misses of a step ahead and of as many steps around it as it takes."""
    horizon = missed.shape[1]
    for reach in range(horizon):
        near = missed[:, max(0, step - reach) : step + reach + 1]
        if np.isfinite(near).sum() >= wanted:
            break
    return near
