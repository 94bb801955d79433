"""After how many steps the pattern repeats, as the data say it.

A season is measured by how much a series, less its running mean over one season, resembles itself
one season later. A random walk scores about 0 whatever the season; seeing less than
1.1 / sqrt(cycles) above that is chance in 99 of 100 simulated walks.
"""

import numpy as np
from numpy.typing import NDArray

from foreseq import calendar

SAMPLE = 32
"""Series that are asked."""
FEWEST_CYCLES = 3
"""Cycles a series must hold to be asked: one is lost to the running mean, one to the lag."""
MOST_CYCLES = 50
"""Newest cycles of a series that are looked at."""
LONGEST_SEARCH = 400
"""Longest season looked for where the frequency suggests none."""
FAINTEST = 0.05
"""Resemblance beyond chance that makes a season of the frequency worth knowing."""

Array = NDArray[np.float64]


def infer_season(
    values: Array, observed: NDArray[np.bool_], offsets: NDArray[np.int64], freq: str
) -> int:
    """Return the shortest season of the frequency that the data show, or 1.

    Integer steps suggest no season, so all up to `LONGEST_SEARCH` are tried, and the evidence must
    be stronger.

    Args:
        values: All series end to end, shape (steps_total,).
        observed: Which of them are numbers, shape (steps_total,).
        offsets: Shape (n_series + 1,): series i is `values[offsets[i] : offsets[i + 1]]`.
        freq: Frequency of all series.

    Example:
        >>> week = np.tile([1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 6.0], 10)
        >>> infer_season(week, np.full(70, True), np.array([0, 70]), "D")
        7
    """
    if calendar.is_integer(freq):
        return _search(_sample(values, observed, offsets, 2 * FEWEST_CYCLES))
    for season in calendar.seasons(freq):
        sample = _sample(values, observed, offsets, FEWEST_CYCLES * season)
        score, cycles = _evidence(sample, season)
        if season > 1 and score > FAINTEST + 1.1 / np.sqrt(cycles):
            return season
    return 1


def _search(sample: list[Array]) -> int:
    """Return the season that stands out among all, or 1."""
    longest = max((len(series) for series in sample), default=0) // FEWEST_CYCLES
    seasons = np.arange(2, min(longest, LONGEST_SEARCH) + 1)
    if not len(seasons):
        return 1
    scores, cycles = np.array([_evidence(sample, int(season)) for season in seasons]).T
    stands_out = scores > 0.25 + 1.6 / np.sqrt(cycles)
    if not stands_out.any():
        return 1
    best = scores[stands_out].max()
    peak = np.r_[True, scores[1:] > scores[:-1]] & np.r_[scores[:-1] > scores[1:], True]
    chosen = stands_out & peak & (scores > 0.9 * best)
    return int(seasons[chosen.argmax()]) if chosen.any() else 1


def _sample(
    values: Array, observed: NDArray[np.bool_], offsets: NDArray[np.int64], shortest: int
) -> list[Array]:
    """Return some series of at least that length, their unobserved steps on a line."""
    long = np.flatnonzero(np.diff(offsets) >= shortest)
    chosen = long[np.linspace(0, len(long) - 1, min(SAMPLE, len(long))).astype(int)]
    sample = []
    for i in chosen:
        part = slice(offsets[i], offsets[i + 1])
        seen = np.flatnonzero(observed[part])
        if len(seen):
            steps = np.arange(offsets[i + 1] - offsets[i])
            sample.append(np.interp(steps, seen, values[part][seen]))
    return sample


def _evidence(sample: list[Array], season: int) -> tuple[float, float]:
    """Return the mean resemblance over the series that are long enough, and their cycles."""
    asked = [series for series in sample if len(series) >= FEWEST_CYCLES * season]
    if not asked:
        return 0.0, 1.0
    newest = [series[-MOST_CYCLES * season :] for series in asked]
    cycles = sum(len(series) / season for series in newest)
    return float(np.mean([_resemblance(series, season) for series in newest])), cycles


def _resemblance(series: Array, season: int) -> float:
    """Return the correlation of the series, less its running mean, with itself a season later."""
    total = np.concatenate([[0.0], np.cumsum(series - series.mean())])
    mean = (total[season:] - total[:-season]) / season
    if season % 2 == 0:  # centre it on a step
        mean = (mean[1:] + mean[:-1]) / 2
    edge = season // 2
    rest = series[edge : edge + len(mean)] - series.mean() - mean
    rest -= rest.mean()
    now, later = rest[:-season], rest[season:]
    scale = np.sqrt((now @ now) * (later @ later))
    noise = 1e-9 * (series @ series)  # rounding, where a series does not move
    return float(now @ later / scale) if scale > noise else 0.0
