"""After how many steps the pattern repeats, as the data say it.

A season is measured by how much a series, less its running mean over one season, resembles itself
one season later. A random walk scores about 0 whatever the season; seeing less than
1.1 / sqrt(cycles) above that is chance in 99 of 100 simulated walks.

Where a level that wanders far hides it, the steps from one value to the next may still show it:
they resemble those a season before, and not those a little sooner or later.
"""

import numpy as np
from numpy.typing import NDArray

from foreseq.series import calendar

SAMPLE, MORE = 32, 256
"""Series that are asked, and of whose steps."""
FEWEST_CYCLES = 3
"""Cycles a series must hold to be asked: one is lost to the running mean, one to the lag."""
MOST_CYCLES = 50
"""Newest cycles of a series that are looked at."""
LONGEST_SEARCH = 400
"""Longest season looked for where the frequency suggests none."""
FAINTEST = 0.05
"""Resemblance beyond chance that makes a season of the frequency worth knowing."""
LONGEST_RHYTHM = 200
"""Longest season looked for in the steps: 7 years are 365.25 weeks, sharper than one of 52.18."""
NEAR = 2
"""Steps sooner or later at which a rhythm no longer resembles itself."""
RARE = 4.0
"""Standard errors that the rhythm of no season ever exceeds, among all lags looked at. Of a single
series, as those of a panel may have wandered together."""
NEARLY = 0.85
"""Share of the best from which a shorter season is preferred to one that holds it several times."""
LASTING = 0.75
"""Share of the resemblance that is left after another season: a cycle that dies down is none."""
FARTHEST_STEP = 5.0
"""Mean steps beyond which one is cut: a single leap must not drown the rest."""

Array = NDArray[np.float64]


def infer_season(
    values: Array, observed: NDArray[np.bool_], offsets: NDArray[np.int64], freq: str
) -> int:
    """Return the shortest season of the frequency that the data show, or 1.

    Integer steps suggest no season, so all up to `LONGEST_SEARCH` are tried, and the evidence must
    be stronger; where none has it, the rhythm of the steps is asked.

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
    begins, ends = offsets[:-1], offsets[1:]
    if calendar.is_integer(freq):
        least = 2 * FEWEST_CYCLES
        found = _search(_sample(values, observed, (begins, ends), least))
        if found > 1:
            return found
        newest = np.maximum(begins, ends - MOST_CYCLES * LONGEST_RHYTHM)
        return _rhythm(_sample(values, observed, (newest, ends), least, MORE))
    for season in calendar.seasons(freq):
        sample = _sample(values, observed, (begins, ends), FEWEST_CYCLES * season)
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


def _rhythm(sample: list[Array]) -> int:
    """Return the season that the steps show sharply and still after the next one, or 1."""
    lengths = np.array([len(series) for series in sample])
    seasons = np.arange(NEAR + 1, min(lengths.max(initial=0) // FEWEST_CYCLES, LONGEST_RHYTHM) + 1)
    if not len(seasons):
        return 1
    each = np.array([_steps_resemble(series, 2 * int(seasons[-1])) for series in sample])
    known = np.isfinite(each)
    count = np.maximum(known.sum(axis=0), 1)
    resemblance = np.nansum(each, axis=0) / count
    typical = np.maximum((lengths @ known) / count, 1)  # length of the series that tell of a lag
    near = [resemblance[seasons + away] for away in range(-NEAR, NEAR + 1) if away]
    here = resemblance[seasons]
    sharp = here - np.max(near, axis=0) > FAINTEST + RARE / np.sqrt(typical[seasons])
    sooner, then, later = (resemblance[2 * seasons + away] for away in (-1, 0, 1))
    left = then + np.maximum(np.maximum(sooner, later), 0.0)  # of a season of 52.18 steps, two tell
    stands_out = sharp & (left > LASTING * here)
    chosen = stands_out & (here > NEARLY * here[stands_out].max(initial=0.0))
    return int(seasons[chosen.argmax()]) if chosen.any() else 1


def _steps_resemble(series: Array, most: int) -> Array:
    """Return the autocorrelation of the steps of a series by lag, shape (most + NEAR + 1,).

    NaN where a lag leaves too few to ask, or nothing moves.
    """
    steps = np.diff(series)
    steps -= steps.mean()
    limit = FARTHEST_STEP * np.abs(steps).mean()
    steps = np.clip(steps, -limit, limit)
    power = np.abs(np.fft.rfft(steps, 2 * len(steps))) ** 2
    products = np.fft.irfft(power)[: len(steps)]
    known = min(2 * (len(series) // FEWEST_CYCLES) + NEAR, len(products) - 1, most + NEAR)
    resemblance = np.full(most + NEAR + 1, np.nan)
    if limit > 0:
        resemblance[: known + 1] = products[: known + 1] / products[0]
    return resemblance


def _sample(
    values: Array,
    observed: NDArray[np.bool_],
    spans: tuple[NDArray[np.int64], NDArray[np.int64]],
    shortest: int,
    most: int = SAMPLE,
) -> list[Array]:
    """Return some series of at least that length, their unobserved steps on a line."""
    begins, ends = spans
    long = np.flatnonzero(ends - begins >= shortest)
    chosen = long[np.linspace(0, len(long) - 1, min(most, len(long))).astype(int)]
    sample = []
    for i in chosen:
        part = slice(begins[i], ends[i])
        seen = np.flatnonzero(observed[part])
        if len(seen):
            steps = np.arange(ends[i] - begins[i])
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
