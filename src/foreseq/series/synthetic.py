"""Made-up series with the traits of real ones, for data too few to teach what those traits are.

A network that has seen thousands of levels, slopes, seasons and kinds of noise reads a short series
as state-space models do that are fitted to it, but averages over what it cannot tell (after
Dooley et al. 2023, ForecastPFN, arXiv 2311.01933). Each series is a sum: a level that wanders and
jumps, a slope that is kept, dies down or changes, a season that slowly turns into another, noise
that is heavy-tailed or lasts, pulses that come once. Half of them then grow as populations and
prices do. How large each part is differs from series to series by orders of magnitude, and any may
be missing. Units do not matter, as the network scales every window. Of many, those are taken that
resemble the real ones, see `traits`.
"""

import numpy as np
from numpy.typing import NDArray

from foreseq.series import features
from foreseq.series.panel import Panel

Values = NDArray[np.float64]

MOST_VALUES = 4_000_000
"""Values of all of them together, which bounds memory."""
CHOICE = 4
"""Series made up for each that is taken."""
AS_THEY_COME = 0.1
"""Least share of those taken that need not resemble any: more may come than the real ones have
shown. Of few real ones it is larger, of a single one half: that shows little of its kind."""
GROWN = 0.5
"""Share of the series that grow in proportion, where values need not be positive."""
COMPARED = 500
"""Most real series whose traits are looked for."""
HARMONICS = 6
"""Waves that a smooth season is made of."""
JUMPS = 0.3
"""Expected in a season, of a series that jumps at all."""
FEWEST, MOST_COUNTED = 0.03, 100.0
"""Levels of made-up counts, in the middle of a series."""


def make_panel(  # noqa: PLR0913 - what is known of the real ones, and how many of what length
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
    """Make up series of the frequency, season, share of missing steps and traits of real ones.

    Args:
        like: The real ones.
        ends: Steps of each that may be touched, shape (n_series,).
        count: How many; fewer where all of them together would have too many steps.
        length: Steps of each.
        horizon: The newest of them, which come after what resembles a real history.
        log: Whether all values must be positive.
        counts: Whether half of them are to be counts, if they may be zero.
        seed: Of all that is drawn.

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
    free = max(AS_THEY_COME, 1 / (1 + len(real)))
    parts = []
    # a part after the other, so that of those not taken only one part is in memory
    for turn, share in enumerate(np.array_split(np.arange(count), CHOICE)):
        made = _make_up(rng, (count, length), like.season)
        if counts and not log and turn % 2 == 0:
            made = _counts(rng, made)
        else:
            made = _grown(rng, made, 1.0 if log else GROWN)
        seen = made[:, length - horizon - past : length - horizon]
        any_kind = np.arange(int(free * len(share)))
        alike = features.resembling(
            np.log(seen) if log else seen, wanted, like.season, len(share) - len(any_kind), rng
        )
        parts.append(made[np.concatenate([any_kind, alike])])
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
    """Return what may be touched of some real series, gaps filled with a straight line."""
    found = []
    for position in range(0, like.n_series, -(-like.n_series // COMPARED)):
        known = np.flatnonzero(like.seen(position)[: ends[position]])
        y = like.series(position)[known]
        if len(known) >= features.MIN_STEPS and not (log and (y <= 0).any()):
            steps = np.arange(known[0], known[-1] + 1)
            found.append(np.interp(steps, known, np.log(y) if log else y))
    return found


def _make_up(rng: np.random.Generator, shape: tuple[int, int], season: int) -> Values:
    """Return series with mean 0 and variance 1."""
    values = _level(rng, shape, season) + _slope(rng, shape, season)
    if season > 1:
        values += _seasons(rng, values, season)
    values += _size(rng, shape[0], 0.95, -2, 0) * _noise(rng, shape)
    return _standard(values + _size(rng, shape[0], 0.4, -0.3, 1.3) * _pulses(rng, shape, season))


def _grown(rng: np.random.Generator, values: Values, often: float) -> Values:
    """Return some of them as what grows in proportion, which is positive."""
    swing = np.exp(rng.uniform(np.log(0.05), np.log(1.5), (len(values), 1)))
    return np.where(_some(rng, len(values), often), np.exp(values * swing), values)


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
    kept = np.where(_some(rng, count, 0.5)[:, 0], 0.0, rng.uniform(0, 0.9, count))
    return _autoregression(_shocks(rng, shape), kept, np.sqrt(1 - kept**2))


def _pulses(rng: np.random.Generator, shape: tuple[int, int], season: int) -> Values:
    """Return rare steps that stand out and come once, in half of the series all of them upwards.

    Who has not seen them takes the one great order of last year for a season.
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

    Some keep to it, as timetables do, some are Poisson, some come in bursts.
    """
    middle = np.exp(rng.uniform(np.log(FEWEST), np.log(MOST_COUNTED), (len(values), 1)))
    swing = 10 ** rng.uniform(-1.5, 0.2, (len(values), 1))
    level = middle * np.exp(np.clip(swing * values, -7, 5))
    shape = 10 ** rng.uniform(-1, 1, (len(values), 1))  # of a gamma: small ones make bursts
    bursts = level * rng.gamma(shape, 1 / shape, values.shape)
    by_chance = rng.poisson(np.where(_some(rng, len(values), 0.5), bursts, level))
    return np.where(_some(rng, len(values), 0.25), np.rint(level), by_chance)
