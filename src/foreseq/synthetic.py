"""Made-up series with the traits of real ones, for data too few to teach what those traits are.

A network that has seen thousands of levels, slopes, seasons and kinds of noise reads a short series
as state-space models do that are fitted to it, but averages over what it cannot tell (after
Dooley et al. 2023, ForecastPFN, arXiv 2311.01933). Each series is a sum: a level that wanders and
jumps, a slope that is kept, dies down or changes, a season that slowly turns into another, noise
that is heavy-tailed or lasts. How large each part is differs from series to series by orders of
magnitude, and any may be missing. Units do not matter, as the network scales every window.
"""

import numpy as np
from numpy.typing import NDArray

from foreseq.panel import Panel

Values = NDArray[np.float64]

MOST_VALUES = 4_000_000
"""Values of all of them together, which bounds memory."""
HARMONICS = 6
"""Waves that a smooth season is made of."""
JUMPS = 0.3
"""Expected in a season, of a series that jumps at all."""
FEWEST, MOST_COUNTED = 0.2, 20.0
"""Levels of made-up counts, in the middle of a series."""


def series(like: Panel, count: int, length: int, *, log: bool, seed: int) -> Panel:
    """Make up series of the frequency, season and share of missing steps of real ones.

    Args:
        like: The real ones. Where they are counts with zeros, so are half of those made up.
        count: How many; fewer where all of them together would have too many steps.
        length: Steps of each.
        log: Whether all values must be positive.
        seed: Of all that is drawn.

    Example:
        >>> from foreseq.panel import from_series
        >>> few = from_series({"a": range(30)}, freq="MS", season=12)
        >>> made = series(few, 1000, 60, log=True, seed=1)
        >>> made.n_series, set(made.lengths.tolist()), bool((made.values > 0).all())
        (1000, {60}, True)
    """
    count = max(1, min(count, MOST_VALUES // length))
    rng = np.random.default_rng(seed)
    span = max(like.season, 4)
    values = _level(rng, (count, length), span) + _slope(rng, (count, length), span)
    if like.season > 1:
        values += _seasons(rng, values, like.season)
    values += _size(rng, count, 0.95, -2, 0) * _noise(rng, (count, length))
    values = _standard(values)
    if log:
        values = np.exp(values * np.exp(rng.uniform(np.log(0.02), np.log(0.8), (count, 1))))
    elif _are_counts_with_zeros(like):
        values[::2] = _counts(rng, values[::2])
    return Panel(
        values=values.reshape(-1, 1),
        observed=rng.random(values.size) < like.observed.mean(),
        offsets=np.arange(count + 1) * length,
        starts=rng.choice(like.starts, count),
        ids=np.arange(count).astype(np.str_),
        freq=like.freq,
        season=like.season,
    )


def _some(rng: np.random.Generator, count: int, often: float) -> NDArray[np.bool_]:
    """Return which series have a trait, shape (series, 1)."""
    return np.asarray(rng.random((count, 1)) < often)


def _size(rng: np.random.Generator, count: int, often: float, least: float, most: float) -> Values:
    """Return how large a part of each series is, shape (series, 1): zero where it has none."""
    return np.asarray(_some(rng, count, often) * 10 ** rng.uniform(least, most, (count, 1)))


def _standard(values: Values) -> Values:
    """Return each series with mean 0 and variance 1."""
    away = values - values.mean(axis=1, keepdims=True)
    return np.asarray(away / (away.std(axis=1, keepdims=True) + 1e-9))


def _level(rng: np.random.Generator, shape: tuple[int, int], span: int) -> Values:
    """Return levels that wander and jump."""
    jumps = (rng.random(shape) < JUMPS / span) * rng.standard_normal(shape)
    moves = _size(rng, shape[0], 0.8, -1.5, 0.3) * rng.standard_normal(shape) / np.sqrt(span)
    moves += _size(rng, shape[0], 0.4, -0.5, 0.5) * jumps
    return np.cumsum(moves, axis=1)


def _slope(rng: np.random.Generator, shape: tuple[int, int], span: int) -> Values:
    """Return trends: the sum of a slope that stays and one that changes or dies down."""
    count = shape[0]
    lasts = _some(rng, count, 0.4)[:, 0]
    kept = np.where(lasts, 1.0, rng.uniform(0.6, 0.99, count))
    new = np.where(lasts, 0.02 * rng.random(count), np.sqrt(1 - kept**2))
    changing = _autoregression(rng.standard_normal(shape), kept, new)
    slope = _size(rng, count, 0.85, -1.5, 0.3) * changing
    slope += _size(rng, count, 0.5, -1.5, 0.3) * rng.standard_normal((count, 1))
    return np.cumsum(slope, axis=1) / span


def _seasons(rng: np.random.Generator, trend: Values, season: int) -> Values:
    """Return what repeats, changes a little each time, and in some series grows with the trend."""
    count, length = trend.shape
    waves = np.arange(1, min(season // 2, HARMONICS) + 1)
    angles = 2 * np.pi * np.outer(waves, np.arange(season)) / season
    fading = waves ** -rng.uniform(0, 2, (count, 1))
    smooth = (fading * rng.standard_normal((count, len(waves)))) @ np.cos(angles)
    smooth += (fading * rng.standard_normal((count, len(waves)))) @ np.sin(angles)
    rough = rng.standard_normal((count, season))
    changes = rng.standard_normal((count, -(-length // season), season))
    changes *= _size(rng, count, 0.7, -2.5, -0.3)[..., None]
    changes[:, 0] = _standard(np.where(_some(rng, count, 0.5), rough, smooth))
    pattern = np.cumsum(changes, axis=1).reshape(count, -1)[:, :length]
    growth = _some(rng, count, 0.3) * rng.uniform(0, 0.5, (count, 1))
    swing = np.maximum(1 + growth * _standard(trend), 0.1)
    return np.asarray(_size(rng, count, 0.85, -1, 0.5) * swing * pattern)


def _noise(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Return noise of variance about 1, in some series heavy-tailed, in some lasting."""
    count = shape[0]
    heavy = _some(rng, count, 0.25)
    shocks = np.where(heavy, rng.standard_t(3, shape) / np.sqrt(3), rng.standard_normal(shape))
    kept = np.where(_some(rng, count, 0.5)[:, 0], 0.0, rng.uniform(0, 0.9, count))
    return _autoregression(shocks, kept, np.sqrt(1 - kept**2))


def _autoregression(shocks: Values, kept: Values, new: Values) -> Values:
    """Return `x[t] = kept * x[t - 1] + new * shocks[t]`, from `x[0] = shocks[0]` on."""
    values = np.empty_like(shocks)
    values[:, 0] = shocks[:, 0]
    for step in range(1, shocks.shape[1]):
        values[:, step] = kept * values[:, step - 1] + new * shocks[:, step]
    return values


def _are_counts_with_zeros(panel: Panel) -> bool:
    values = panel.values[panel.observed, 0]
    return bool((values == 0).any() and (values >= 0).all() and (values == np.rint(values)).all())


def _counts(rng: np.random.Generator, values: Values) -> Values:
    """Return Poisson counts whose level follows standardised values."""
    middle = np.exp(rng.uniform(np.log(FEWEST), np.log(MOST_COUNTED), (len(values), 1)))
    swing = rng.uniform(0, 0.8, (len(values), 1))
    return rng.poisson(middle * np.exp(np.clip(swing * values, -5, 3))).astype(np.float64)
