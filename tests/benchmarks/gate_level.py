"""How often the gate publishes what is no better than the baselines, and what is better.

    python tests/benchmarks/gate_level.py [--worlds 1000]

Each world draws series, of which the seasonal naive, the naive and the historic median forecast
test windows that follow one another, and so do forecasters without skill. No network is trained:
the gate alone is asked, at its default confidence. `equal` is the hardest: its errors are those of
the best baseline in a second world of the same kind, and no skill is required (gate.min_skill=0).
`skilled` errs 20% less than the best baseline: its share is the power. Each cell has the share in
percent of 1, 12 and 48 steps ahead.
"""

import argparse
import sys
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from foreseq.config import GateConfig
from foreseq.evaluation import gate
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import HISTORIC_MEDIAN, NAIVE, SEASONAL_NAIVE
from foreseq.series.windows import Windows

SEASON, WRONG_SEASON, PAST, RECENT = 12, 7, 120, 24
"""Steps: of the season, of a wrong one, before the first cutoff, and that the drift looks at."""

Floats = NDArray[np.float64]
Case = tuple[int, int, int]
"""Windows of each series, series, horizon."""


def walks(_: np.random.Generator, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.normal(size=shape).cumsum(axis=1)


def shared_walks(
    _: np.random.Generator, rng: np.random.Generator, shape: tuple[int, int]
) -> Floats:
    """Half of the variance is common to all series."""
    return (rng.normal(size=shape) + rng.normal(size=(1, shape[1]))).cumsum(axis=1)


def autoregressions(
    _: np.random.Generator, rng: np.random.Generator, shape: tuple[int, int]
) -> Floats:
    return _filtered(rng.normal(size=shape), 0.8)


def shared_autoregressions(
    _: np.random.Generator, rng: np.random.Generator, shape: tuple[int, int]
) -> Floats:
    return _filtered(rng.normal(size=shape) + rng.normal(size=(1, shape[1])), 0.8)


def seasonal_noise(
    fixed: np.random.Generator, rng: np.random.Generator, shape: tuple[int, int]
) -> Floats:
    pattern = 3 * fixed.normal(size=(shape[0], SEASON))
    return pattern[:, np.arange(shape[1]) % SEASON] + rng.normal(size=shape)


def like_m4(fixed: np.random.Generator, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Seasons of different size, and walks with shocks that move series more or less."""
    pattern = fixed.gamma(2, 2, size=(shape[0], 1)) * fixed.normal(size=(shape[0], SEASON))
    shared = rng.normal(size=(1, shape[1])) * fixed.normal(1, 0.5, size=(shape[0], 1))
    return (rng.normal(size=shape) + shared).cumsum(axis=1) + pattern[
        :, np.arange(shape[1]) % SEASON
    ]


World = Callable[[np.random.Generator, np.random.Generator, tuple[int, int]], Floats]
"""Returns series, from a generator of what stays the same in a second world and one of the rest."""
WORLDS: dict[str, World] = {
    "walks": walks,
    "walks, shared": shared_walks,
    "AR(1)": autoregressions,
    "AR(1), shared": shared_autoregressions,
    "seasonal noise": seasonal_noise,
    "like M4": like_m4,
}
UNSKILLED = ("equal", "drift", "noisy", "wrong season")
CASES = [*product((1, 2, 5, 20), (1, 5, 100))]
HORIZONS = (1, 12, 48)


def draw(world: str, case: Case, rng: np.random.Generator) -> dict[str, Backtest]:
    """Return a backtest of each forecaster in one world."""
    windows, count, horizon = case
    late = rng.integers(0, 3 * horizon, size=count) if world == "like M4" else np.zeros(count, int)
    length = PAST + windows * horizon
    shape, seed = (count, length + int(late.max())), int(rng.integers(2**32))
    values, other = (WORLDS[world](np.random.default_rng(seed), rng, shape) for _ in range(2))
    position = np.repeat(np.arange(count), windows)
    cutoff = np.tile(PAST + horizon * np.arange(windows), count) + late[position]
    actual, baselines = _forecasts(values, position, cutoff, horizon)
    scale = np.abs(values[:, SEASON:PAST] - values[:, : PAST - SEASON]).mean(axis=1)
    tested = Backtest(Windows(position, cutoff), actual, baselines, actual[..., None], scale)
    best = min(baselines, key=tested.error)
    future, again = _forecasts(other, position, cutoff, horizon)
    recent = values[position, cutoff - 1] - values[position, cutoff - 1 - RECENT]
    ahead = np.arange(1, horizon + 1)
    noise = rng.normal(size=(len(cutoff), 1)) * 0.3 * scale[position][:, None]
    ours = {
        "equal": actual - (future - again[best]),
        "drift": baselines[NAIVE] + recent[:, None] / RECENT * ahead,
        "noisy": baselines[best] + noise,
        "wrong season": _seasonal(values, position, cutoff, horizon, WRONG_SEASON),
        "skilled": actual - 0.8 * (actual - baselines[best]),
    }
    return {
        name: tested._replace(forecasts={FORESEQ: one, **baselines}) for name, one in ours.items()
    }


def published(world: str, case: Case, worlds: int) -> dict[str, float]:
    """Return the share of worlds in which each forecaster is published."""
    rng = np.random.default_rng(1)
    counts = dict.fromkeys((*UNSKILLED, "skilled"), 0)
    for _ in range(worlds):
        for name, tested in draw(world, case, rng).items():
            config = GateConfig(min_skill=0.0) if name == "equal" else GateConfig()
            counts[name] += gate.decide(tested, None, config).published
    return {name: count / worlds for name, count in counts.items()}


def _forecasts(
    values: Floats, position: NDArray[np.int64], cutoff: NDArray[np.int64], horizon: int
) -> tuple[Floats, dict[str, Floats]]:
    """Return actuals and the baselines' forecasts, shape (windows, horizon)."""
    rows = position[:, None]
    median = np.median(values[rows, cutoff[:, None] - np.arange(1, PAST + 1)], axis=1)
    baselines = {
        SEASONAL_NAIVE: _seasonal(values, position, cutoff, horizon, SEASON),
        NAIVE: values[rows, cutoff[:, None] + np.full(horizon, -1)],
        HISTORIC_MEDIAN: np.repeat(median[:, None], horizon, axis=1),
    }
    return values[rows, cutoff[:, None] + np.arange(horizon)], baselines


def _seasonal(
    values: Floats,
    position: NDArray[np.int64],
    cutoff: NDArray[np.int64],
    horizon: int,
    season: int,
) -> Floats:
    back = np.arange(horizon) % season - season
    return np.asarray(values[position[:, None], cutoff[:, None] + back])


def _filtered(shocks: Floats, phi: float) -> Floats:
    """Return the first-order autoregression of some shocks."""
    out = np.empty_like(shocks)
    out[:, 0] = shocks[:, 0] / np.sqrt(1 - phi**2)
    for step in range(1, shocks.shape[1]):
        out[:, step] = phi * out[:, step - 1] + shocks[:, step]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    worlds = parser.parse_args().worlds
    names = (*UNSKILLED, "skilled")
    sys.stdout.write(f"| world | windows | series | {' | '.join(names)} |\n")
    sys.stdout.write("|" + "---|" * (3 + len(names)) + "\n")
    for world, (windows, series) in product(WORLDS, CASES):
        shares = [published(world, (windows, series, n), worlds) for n in HORIZONS]
        most = (" / ".join(f"{100 * one[name]:.1f}" for one in shares) for name in names)
        cells = [world, str(windows), str(series), *most]
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
