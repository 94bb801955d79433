"""Synthetic series of every kind, from which networks learn to forecast series not seen before.

No real series is involved, hence no licence and no test set. Each series is of one of three kinds:
components (level, slope, seasons, noise, pulses); a sum of Gaussian processes with smooth and
periodic kernels (after KernelSynth, Ansari et al. 2024, arXiv 2403.07815), drawn by random Fourier
features (Rahimi and Recht 2007); or a seasonal autoregression. Some then grow in proportion, become
counts, are cut off at a bound, rounded, or turn into another series at a random step.

Each part can be left out, to measure what it earns; that has not been done yet.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from foreseq.series import components
from foreseq.series.components import Values, size, some, standard
from foreseq.series.panel import Panel

KERNELS, AUTOREGRESSIONS = 0.3, 0.15
"""Shares of these kinds; the rest is made of components."""
GROWN, COUNTS, BOUNDED, ROUNDED, BROKEN = 0.4, 0.06, 0.05, 0.1, 0.06
"""Shares of the series that are changed so."""
PARTS = ("kernels", "autoregressions", "grown", "counts", "bounded", "rounded", "broken", "gaps")
"""What can be left out."""
WAVES = 12
"""Random waves that stand for a Gaussian process."""
MOST_KERNELS = 3
GAPS = 0.15
"""Share of the series with missing steps."""


def make_panel(
    count: int,
    length: int,
    cycles: tuple[int, ...],
    *,
    seed: int | Sequence[int],
    without: Collection[str] = (),
) -> Panel:
    """Return synthetic series with integer steps.

    Args:
        count: Number of series.
        length: Steps of each.
        cycles: Steps after which patterns repeat, ascending, such as day and week; the first is
            the season.
        seed: The same seed makes the same panel.
        without: Parts to leave out, of `PARTS`.

    Example:
        >>> panel = make_panel(10, 100, (7,), seed=1)
        >>> panel.n_series, panel.season, bool(np.isfinite(panel.values).all())
        (10, 7, True)
    """
    rng = np.random.default_rng(seed)
    values = draw(rng, (count, length), cycles, without)
    observed = np.ones(values.shape, bool) if "gaps" in without else _observed(rng, values.shape)
    return Panel(
        values=np.where(observed, values, 0.0).ravel(),
        observed=observed.ravel(),
        offsets=np.arange(count + 1) * length,
        starts=np.zeros(count, np.int64),
        ids=np.arange(count).astype(np.str_),
        freq="1",
        season=cycles[0] if cycles else 1,
    )


def draw(
    rng: np.random.Generator,
    shape: tuple[int, int],
    cycles: tuple[int, ...],
    without: Collection[str] = (),
) -> Values:
    """Return synthetic series, shape (series, time)."""
    count, length = shape
    kernels = 0 if "kernels" in without else int(KERNELS * count)
    autoregressions = 0 if "autoregressions" in without else int(AUTOREGRESSIONS * count)
    rest = count - kernels - autoregressions
    values = np.concatenate(
        [
            _components(rng, (rest, length), cycles),
            _kernels(rng, (kernels, length), cycles),
            _autoregressions(rng, (autoregressions, length), cycles),
        ]
    )
    values = standard(rng.permutation(values))
    if "broken" not in without:
        values = _broken(rng, values)
    if "grown" not in without:
        values = components.grown(rng, values, GROWN)
    if "counts" not in without:
        made = int(COUNTS * count)
        values[:made] = components.counts(rng, standard(values[:made]))
    if "bounded" not in without:
        bound = np.quantile(values, rng.uniform(0.02, 0.6), axis=1, keepdims=True)
        values = np.where(some(rng, count, BOUNDED), np.maximum(values, bound), values)
    if "rounded" not in without:
        grid = values.std(axis=1, keepdims=True) * 10 ** rng.uniform(-2, 0, (count, 1)) + 1e-9
        values = np.where(some(rng, count, ROUNDED), np.rint(values / grid) * grid, values)
    return np.asarray(values)


def _components(
    rng: np.random.Generator, shape: tuple[int, int], cycles: tuple[int, ...]
) -> Values:
    """Return sums of level, slope, a pattern for each cycle, noise and pulses."""
    count, season = shape[0], cycles[0] if cycles else 1
    values = components.level(rng, shape, season) + components.slope(rng, shape, season)
    pattern = np.zeros(shape)
    for number, cycle in enumerate(cycles):
        if not number:
            pattern = components.seasons(rng, values, cycle)
        elif cycle % season == 0:
            pattern = _by_position(rng, pattern, season, cycle // season)
        else:
            pattern = pattern + size(rng, count, 0.6, -1, 0.4) * _smooth(rng, shape, cycle)
    noise = size(rng, count, 0.95, -2, 0) * components.noise(rng, shape)
    # of some series, high steps are noisier than low ones, or noise comes and goes
    swing = some(rng, count, 0.3) * rng.uniform(0, 0.7, (count, 1)) * standard(pattern)
    swing = swing + some(rng, count, 0.15) * standard(_smooth(rng, shape, max(4 * season, 20)))
    values = values + pattern + noise * np.exp(np.clip(swing, -3, 3))
    return standard(
        values + size(rng, count, 0.35, -0.3, 1.3) * components.pulses(rng, shape, season)
    )


def _by_position(rng: np.random.Generator, pattern: Values, season: int, seasons: int) -> Values:
    """Return a pattern whose seasons differ by their position in a longer cycle, as weekdays do."""
    count, length = pattern.shape
    at = np.arange(length) // season % seasons
    # few positions stand out, as weekends do, or all differ
    often = np.where(some(rng, count, 0.5), 0.3, 1.0)
    differs = rng.random((count, seasons)) < often
    height = size(rng, count, 0.6, -1.2, 0.3) * rng.standard_normal((count, seasons)) * differs
    factor = 1 + size(rng, count, 0.6, -1.2, 0) * rng.standard_normal((count, seasons)) * differs
    return np.asarray(pattern * factor[:, at] + height[:, at])


def _smooth(rng: np.random.Generator, shape: tuple[int, int], cycle: int) -> Values:
    """Return smooth waves over a cycle, of some series with short events once in a cycle."""
    count, length = shape
    steps = np.arange(length) + rng.integers(cycle, size=(count, 1))
    values = np.zeros(shape)
    fading = rng.uniform(0.5, 2.5, (count, 1))
    for wave in range(1, 4):
        angle = 2 * np.pi * (wave * steps / cycle + rng.random((count, 1)))
        values += wave**-fading * rng.standard_normal((count, 1)) * np.sin(angle)
    for _ in range(2):
        near = (steps + rng.integers(cycle, size=(count, 1))) % cycle < rng.integers(
            1, 4, (count, 1)
        )
        values += size(rng, count, 0.3, -0.3, 0.5) * rng.choice([-1, 1], (count, 1)) * near
    return values


def _kernels(rng: np.random.Generator, shape: tuple[int, int], cycles: tuple[int, ...]) -> Values:
    """Return sums of Gaussian processes: smooth ones, and ones that repeat with a cycle."""
    count, length = shape
    steps = np.arange(length)[None]
    values = size(rng, count, 0.8, -2, 0) * rng.standard_normal(shape)
    values += (
        size(rng, count, 0.4, -1, 0.5) * rng.standard_normal((count, 1)) * (steps / length - 0.5)
    )
    for _ in range(MOST_KERNELS):
        scale = 2 * (length / 2) ** rng.random((count, 1))  # from 2 steps to all of them
        frequency = rng.standard_normal((count, WAVES)) / scale
        if cycles:
            cycle = rng.choice(cycles, (count, 1)).astype(float)
            # harmonics of the cycle, spread as its pattern changes over `scale` steps and more
            harmonic = np.minimum(
                rng.geometric(rng.uniform(0.2, 0.9, (count, 1)), (count, WAVES)),
                np.maximum(cycle // 2, 1),
            )
            periodic = 2 * np.pi * harmonic / cycle + frequency * rng.uniform(0, 0.3, (count, 1))
            frequency = np.where(some(rng, count, 0.6), periodic, frequency)
        weight = size(rng, count, 0.6, -0.7, 0.3) / np.sqrt(WAVES / 2)
        phase = rng.uniform(0, 2 * np.pi, (count, WAVES))
        for wave in range(WAVES):
            angle = frequency[:, wave, None] * steps + phase[:, wave, None]
            values += weight * np.cos(angle)
    return standard(values)


def _autoregressions(
    rng: np.random.Generator, shape: tuple[int, int], cycles: tuple[int, ...]
) -> Values:
    """Return (1 - a B)(1 - b B^season) y = noise, some of them summed once."""
    count, length = shape
    season = cycles[0] if cycles else 1
    shocks = components.shocks(rng, shape)
    if season > 1:
        kept = rng.uniform(0.3, 1.0, (count, 1))
        blocks = -(-length // season)
        shocks = np.pad(shocks, ((0, 0), (0, blocks * season - length)))
        for block in range(1, blocks):
            now = slice(block * season, (block + 1) * season)
            shocks[:, now] += kept * shocks[:, (block - 1) * season : block * season]
        shocks = shocks[:, :length]
    kept = rng.uniform(-0.3, 0.98, count)
    values = components.autoregression(shocks, kept, np.ones(count))
    return standard(np.where(some(rng, count, 0.3), np.cumsum(values, axis=1), values))


def _broken(rng: np.random.Generator, values: Values) -> Values:
    """Return some series as turning into another one, of another level and size, at some step."""
    count, length = values.shape
    later = np.arange(length) >= rng.integers(length, size=(count, 1))
    other = np.roll(values, 1, axis=0) * 10 ** rng.uniform(-0.7, 0.7, (count, 1))
    other = other + rng.standard_normal((count, 1))
    return np.where(some(rng, count, BROKEN) & later, other, values)


def _observed(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which steps are observed: of some series some are missing, alone or in a row."""
    count, length = shape
    rate = some(rng, count, GAPS) * rng.uniform(0, 0.4, (count, 1))
    run = np.where(some(rng, count, 0.5), rng.integers(1, max(2, length // 10), (count, 1)), 1)
    draws = rng.random(shape)
    first = np.arange(length)[None] // run * run  # one draw for each run of steps
    return np.asarray(np.take_along_axis(draws, first, axis=1) >= rate)
