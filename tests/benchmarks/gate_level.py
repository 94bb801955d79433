"""How often the gate publishes what is no better than the baselines, and what is better.

    python tests/benchmarks/gate_level.py [--worlds 1000] [--world "like M4"]

Each world draws series, of which the seasonal naive, the naive and the historic median forecast
test windows that follow one another, and so do forecasters without skill. No network is trained:
the gate's test alone is asked, at its default confidence. `equal` is the hardest: its errors are
those of the best baseline in a second world of the same kind, and no skill is required
(gate.min_skill=0). `skilled` errs 20% less than the best baseline, `half as skilled` 10%: their
share is the power. Each cell has the share in percent of 1, 6, 12 and 48 steps ahead. A season has
12 steps; series like M4 end at different times, up to three horizons apart.
"""

import argparse
import sys
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import GateConfig
from foreseq.evaluation.backtest import Losses
from foreseq.evaluation.baselines import HISTORIC_MEDIAN, NAIVE, SEASONAL_NAIVE
from foreseq.evaluation.significance import Units, confidence

SEASON, WRONG_SEASON, PAST, RECENT = 12, 7, 120, 24
"""Steps: of the season, of a wrong one, before the first cutoff, and that the drift looks at."""
BASELINES = (SEASONAL_NAIVE, NAIVE, HISTORIC_MEDIAN)
AT_ONCE = 2_000_000
"""Values drawn at a time."""

Floats = NDArray[np.floating]
Shape = tuple[int, int, int]
"""Worlds, series, steps."""
Case = tuple[int, int, int]
"""Windows of each series, series, horizon."""


class Sample(NamedTuple):
    """Mean scaled error of each window, shape (worlds, series, windows), by forecaster."""

    times: NDArray[np.int64]
    """Cutoffs, of the same shape."""
    baselines: dict[str, Floats]
    ours: dict[str, Floats]


def walks(_: np.random.Generator, rng: np.random.Generator, shape: Shape) -> Floats:
    return _normal(rng, *shape).cumsum(axis=-1)


def shared_walks(_: np.random.Generator, rng: np.random.Generator, shape: Shape) -> Floats:
    """Half of the variance is common to all series."""
    return _shared(rng, shape).cumsum(axis=-1)


def autoregressions(_: np.random.Generator, rng: np.random.Generator, shape: Shape) -> Floats:
    return _filtered(_normal(rng, *shape), 0.8)


def shared_autoregressions(
    _: np.random.Generator, rng: np.random.Generator, shape: Shape
) -> Floats:
    return _filtered(_shared(rng, shape), 0.8)


def seasonal_noise(fixed: np.random.Generator, rng: np.random.Generator, shape: Shape) -> Floats:
    pattern = 3 * _normal(fixed, *shape[:2], SEASON)
    return pattern[..., np.arange(shape[2]) % SEASON] + _normal(rng, *shape)


def like_m4(fixed: np.random.Generator, rng: np.random.Generator, shape: Shape) -> Floats:
    """Seasons of different size, and walks with shocks that move series more or less."""
    worlds, series, steps = shape
    size = fixed.gamma(2, 2, size=(worlds, series, 1)).astype(np.float32)
    pattern = size * _normal(fixed, worlds, series, SEASON)
    shared = _normal(rng, worlds, 1, steps) * (1 + 0.5 * _normal(fixed, worlds, series, 1))
    walk = (_normal(rng, *shape) + shared).cumsum(axis=-1)
    return walk + pattern[..., np.arange(steps) % SEASON]


World = Callable[[np.random.Generator, np.random.Generator, Shape], Floats]
"""Returns series, from a generator of what stays the same in a second world and one of the rest."""
WORLDS: dict[str, World] = {
    "walks": walks,
    "walks, shared": shared_walks,
    "AR(1)": autoregressions,
    "AR(1), shared": shared_autoregressions,
    "seasonal noise": seasonal_noise,
    "like M4": like_m4,
}
UNSKILLED = ("equal", "drift", "wrong season")
SKILLED = ("skilled", "half as skilled")
CASES = [*product((1, 2, 5, 20), (1, 5, 100))]
HORIZONS = (1, 6, 12, 48)


def draw(world: str, case: Case, worlds: int, rng: np.random.Generator) -> Sample:
    """Return the errors of each forecaster in some worlds."""
    windows, count, horizon = case
    late = rng.integers(0, 3 * horizon, size=(worlds, count, 1)) * (world == "like M4")
    cutoff = PAST + horizon * np.arange(windows) + late
    shape, seed = (worlds, count, int(cutoff.max()) + horizon), int(rng.integers(2**32))
    values, other = (WORLDS[world](np.random.default_rng(seed), rng, shape) for _ in range(2))
    scale = np.abs(values[..., SEASON:PAST] - values[..., : PAST - SEASON]).mean(axis=-1)[..., None]
    ahead = np.arange(horizon)

    def errors(values: Floats, forecast: Floats) -> Floats:
        """Return mean errors of a forecast of shape (worlds, series, windows, horizon)."""
        actual = _read(values, cutoff[..., None] + ahead)
        return np.asarray(np.abs(actual - forecast).mean(axis=-1) / scale)

    def seasonal(values: Floats, season: int) -> Floats:
        return errors(values, _read(values, cutoff[..., None] + ahead % season - season))

    def baselines(values: Floats) -> Floats:
        return np.stack(
            [
                seasonal(values, SEASON),
                errors(values, _read(values, cutoff - 1)[..., None]),
                errors(values, _medians(values, cutoff)[..., None]),
            ]
        )

    here, there = baselines(values), baselines(other)
    best = here.mean(axis=(2, 3)).argmin(axis=0), np.arange(worlds)
    newest, before = (_read(values, cutoff - 1 - back)[..., None] for back in (0, RECENT))
    ours = {
        "equal": there[best],
        "drift": errors(values, newest + (newest - before) / RECENT * (ahead + 1)),
        "wrong season": seasonal(values, WRONG_SEASON),
        "skilled": 0.8 * here[best],
        "half as skilled": 0.9 * here[best],
    }
    return Sample(cutoff, dict(zip(BASELINES, here, strict=True)), ours)


def published(world: str, case: Case, worlds: int) -> dict[str, float]:
    """Return the share of worlds in which each forecaster is published."""
    rng = np.random.default_rng(1)
    windows, series, horizon = case
    counts = dict.fromkeys((*UNSKILLED, *SKILLED), 0)
    most = max(1, AT_ONCE // (series * (PAST + (windows + 3) * horizon)))
    for first in range(0, worlds, most):
        sample = draw(world, case, min(most, worlds - first), rng)
        for name in counts:
            counts[name] += sum(
                _passes(sample, name, row, horizon) for row in range(len(sample.times))
            )
    return {name: count / worlds for name, count in counts.items()}


def _passes(sample: Sample, name: str, row: int, horizon: int) -> bool:
    """Return whether a forecaster passes against every baseline in one world."""
    gate = GateConfig(min_skill=0.0) if name == "equal" else GateConfig()
    times = sample.times[row]
    series = np.repeat(np.arange(len(times)), times.shape[1])
    units = Units(series, times.ravel(), max(horizon, SEASON))
    ours, *baselines = (
        Losses(one[row].reshape(-1, 1), one[row].ravel(), one[row].mean(axis=1))
        for one in (sample.ours[name], *sample.baselines.values())
    )
    return all(
        confidence(ours, theirs, units, gate.min_skill) >= gate.confidence for theirs in baselines
    )


def _read(values: Floats, steps: NDArray[np.int64]) -> Floats:
    """Return values at steps of shape (worlds, series, ...)."""
    flat = np.broadcast_to(steps, (*values.shape[:2], *steps.shape[2:])).reshape(
        *values.shape[:2], -1
    )
    return np.take_along_axis(values, flat, axis=2).reshape(*values.shape[:2], *steps.shape[2:])


def _medians(values: Floats, cutoff: NDArray[np.int64]) -> Floats:
    """Return the median of the past of each window, one window of a series after the other."""
    past = np.arange(-PAST, 0)
    return np.stack(
        [
            np.median(_read(values, cutoff[..., one, None] + past), axis=-1)
            for one in range(cutoff.shape[2])
        ],
        axis=-1,
    )


def _normal(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.standard_normal(shape, dtype=np.float32)


def _shared(rng: np.random.Generator, shape: Shape) -> Floats:
    return _normal(rng, *shape) + _normal(rng, shape[0], 1, shape[2])


def _filtered(shocks: Floats, phi: float) -> Floats:
    """Return the first-order autoregression of some shocks."""
    out = np.empty_like(shocks)
    out[..., 0] = shocks[..., 0] / np.sqrt(1 - phi**2)
    for step in range(1, shocks.shape[-1]):
        out[..., step] = phi * out[..., step - 1] + shocks[..., step]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--world", choices=WORLDS, action="append")
    arguments = parser.parse_args()
    names = (*UNSKILLED, *SKILLED)
    sys.stdout.write(f"| world | windows | series | {' | '.join(names)} |\n")
    sys.stdout.write("|" + "---|" * (3 + len(names)) + "\n")
    for world, (windows, series) in product(arguments.world or WORLDS, CASES):
        shares = [published(world, (windows, series, n), arguments.worlds) for n in HORIZONS]
        most = (" / ".join(f"{100 * one[name]:.1f}" for one in shares) for name in names)
        cells = [world, str(windows), str(series), *most]
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
