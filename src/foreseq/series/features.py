"""What tells one kind of series from another, in numbers, and those of many that resemble some.

Approximate Bayesian computation: of series simulated with every kind of trait, those are kept whose
summary statistics come near the ones of the series there are (Pritchard et al. 1999, Molecular
Biology and Evolution 16; Beaumont, Zhang and Balding 2002, Genetics 162). Few series say little
about their kind, so how near is near falls with their number, as in a kernel density (Scott 1992,
Multivariate Density Estimation).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Values = NDArray[np.float64]

MIN_STEPS = 8
"""Fewest steps that have traits worth a name."""
BLOCKS = 5
"""Seasons from which on their means show a trend; of fewer, shorter parts do."""
PARTS = 8
"""How many such parts there are."""
STILL = 1e-3
"""What is added to a ratio's parts, in standard deviations: nothing is told of smaller moves."""
FARTHEST = 10.0
"""Most that a trait can be."""
EDGE = 0.01
"""Share of the simulated series at either end of a trait, beyond which none is looked for."""
NEAR = 0.7
"""Width of the kernel, in those of Scott's rule: that one is for smooth densities of one hump."""


def extract(values: Values, season: int) -> Values:
    """Return the traits of series, whatever their level and scale.

    Of the means of seasons (or of `PARTS` parts, where there are few seasons): how steadily they
    rise, whether a change goes on, whether it grows, and how large the largest is among them. Of
    the steps: how rough they are, and how often one is as the one before; with a season, how much
    differs from the one before; with parts of several steps, how much the swings within them have
    grown.

    Args:
        values: Shape (series, time), at least `MIN_STEPS` steps.
        season: Steps after which the pattern repeats; 1 means none.

    Returns:
        Shape (series, traits); how many depends on season and time alone.

    Example:
        >>> line, saw = np.arange(12.0), np.arange(12.0) % 2
        >>> found = extract(np.stack([line, saw]), 1).T.round(1)
        >>> steady, goes_on, grows, largest, rough, still = found.tolist()
        >>> steady  # that of the line is as far as can be told
        [7.1, 0.2]
        >>> goes_on, rough
        ([0.0, -1.0], [-1.2, 0.7])
    """
    count, steps = values.shape
    size = season if steps >= BLOCKS * season else max(1, steps // PARTS)
    blocks = values[:, steps % size :].reshape(count, -1, size)
    spread = STILL * values.std(axis=1) + np.finfo(float).tiny
    changes = np.diff(blocks.mean(axis=2), axis=1)
    mean, unit = changes.mean(axis=1), changes.std(axis=1) + spread
    away = (changes - mean[:, None]) / unit[:, None]
    older, newer = np.array_split(away, 2, axis=1)
    moves = np.abs(np.diff(values, axis=1))
    found = [
        np.arcsinh(2 * mean / unit),
        (away[:, 1:] * away[:, :-1]).mean(axis=1),
        np.arcsinh(newer.mean(axis=1) - older.mean(axis=1)),
        _ratio(np.abs(changes).max(axis=1), np.abs(changes).mean(axis=1), spread),
        _ratio(moves.mean(axis=1), values.std(axis=1), spread),
        (moves == 0).mean(axis=1),
    ]
    if 1 < season < steps:
        repeated = np.abs(values[:, season:] - values[:, :-season]).mean(axis=1)
        found.append(_ratio(repeated, values.std(axis=1), spread))
    if size > 1:
        before, after = np.array_split(blocks.std(axis=2), 2, axis=1)
        found.append(_ratio(after.mean(axis=1), before.mean(axis=1), spread))
    return np.asarray(np.clip(np.stack(found, axis=1), -FARTHEST, FARTHEST))


def of_newest(series: Sequence[Values], steps: int, season: int) -> Values:
    """Return the traits of the newest steps of series, each of its own length.

    Args:
        series: One with fewer than half of the steps, or fewer than `MIN_STEPS`, does not count.
        steps: How many to look at.
        season: Of all of them.

    Returns:
        Shape (those that count, traits); shape (0,) where none does.
    """
    counted = [y[-steps:] for y in series if min(len(y), steps) >= max(MIN_STEPS, steps // 2)]
    told = [extract(y[None], season)[0] for y in counted]
    whole = extract(np.zeros((1, steps)), season).shape[1] if told else 0
    return np.array([each for each in told if len(each) == whole])  # shorter ones may lack some


def resembling(
    made: Values, wanted: Values, season: int, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return which simulated series resemble the real ones, some more than once.

    Args:
        made: Shape (simulated, time).
        wanted: Traits of as many steps of real ones, from `of_newest`.
        season: Of all of them.
        count: How many to return.
        rng: What draws whom the next one is to resemble, and how much.

    Returns:
        Positions, shape (count,); just the first ones where nothing is wanted.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> slopes = np.linspace(-1, 1, 1000)[:, None]
        >>> made = slopes * np.arange(20) + rng.standard_normal((1000, 20))
        >>> real = [0.5 * np.arange(20) + rng.standard_normal(20) for _ in range(100)]
        >>> found = slopes[resembling(made, of_newest(real, 20, 1), 1, 500, rng)]
        >>> bool((found > 0).mean() > 0.95), float(np.median(found).round(1))
        (True, 0.5)
    """
    if not len(wanted):
        return np.arange(count)
    have = extract(made, season)
    wanted = np.clip(wanted, *np.quantile(have, [EDGE, 1 - EDGE], axis=0))
    unit = have.std(axis=0) + np.finfo(float).eps
    width = NEAR * len(wanted) ** (-1 / (wanted.shape[1] + 4))
    near = wanted[rng.integers(len(wanted), size=count)] / unit
    near += width * rng.standard_normal(near.shape)
    return np.asarray(KDTree(have / unit).query(near)[1])


def _ratio(part: Values, whole: Values, least: Values) -> Values:
    return np.log((part + least) / (whole + least))
