"""Summary statistics of series, and the simulated series whose statistics match those of real ones.

Approximate Bayesian computation: of many simulated series those are kept whose summary statistics
come near the ones of the real series (Pritchard et al. 1999, Molecular Biology and Evolution 16;
Beaumont, Zhang and Balding 2002, Genetics 162). Few series are weak evidence, so the tolerance
falls with their number, as the width of a kernel density does (Scott 1992, Multivariate Density
Estimation).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Values = NDArray[np.float64]

MIN_STEPS = 8
"""Fewest steps of a series that has features."""
MIN_SEASONS = 5
"""Seasons from which on their means show a trend; with fewer, shorter blocks are used."""
BLOCKS = 8
"""Number of such shorter blocks."""
SMALLEST = 1e-3
"""Added to both parts of a ratio, in standard deviations: smaller moves do not count."""
LARGEST = 10.0
"""Largest absolute value of a feature."""
EDGE = 0.01
"""Quantile of the simulated features, at both ends, to which real features are clipped."""
KERNEL_WIDTH = 0.7
"""In widths of Scott's rule, which is for smooth densities with one peak."""


def extract(values: Values, season: int) -> Values:
    """Return the features of series, independent of level and scale.

    Of the means of seasons (of `BLOCKS` blocks where there are few seasons): how steadily they
    rise, whether a change goes on, whether it grows, and the largest change against the mean one.
    Of the steps: their roughness, and the share of unchanged values. With a season: the difference
    from the season before. With blocks of several steps: the growth of the spread within them.

    Args:
        values: Shape (series, time), at least `MIN_STEPS` steps.
        season: Steps after which the pattern repeats; 1 means none.

    Returns:
        Shape (series, features); the number of features depends on season and time alone.

    Example:
        >>> line, saw = np.arange(12.0), np.arange(12.0) % 2
        >>> features = extract(np.stack([line, saw]), 1).T.round(1)
        >>> steady, goes_on, grows, largest, rough, unchanged = features.tolist()
        >>> steady
        [7.1, 0.2]
        >>> goes_on, rough
        ([0.0, -1.0], [-1.2, 0.7])
    """
    count, steps = values.shape
    size = season if steps >= MIN_SEASONS * season else max(1, steps // BLOCKS)
    blocks = values[:, steps % size :].reshape(count, -1, size)
    spread = SMALLEST * values.std(axis=1) + np.finfo(float).tiny
    changes = np.diff(blocks.mean(axis=2), axis=1)
    mean, unit = changes.mean(axis=1), changes.std(axis=1) + spread
    scaled = (changes - mean[:, None]) / unit[:, None]
    older, newer = np.array_split(scaled, 2, axis=1)
    moves = np.abs(np.diff(values, axis=1))
    features = [
        np.arcsinh(2 * mean / unit),
        (scaled[:, 1:] * scaled[:, :-1]).mean(axis=1),
        np.arcsinh(newer.mean(axis=1) - older.mean(axis=1)),
        _ratio(np.abs(changes).max(axis=1), np.abs(changes).mean(axis=1), spread),
        _ratio(moves.mean(axis=1), values.std(axis=1), spread),
        (moves == 0).mean(axis=1),
    ]
    if 1 < season < steps:
        seasonal = np.abs(values[:, season:] - values[:, :-season]).mean(axis=1)
        features.append(_ratio(seasonal, values.std(axis=1), spread))
    if size > 1:
        before, after = np.array_split(blocks.std(axis=2), 2, axis=1)
        features.append(_ratio(after.mean(axis=1), before.mean(axis=1), spread))
    return np.asarray(np.clip(np.stack(features, axis=1), -LARGEST, LARGEST))


def of_newest(series: Sequence[Values], steps: int, season: int) -> Values:
    """Return the features of the newest `steps` steps of series of any length.

    Series with fewer than half of the steps, or fewer than `MIN_STEPS`, are left out.

    Returns:
        Shape (series, features); shape (0,) if none is long enough.
    """
    newest = [y[-steps:] for y in series if min(len(y), steps) >= max(MIN_STEPS, steps // 2)]
    rows = [extract(y[None], season)[0] for y in newest]
    width = extract(np.zeros((1, steps)), season).shape[1] if rows else 0
    return np.array([row for row in rows if len(row) == width])  # shorter series may lack some


def resembling(
    simulated: Values, real: Values, season: int, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return `count` positions of simulated series that resemble real ones, some repeatedly.

    Args:
        simulated: Shape (simulated, time).
        real: Features of real series over as many steps, from `of_newest`.
        season: Steps after which the pattern repeats.
        count: Shape of the result; if there are no real series, just the first ones.
        rng: Draws the real series to resemble, and the distance from it.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> slopes = np.linspace(-1, 1, 1000)[:, None]
        >>> simulated = slopes * np.arange(20) + rng.standard_normal((1000, 20))
        >>> real = [0.5 * np.arange(20) + rng.standard_normal(20) for _ in range(100)]
        >>> kept = slopes[resembling(simulated, of_newest(real, 20, 1), 1, 500, rng)]
        >>> bool((kept > 0).mean() > 0.95), float(np.median(kept).round(1))
        (True, 0.5)
    """
    if not len(real):
        return np.arange(count)
    features = extract(simulated, season)
    real = np.clip(real, *np.quantile(features, [EDGE, 1 - EDGE], axis=0))
    unit = features.std(axis=0) + np.finfo(float).eps
    width = KERNEL_WIDTH * len(real) ** (-1 / (real.shape[1] + 4))
    targets = real[rng.integers(len(real), size=count)] / unit
    targets += width * rng.standard_normal(targets.shape)
    return np.asarray(KDTree(features / unit).query(targets)[1])


def _ratio(part: Values, whole: Values, smallest: Values) -> Values:
    return np.log((part + smallest) / (whole + smallest))
