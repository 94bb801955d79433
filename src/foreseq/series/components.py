"""Components of synthetic series: levels, slopes, seasons, noise and pulses, many series at once.

The size of each component varies by orders of magnitude, and any may be missing. Arrays have shape
(series, time); `count` is the number of series.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

HARMONICS = 6
"""Waves of a smooth season."""
JUMPS = 0.3
"""Expected jumps per season, of a series that jumps at all."""
MIN_COUNT, MAX_COUNT = 0.03, 100.0
"""Mean level of synthetic counts."""


def generate(rng: np.random.Generator, shape: tuple[int, int], season: int) -> Values:
    """Return series with mean 0 and variance 1."""
    values = level(rng, shape, season) + slope(rng, shape, season)
    if season > 1:
        values += seasons(rng, values, season)
    values += size(rng, shape[0], 0.95, -2, 0) * noise(rng, shape)
    return standard(values + size(rng, shape[0], 0.4, -0.3, 1.3) * pulses(rng, shape, season))


def grown(rng: np.random.Generator, values: Values, often: float) -> Values:
    """Return some of the series as growing in proportion, hence positive."""
    swing = np.exp(rng.uniform(np.log(0.05), np.log(1.5), (len(values), 1)))
    return np.where(some(rng, len(values), often), np.exp(values * swing), values)


def some(rng: np.random.Generator, count: int, often: float) -> NDArray[np.bool_]:
    """Return a random mask of series, shape (series, 1)."""
    return np.asarray(rng.random((count, 1)) < often)


def size(rng: np.random.Generator, count: int, often: float, least: float, most: float) -> Values:
    """Return the size of a part of each series, shape (series, 1); zero where it is missing."""
    return np.asarray(some(rng, count, often) * 10 ** rng.uniform(least, most, (count, 1)))


def standard(values: Values) -> Values:
    """Return each series with mean 0 and variance 1."""
    away = values - values.mean(axis=1, keepdims=True)
    return np.asarray(away / (away.std(axis=1, keepdims=True) + 1e-9))


def level(rng: np.random.Generator, shape: tuple[int, int], span: int) -> Values:
    """Return levels that wander and jump."""
    moves = size(rng, shape[0], 0.8, -1.5, 0.3) * shocks(rng, shape) / np.sqrt(span)
    series, step = np.nonzero(rng.random(shape, np.float32) < JUMPS / span)
    jumps = size(rng, shape[0], 0.4, -0.5, 0.5)[series, 0]
    moves[series, step] += jumps * rng.standard_normal(len(series))
    return np.cumsum(moves, axis=1)


def slope(rng: np.random.Generator, shape: tuple[int, int], span: int) -> Values:
    """Return trends: the sum of a slope that stays and one that changes or dies down."""
    count = shape[0]
    lasts = some(rng, count, 0.4)[:, 0]
    kept = np.where(lasts, 1.0, rng.uniform(0.6, 0.99, count))
    new = np.where(lasts, 0.02 * rng.random(count), np.sqrt(1 - kept**2))
    changing = autoregression(rng.standard_normal(shape), kept, new)
    slope = size(rng, count, 0.85, -1.5, 0.3) * changing
    slope += size(rng, count, 0.6, -1.2, 0.6) * rng.standard_normal((count, 1))
    return np.cumsum(slope, axis=1) / span


def seasons(rng: np.random.Generator, trend: Values, season: int) -> Values:
    """Return patterns that change a little from season to season, and may grow with the trend."""
    count, length = trend.shape
    waves = np.arange(1, min(season // 2, HARMONICS) + 1)
    angles = 2 * np.pi * np.outer(waves, np.arange(season)) / season
    fading = waves ** -rng.uniform(0, 2, (count, 1))
    smooth = (fading * rng.standard_normal((count, len(waves)))) @ np.cos(angles)
    smooth += (fading * rng.standard_normal((count, len(waves)))) @ np.sin(angles)
    rough = rng.standard_normal((count, season))
    changes = rng.standard_normal((count, -(-length // season), season))
    changes *= size(rng, count, 0.7, -2.5, -0.3)[..., None]
    changes[:, 0] = standard(np.where(some(rng, count, 0.5), rough, smooth))
    pattern = np.cumsum(changes, axis=1).reshape(count, -1)[:, :length]
    growth = some(rng, count, 0.3) * rng.uniform(0, 0.5, (count, 1))
    swing = np.maximum(1 + growth * standard(trend), 0.1)
    return np.asarray(size(rng, count, 0.85, -1, 0.5) * swing * pattern)


def noise(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Return noise of variance about 1, in some series heavy-tailed or autocorrelated."""
    count = shape[0]
    kept = np.where(some(rng, count, 0.5)[:, 0], 0.0, rng.uniform(0, 0.9, count))
    return autoregression(shocks(rng, shape), kept, np.sqrt(1 - kept**2))


def pulses(rng: np.random.Generator, shape: tuple[int, int], season: int) -> Values:
    """Return rare single steps that stand out, in half of the series all of them upwards.

    A network trained without them takes one large order of last year for a season.
    """
    often = 10 ** rng.uniform(-1.5, 0, (shape[0], 1)) / max(season, 12)
    series, step = np.nonzero(rng.random(shape, np.float32) < often)
    upwards = some(rng, shape[0], 0.5)[series, 0]
    pulses = np.zeros(shape)
    pulses[series, step] = np.where(upwards, 1.0, rng.choice([-1.0, 1.0], len(series)))
    pulses[series, step] *= rng.lognormal(0, 0.7, len(series))
    return pulses


def shocks(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Return independent steps of variance 1, in some series heavy-tailed."""
    shocks = rng.standard_normal(shape)
    heavy = np.flatnonzero(some(rng, shape[0], 0.3))
    shocks[heavy] = rng.standard_t(3, (len(heavy), shape[1])) / np.sqrt(3)
    return shocks


def autoregression(shocks: Values, kept: Values, new: Values) -> Values:
    """Return `x[t] = kept * x[t - 1] + new * shocks[t]`, from `x[0] = shocks[0]` on."""
    values = np.empty_like(shocks)
    values[:, 0] = shocks[:, 0]
    for step in range(1, shocks.shape[1]):
        values[:, step] = kept * values[:, step - 1] + new * shocks[:, step]
    return values


def counts(rng: np.random.Generator, values: Values) -> Values:
    """Return counts whose level follows standardised values.

    Some equal the level, as timetables do, some are Poisson, some come in bursts.
    """
    mean = np.exp(rng.uniform(np.log(MIN_COUNT), np.log(MAX_COUNT), (len(values), 1)))
    swing = 10 ** rng.uniform(-1.5, 0.2, (len(values), 1))
    level = mean * np.exp(np.clip(swing * values, -7, 5))
    shape = 10 ** rng.uniform(-1, 1, (len(values), 1))  # of a gamma: small ones make bursts
    bursts = level * rng.gamma(shape, 1 / shape, values.shape)
    random = rng.poisson(np.where(some(rng, len(values), 0.5), bursts, level))
    return np.where(some(rng, len(values), 0.25), np.rint(level), random)
