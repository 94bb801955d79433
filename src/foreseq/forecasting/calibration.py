"""Calibrated prediction intervals, from forecast errors on windows held back (split conformal).

Errors on windows that were not trained on, in units of how much each window varies, are ranked for
each step ahead and level; the ranked error is then added to new forecasts. Why in those units:
series of any level share their errors, and a series never seen can have an interval. Why an error
above also counts below, at the mirrored level: the windows held back are often of the same few
weeks, which push all series one way.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import MEDIAN
from foreseq.metrics import mean_known

ROUNDING = 1e-9
TAIL = 10
"""Errors wanted beyond the outermost level; steps with fewer use those of their neighbours."""
KEPT = 500
"""Most windows whose errors are kept for sample paths."""


class Calibration(NamedTuple):
    """What to add to a forecast to reach each level, in units of the window's own variation."""

    levels: tuple[float, ...]
    """Ascending, the median among them."""
    offsets: NDArray[np.float64]
    """Shape (horizon, levels); zero for the median, which stays as the network predicts it."""
    log: bool
    """Whether errors are differences of logarithms."""
    together: NDArray[np.int64] = np.zeros((0, 0), np.int64)
    """Rank of the median's error among some windows held back, at each step, shape (windows,
    horizon): which errors occur together."""
    cold: NDArray[np.float64] = np.zeros((0, 0))
    """As the offsets, for series without any y; empty: there is no forecast of these."""

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and numbers, which JSON keeps to the last bit."""
        ranks = [" ".join(map(str, window)) for window in self.together.tolist()]
        offsets = {"offsets": self.offsets.tolist(), "cold": self.cold.tolist()}
        return self._asdict() | offsets | {"together": ranks}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Calibration":
        """Return the calibration of `to_json`; ValueError or KeyError if it is not one."""
        offsets = np.array(fields["offsets"], dtype=np.float64)
        levels = tuple(float(level) for level in fields["levels"])
        if offsets.shape[1:] != (len(levels),) or not np.isfinite(offsets).all():
            raise ValueError(f"offsets of shape {offsets.shape} for {len(levels)} levels")
        ranks = np.array([window.split() for window in fields["together"]], dtype=np.int64)
        together = ranks.reshape(-1, len(offsets))
        cold = np.array(fields["cold"], dtype=np.float64).reshape(-1, len(levels))
        if len(cold) not in (0, len(offsets)) or not np.isfinite(cold).all():
            raise ValueError(f"cold offsets of shape {cold.shape} beside {offsets.shape}")
        return cls(levels, offsets, bool(fields["log"]), together, cold)


def fit(
    actual: NDArray[np.float64],
    forecasts: NDArray[np.float64],
    unit: NDArray[np.float64],
    levels: tuple[float, ...],
    *,
    log: bool,
) -> Calibration:
    """Rank the errors of forecasts on windows held back.

    Args:
        actual: Observed values, shape (windows, horizon); NaN where not observed.
        forecasts: One per level, shape (windows, horizon, levels).
        unit: How much each window varies, shape (windows,).
        levels: Of the intervals, ascending, the median among them.
        log: Whether the network works on logarithms.

    Example:
        >>> actual = np.arange(9.0)[:, None]  # 9 windows, 1 step ahead
        >>> forecasts = np.zeros((9, 1, 3))
        >>> fit(actual, forecasts, np.ones(9), (0.2, 0.5, 0.8), log=False).offsets.tolist()
        [[-6.0, 0.0, 6.0]]
    """
    horizon = actual.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        truth = actual[..., None]  # (windows, horizon, 1)
        errors = (np.log(truth / forecasts) if log else truth - forecasts) / unit[:, None, None]
    offsets = np.zeros((horizon, len(levels)))
    for step in range(horizon):
        for place, level in enumerate(levels):
            if level != MEDIAN:
                both = _with_mirrored(errors, levels, place)
                near = _enough(both, step, round(TAIL / min(level, 1 - level)))
                offsets[step, place] = conformal_quantile(near, level)
    together = _together(errors[..., levels.index(MEDIAN)])
    return Calibration(levels, offsets, log, together)


def apply(
    calibration: Calibration,
    forecasts: NDArray[np.float64],
    unit: NDArray[np.float64],
    cold: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return calibrated quantiles, ascending around the median, which stays as it was.

    Args:
        calibration: From `fit`.
        forecasts: Of the network, one per level, shape (windows, horizon, levels).
        unit: How much each window varies, shape (windows,).
        cold: Which windows have no y at all, shape (windows,); None: none.
    """
    offsets = calibration.offsets
    if cold is not None and cold.any():
        offsets = np.where(cold[:, None, None], calibration.cold, offsets)
    shift = offsets * unit[:, None, None]
    shifted = forecasts * np.exp(shift) if calibration.log else forecasts + shift
    place = calibration.levels.index(MEDIAN)
    median = forecasts[..., place, None]
    lower = np.sort(np.minimum(shifted[..., :place], median), axis=-1)
    upper = np.sort(np.maximum(shifted[..., place + 1 :], median), axis=-1)
    return np.concatenate([lower, median, upper], axis=-1)


def conformal_quantile(errors: NDArray[np.float64], level: float) -> float:
    """Return the error that a new one stays below with probability `level` or a little more.

    Of n known errors the one of rank `ceil((n + 1) * level)`; below the median the mirror image, so
    that both bounds are rather too wide. Too few errors to rank that far give the outermost one.

    Example:
        >>> errors = np.arange(1.0, 20.0)  # 19 of them: 1 ... 19
        >>> conformal_quantile(errors, 0.9), conformal_quantile(errors, 0.1)
        (18.0, 2.0)
        >>> conformal_quantile(errors[:3], 0.99)
        3.0
    """
    if level < MEDIAN:
        return -conformal_quantile(-errors, 1 - level)
    known = np.sort(errors[np.isfinite(errors)])
    if not len(known):
        return 0.0
    rank = int(np.ceil(round((len(known) + 1) * level, 9)))  # 0.1 * 30 must not be 3.0000000000004
    return float(known[min(rank, len(known)) - 1])


def unit(past: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Return how much each window varies: the mean change from one season to the next.

    Where that is unknown or zero, it is the mean distance from the mean.

    Args:
        past: Newest values before the cutoff, or their logarithms, shape (windows, steps); NaN
            where not observed.

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
    forecasts: NDArray[np.float64], known: tuple[float, ...], levels: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return a network's output for each level: its own quantile if it has one, else the median.

    Args:
        forecasts: Of the network, shape (windows, horizon, outputs).
        known: Level of each output; none for a point forecast.
        levels: Those wanted.

    Returns:
        Shape (windows, horizon, levels).
    """
    own = known or (MEDIAN,)
    outputs = [own.index(level if level in own else MEDIAN) for level in levels]
    return forecasts[..., outputs]


def _together(errors: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the ranks of errors at each step, of some complete windows, evenly spaced."""
    complete = errors[np.isfinite(errors).all(axis=1)]
    kept = complete[:: -(-len(complete) // KEPT) or 1]
    return np.argsort(np.argsort(kept, axis=0, kind="stable"), axis=0)


def _with_mirrored(
    errors: NDArray[np.float64], levels: tuple[float, ...], place: int
) -> NDArray[np.float64]:
    """Return the errors of a level and, negated, those of the mirrored level."""
    distance = np.abs(np.array(levels) - (1 - levels[place]))
    mirrored = int(distance.argmin())
    if distance[mirrored] > ROUNDING:
        return errors[..., place]
    return np.concatenate([errors[..., place], -errors[..., mirrored]])


def _enough(errors: NDArray[np.float64], step: int, wanted: int) -> NDArray[np.float64]:
    """Return the errors of a step ahead and of as many steps around it as it takes."""
    horizon = errors.shape[1]
    for reach in range(horizon):
        near = errors[:, max(0, step - reach) : step + reach + 1]
        if np.isfinite(near).sum() >= wanted:
            break
    return near
