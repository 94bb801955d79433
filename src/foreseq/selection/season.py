"""The season of a panel, inferred from its values.

The score of a season is the autocorrelation at that lag, after a running mean over one season has
been removed. A random walk scores about 0 for every season; in 99 of 100 simulated walks it stays
below 1.1 / sqrt(cycles).

Where a wandering level hides the season, the differences may still show it: their autocorrelation
is high at the season and low a few steps before and after it.
"""

import numpy as np
from numpy.typing import NDArray

from foreseq.series import calendar
from foreseq.series.panel import Panel

SAMPLED, SAMPLED_DIFFERENCES = 32, 256
"""Series whose values are scored, and series whose differences are."""
MIN_CYCLES = 3
"""Cycles a scored series must have: one is lost to the running mean, one to the lag."""
MAX_CYCLES = 50
"""Newest cycles of a series that are scored."""
MAX_SEASON = 400
"""Longest season tried where the frequency suggests none."""
MIN_SCORE = 0.05
"""Score above that of a random walk from which a season is accepted."""
MAX_DIFFERENCE_SEASON = 200
"""Longest season tried on differences. In weekly data 7 years, 365.25 weeks, would show a sharper
peak than one year, 52.18 weeks."""
NEAR = 2
"""Steps before and after a season at which the differences must correlate less."""
STANDARD_ERRORS = 4.0
"""Height of the peak at a season, in standard errors of a single series: the series of a panel may
have wandered together."""
NEARLY_BEST = 0.85
"""Share of the best score from which a shorter season is preferred to its multiples."""
LASTING = 0.75
"""Share of the autocorrelation that must be left one season later: a cycle that fades is none."""
MAX_DIFFERENCE = 5.0
"""Differences are clipped at so many times their mean size, so that one jump does not dominate."""

Array = NDArray[np.float64]


def infer_season(panel: Panel, ends: NDArray[np.int64]) -> int:
    """Return the shortest season usual for the frequency that the data show, or 1 for none.

    Integer steps have no usual seasons, so all up to `MAX_SEASON` are tried, and the score must be
    higher; if none is high enough, the differences are tried.

    Args:
        panel: The series; its own season is not looked at.
        ends: Steps of each series that may be read, shape (n_series,).

    Example:
        >>> from foreseq.series.panel import OPEN, from_series
        >>> week = [1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 6.0] * 10
        >>> panel = from_series({"a": week}, freq="D", season=OPEN, start="2024-01-01")
        >>> infer_season(panel, panel.lengths)
        7
    """
    values, observed, begins = panel.values, panel.observed, panel.offsets[:-1]
    ends, freq = begins + ends, panel.freq
    if calendar.is_integer(freq):
        least = 2 * MIN_CYCLES
        season = _search(_sample(values, observed, (begins, ends), least))
        if season > 1:
            return season
        newest = np.maximum(begins, ends - MAX_CYCLES * MAX_DIFFERENCE_SEASON)
        sample = _sample(values, observed, (newest, ends), least, SAMPLED_DIFFERENCES)
        return _search_differences(sample)
    for season in calendar.seasons(freq):
        sample = _sample(values, observed, (begins, ends), MIN_CYCLES * season)
        score, cycles = _score(sample, season)
        if season > 1 and score > MIN_SCORE + 1.1 / np.sqrt(cycles):
            return season
    return 1


def _search(sample: list[Array]) -> int:
    """Return the shortest season whose score is high and a local peak, or 1."""
    longest = max((len(series) for series in sample), default=0) // MIN_CYCLES
    seasons = np.arange(2, min(longest, MAX_SEASON) + 1)
    if not len(seasons):
        return 1
    scores, cycles = np.array([_score(sample, int(season)) for season in seasons]).T
    stands_out = scores > 0.25 + 1.6 / np.sqrt(cycles)
    if not stands_out.any():
        return 1
    best = scores[stands_out].max()
    peak = np.r_[True, scores[1:] > scores[:-1]] & np.r_[scores[:-1] > scores[1:], True]
    candidates = stands_out & peak & (scores > 0.9 * best)
    return int(seasons[candidates.argmax()]) if candidates.any() else 1


def _search_differences(sample: list[Array]) -> int:
    """Return the season at which the differences have a sharp, lasting peak, or 1."""
    lengths = np.array([len(series) for series in sample])
    longest = min(lengths.max(initial=0) // MIN_CYCLES, MAX_DIFFERENCE_SEASON)
    seasons = np.arange(NEAR + 1, longest + 1)
    if not len(seasons):
        return 1
    by_series = np.array([_autocorrelation(series, 2 * int(seasons[-1])) for series in sample])
    known = np.isfinite(by_series)
    count = np.maximum(known.sum(axis=0), 1)
    scores = np.nansum(by_series, axis=0) / count
    typical = np.maximum((lengths @ known) / count, 1)  # mean length of the series with this lag
    near = [scores[seasons + away] for away in range(-NEAR, NEAR + 1) if away]
    here = scores[seasons]
    sharp = here - np.max(near, axis=0) > MIN_SCORE + STANDARD_ERRORS / np.sqrt(typical[seasons])
    before, then, after = (scores[2 * seasons + away] for away in (-1, 0, 1))
    left = then + np.maximum(np.maximum(before, after), 0.0)  # a season of 52.18 steps peaks at two
    stands_out = sharp & (left > LASTING * here)
    candidates = stands_out & (here > NEARLY_BEST * here[stands_out].max(initial=0.0))
    return int(seasons[candidates.argmax()]) if candidates.any() else 1


def _autocorrelation(series: Array, longest: int) -> Array:
    """Return the autocorrelation of the differences by lag, shape (longest + NEAR + 1,).

    NaN at lags with too few cycles, or if the series is constant.
    """
    differences = np.diff(series)
    differences -= differences.mean()
    limit = MAX_DIFFERENCE * np.abs(differences).mean()
    differences = np.clip(differences, -limit, limit)
    power = np.abs(np.fft.rfft(differences, 2 * len(differences))) ** 2
    products = np.fft.irfft(power)[: len(differences)]
    lags = min(2 * (len(series) // MIN_CYCLES) + NEAR, len(products) - 1, longest + NEAR)
    correlation = np.full(longest + NEAR + 1, np.nan)
    if limit > 0:
        correlation[: lags + 1] = products[: lags + 1] / products[0]
    return correlation


def _sample(
    values: Array,
    observed: NDArray[np.bool_],
    spans: tuple[NDArray[np.int64], NDArray[np.int64]],
    shortest: int,
    most: int = SAMPLED,
) -> list[Array]:
    """Return at most `most` series of length `shortest` or more, gaps interpolated."""
    begins, ends = spans
    long = np.flatnonzero(ends - begins >= shortest)
    sample = []
    for i in long[np.linspace(0, len(long) - 1, min(most, len(long))).astype(int)]:
        part = slice(begins[i], ends[i])
        seen = np.flatnonzero(observed[part])
        if len(seen):
            steps = np.arange(ends[i] - begins[i])
            sample.append(np.interp(steps, seen, values[part][seen]))
    return sample


def _score(sample: list[Array], season: int) -> tuple[float, float]:
    """Return the mean score of the series that are long enough, and their number of cycles."""
    long = [series for series in sample if len(series) >= MIN_CYCLES * season]
    if not long:
        return 0.0, 1.0
    newest = [series[-MAX_CYCLES * season :] for series in long]
    cycles = sum(len(series) / season for series in newest)
    return float(np.mean([_score_series(series, season) for series in newest])), cycles


def _score_series(series: Array, season: int) -> float:
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
    rounding = 1e-9 * (series @ series)  # of a constant series
    return float(now @ later / scale) if scale > rounding else 0.0
