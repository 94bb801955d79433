"""Synthetic series with the features of real ones, where the data are too few to train on.

A network that has seen thousands of levels, slopes, seasons and noises reads a short series much as
a fitted state-space model does, but averages over the models that fit (after Dooley et al. 2023,
ForecastPFN, arXiv 2311.01933). Each series is a sum: a level that wanders and jumps, a slope that
stays, fades or changes, a season that slowly turns into another, noise that is heavy-tailed or
autocorrelated, and pulses that come once. Half of the series then grow in proportion, as
populations and prices do. The size of each part varies by orders of magnitude, and any part may be
missing. Units do not matter, as the network scales every window. Of many series those are kept that
resemble the real ones, see `features`.
"""

import numpy as np
from numpy.typing import NDArray

from foreseq.series import features
from foreseq.series.panel import Panel

Values = NDArray[np.float64]

MOST_VALUES = 4_000_000
"""Values of all synthetic series together, which bounds memory."""
CANDIDATES = 4
"""Series generated per series kept."""
UNSELECTED = 0.1
"""Least share of kept series that need not resemble a real one, as the future may bring more than
the past has shown. With n real series it is at least 1 / (1 + n): few show little."""
GROWN = 0.5
"""Share of the series that grow in proportion, if values need not be positive."""
COMPARED = 500
"""Most real series that are compared with."""
HARMONICS = 6
"""Waves of a smooth season."""
JUMPS = 0.3
"""Expected jumps per season, of a series that jumps at all."""
MIN_COUNT, MAX_COUNT = 0.03, 100.0
"""Mean level of synthetic counts."""


def make_panel(  # noqa: PLR0913 - the real series, and the size of the result
    like: Panel,
    ends: NDArray[np.int64],
    count: int,
    length: int,
    *,
    horizon: int,
    log: bool,
    counts: bool,
    seed: int,
) -> Panel:
    """Return synthetic series with the frequency, season, missing steps and features of real ones.

    Args:
        like: The real series.
        ends: Steps of each real series that may be read, shape (n_series,).
        count: Number of series; fewer if they had more than `MOST_VALUES` values.
        length: Steps of every series.
        horizon: Newest steps, which follow the part that resembles a real history.
        log: Whether all values must be positive.
        counts: Whether half of the series are counts, unless `log`.
        seed: The same seed makes the same panel.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> few = from_series({"a": range(30)}, freq="MS", season=12)
        >>> made = make_panel(
        ...     few, few.lengths, 1000, 60, horizon=12, log=True, counts=False, seed=1)
        >>> made.n_series, set(made.lengths.tolist()), bool((made.values > 0).all())
        (1000, {60}, True)
    """
    count = max(1, min(count, MOST_VALUES // length))
    rng = np.random.default_rng(seed)
    real = _histories(like, ends, log=log)
    past = min(length - horizon, int(np.median([len(y) for y in real])) if real else length)
    wanted = features.of_newest(real, past, like.season)
    unselected = max(UNSELECTED, 1 / (1 + len(real)))
    parts = []
    # part by part, so that the candidates of only one part are in memory
    for turn, share in enumerate(np.array_split(np.arange(count), CANDIDATES)):
        made = _generate(rng, (count, length), like.season)
        if counts and not log and turn % 2 == 0:
            made = _counts(rng, made)
        else:
            made = _grown(rng, made, 1.0 if log else GROWN)
        seen = made[:, length - horizon - past : length - horizon]
        first = np.arange(int(unselected * len(share)))
        resembling = features.resembling(
            np.log(seen) if log else seen, wanted, like.season, len(share) - len(first), rng
        )
        parts.append(made[np.concatenate([first, resembling])])
    values = np.concatenate(parts)
    return Panel(
        values=values.ravel(),
        observed=rng.random(values.size) < like.observed.mean(),
        offsets=np.arange(count + 1) * length,
        starts=rng.choice(like.starts, count),
        ids=np.arange(count).astype(np.str_),
        freq=like.freq,
        season=like.season,
    )


def _histories(like: Panel, ends: NDArray[np.int64], *, log: bool) -> list[Values]:
    """Return the steps of some real series that may be read, gaps interpolated."""
    histories = []
    for position in range(0, like.n_series, -(-like.n_series // COMPARED)):
        observed = np.flatnonzero(like.seen(position)[: ends[position]])
        y = like.series(position)[observed]
        if len(observed) >= features.MIN_STEPS and not (log and (y <= 0).any()):
            steps = np.arange(observed[0], observed[-1] + 1)
            histories.append(np.interp(steps, observed, np.log(y) if log else y))
    return histories


def _generate(rng: np.random.Generator, shape: tuple[int, int], season: int) -> Values:
    """Return series with mean 0 and variance 1."""
    values = _level(rng, shape, season) + _slope(rng, shape, season)
    if season > 1:
        values += _seasons(rng, values, season)
    values += _size(rng, shape[0], 0.95, -2, 0) * _noise(rng, shape)
    return _standard(values + _size(rng, shape[0], 0.4, -0.3, 1.3) * _pulses(rng, shape, season))


def _grown(rng: np.random.Generator, values: Values, often: float) -> Values:
    """Return some of the series as growing in proportion, hence positive."""
    swing = np.exp(rng.uniform(np.log(0.05), np.log(1.5), (len(values), 1)))
    return np.where(_some(rng, len(values), often), np.exp(values * swing), values)


def _some(rng: np.random.Generator, count: int, often: float) -> NDArray[np.bool_]:
    """Return a random mask of series, shape (series, 1)."""
    return np.asarray(rng.random((count, 1)) < often)


def _size(rng: np.random.Generator, count: int, often: float, least: float, most: float) -> Values:
    """Return the size of a part of each series, shape (series, 1); zero where it is missing."""
    return np.asarray(_some(rng, count, often) * 10 ** rng.uniform(least, most, (count, 1)))


def _standard(values: Values) -> Values:
    """Return each series with mean 0 and variance 1."""
    away = values - values.mean(axis=1, keepdims=True)
    return np.asarray(away / (away.std(axis=1, keepdims=True) + 1e-9))


def _level(rng: np.random.Generator, shape: tuple[int, int], span: int) -> Values:
    """Return levels that wander and jump."""
    moves = _size(rng, shape[0], 0.8, -1.5, 0.3) * _shocks(rng, shape) / np.sqrt(span)
    series, step = np.nonzero(rng.random(shape, np.float32) < JUMPS / span)
    jumps = _size(rng, shape[0], 0.4, -0.5, 0.5)[series, 0]
    moves[series, step] += jumps * rng.standard_normal(len(series))
    return np.cumsum(moves, axis=1)


def _slope(rng: np.random.Generator, shape: tuple[int, int], span: int) -> Values:
    """Return trends: the sum of a slope that stays and one that changes or dies down."""
    count = shape[0]
    lasts = _some(rng, count, 0.4)[:, 0]
    kept = np.where(lasts, 1.0, rng.uniform(0.6, 0.99, count))
    new = np.where(lasts, 0.02 * rng.random(count), np.sqrt(1 - kept**2))
    changing = _autoregression(rng.standard_normal(shape), kept, new)
    slope = _size(rng, count, 0.85, -1.5, 0.3) * changing
    slope += _size(rng, count, 0.6, -1.2, 0.6) * rng.standard_normal((count, 1))
    return np.cumsum(slope, axis=1) / span


def _seasons(rng: np.random.Generator, trend: Values, season: int) -> Values:
    """Return patterns that change a little from season to season, and may grow with the trend."""
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
    """Return noise of variance about 1, in some series heavy-tailed or autocorrelated."""
    count = shape[0]
    kept = np.where(_some(rng, count, 0.5)[:, 0], 0.0, rng.uniform(0, 0.9, count))
    return _autoregression(_shocks(rng, shape), kept, np.sqrt(1 - kept**2))


def _pulses(rng: np.random.Generator, shape: tuple[int, int], season: int) -> Values:
    """Return rare single steps that stand out, in half of the series all of them upwards.

    A network trained without them takes one large order of last year for a season.
    """
    often = 10 ** rng.uniform(-1.5, 0, (shape[0], 1)) / max(season, 12)
    series, step = np.nonzero(rng.random(shape, np.float32) < often)
    upwards = _some(rng, shape[0], 0.5)[series, 0]
    pulses = np.zeros(shape)
    pulses[series, step] = np.where(upwards, 1.0, rng.choice([-1.0, 1.0], len(series)))
    pulses[series, step] *= rng.lognormal(0, 0.7, len(series))
    return pulses


def _shocks(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Return independent steps of variance 1, in some series heavy-tailed."""
    shocks = rng.standard_normal(shape)
    heavy = np.flatnonzero(_some(rng, shape[0], 0.3))
    shocks[heavy] = rng.standard_t(3, (len(heavy), shape[1])) / np.sqrt(3)
    return shocks


def _autoregression(shocks: Values, kept: Values, new: Values) -> Values:
    """Return `x[t] = kept * x[t - 1] + new * shocks[t]`, from `x[0] = shocks[0]` on."""
    values = np.empty_like(shocks)
    values[:, 0] = shocks[:, 0]
    for step in range(1, shocks.shape[1]):
        values[:, step] = kept * values[:, step - 1] + new * shocks[:, step]
    return values


def _counts(rng: np.random.Generator, values: Values) -> Values:
    """Return counts whose level follows standardised values.

    Some equal the level, as timetables do, some are Poisson, some come in bursts.
    """
    mean = np.exp(rng.uniform(np.log(MIN_COUNT), np.log(MAX_COUNT), (len(values), 1)))
    swing = 10 ** rng.uniform(-1.5, 0.2, (len(values), 1))
    level = mean * np.exp(np.clip(swing * values, -7, 5))
    shape = 10 ** rng.uniform(-1, 1, (len(values), 1))  # of a gamma: small ones make bursts
    bursts = level * rng.gamma(shape, 1 / shape, values.shape)
    random = rng.poisson(np.where(_some(rng, len(values), 0.5), bursts, level))
    return np.where(_some(rng, len(values), 0.25), np.rint(level), random)
