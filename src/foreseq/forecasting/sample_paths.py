"""Sample paths: simulated trajectories, so that sums over the horizon have intervals, too.

Quantiles describe each step alone, not how steps depend on each other. Past errors show that: a
path takes, at every step, the quantile at the rank that the error of one window held back had there
(the Schaake shuffle of Clark et al. 2004, an empirical copula). At each step the paths have exactly
the distribution of the quantiles. As for the intervals, every window also counts mirrored.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from foreseq.errors import BundleRefused, ConfigError
from foreseq.forecasting.calibration import Calibration

NORMAL = NormalDist()


def draw(
    calibration: Calibration, quantiles: NDArray[np.float64], count: int, seeds: Sequence[int]
) -> NDArray[np.float64]:
    """Return sample paths that have, at each step, the distribution of the quantiles.

    Args:
        calibration: Holds the ranks of errors of windows held back.
        quantiles: Calibrated, shape (windows, horizon, levels).
        count: Sample paths per window.
        seeds: One per window; equal seeds give paths of equal ranks.

    Returns:
        Shape (windows, horizon, count); NaN where there are no quantiles.

    Raises:
        BundleRefused: If no complete window was held back.
    """
    if not len(calibration.together):
        raise BundleRefused(
            "sample paths need a complete validation window, and this forecaster had none;"
            " train it again with more history"
        )
    spread = at_ranks(calibration, quantiles, count)
    ranks = np.stack([_ranks(calibration.together, count, seed) for seed in seeds])
    return np.take_along_axis(spread, ranks, axis=-1)


def at_ranks(
    calibration: Calibration, quantiles: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Return `count` equally likely values of each step, ascending, shape (..., horizon, count).

    Between and beyond the levels, values (or their logarithms, if the forecaster works on those)
    are linear in normal scores, which is exact for normal errors.

    Example:
        >>> fitted = Calibration((0.1, 0.5, 0.9), np.zeros((1, 3)), log=False)
        >>> at_ranks(fitted, np.array([[[-1.0, 0.0, 2.0]]]), 5).round(3).tolist()
        [[[-1.0, -0.409, 0.0, 0.818, 2.0]]]
    """
    weights = _weights(calibration.levels, (np.arange(count) + 0.5) / count)
    if not calibration.log:
        return np.asarray(quantiles @ weights)
    return np.asarray(np.exp(np.log(quantiles) @ weights))


def at_levels(
    forecast: NDArray[np.float64],
    known: tuple[float, ...],
    wanted: tuple[float, ...],
    *,
    log: bool,
) -> NDArray[np.float64]:
    """Return forecasts at other quantile levels, interpolated as in `at_ranks`.

    Args:
        forecast: Shape (windows, horizon, levels).
        known: Its levels, ascending.
        wanted: Levels between the lowest and the highest of these.
        log: Whether the forecaster works on logarithms.

    Returns:
        Shape (windows, horizon, wanted).

    Raises:
        ConfigError: If a level lies outside: nothing is calibrated there.

    Example:
        >>> forecast = np.array([[[-1.0, 0.0, 2.0]]])
        >>> at_levels(forecast, (0.1, 0.5, 0.9), (0.3, 0.9), log=False).round(3).tolist()
        [[[-0.409, 2.0]]]
    """
    outside = [level for level in wanted if not known or not known[0] <= level <= known[-1]]
    if outside:
        calibrated = ", ".join(f"{level:g}" for level in known) or "none"
        raise ConfigError(
            f"quantile {outside[0]:g} must lie between calibrated levels, found {calibrated};"
            " pass quantiles= to Forecaster to calibrate others"
        )
    weights = _weights(known, np.array(wanted))
    return np.asarray(np.exp(np.log(forecast) @ weights) if log else forecast @ weights)


def _weights(levels: tuple[float, ...], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of each level's quantile in the values wanted, shape (levels, wanted)."""
    if len(levels) == 1:
        return np.ones((1, len(wanted)))
    known = np.array([NORMAL.inv_cdf(level) for level in levels])
    scores = np.array([NORMAL.inv_cdf(level) for level in wanted])
    left = np.clip(np.searchsorted(known, scores) - 1, 0, len(known) - 2)
    share = (scores - known[left]) / (known[left + 1] - known[left])
    weights = np.zeros((len(levels), len(wanted)))
    weights[left, np.arange(len(wanted))] = 1 - share
    weights[left + 1, np.arange(len(wanted))] += share
    return weights


def _ranks(together: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Return the rank of each path at each step, shape (horizon, count); no rank comes twice.

    Windows are drawn as evenly as possible; ties of those drawn more than once break at random.
    """
    rng = np.random.default_rng(seed)
    both = np.concatenate([together, len(together) - 1 - together])  # (windows, horizon)
    drawn = both[np.resize(rng.permutation(len(both)), count)]
    order = np.argsort(drawn + rng.random(drawn.shape), axis=0)
    return np.argsort(order, axis=0).T
