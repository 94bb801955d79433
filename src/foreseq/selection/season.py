"""The season of a panel, inferred from its values.

The score of a season is the autocorrelation at that lag, after a running mean over one season has
been removed, or a line where there are fewer than three cycles. A random walk scores about 0 for
every season; in 95 of 100 simulated walks it stays below 0.9 / sqrt(cycles), in 99 below 1.1.

The calendar is evidence, too: its seasons need less of it than others, and where histories are too
short to be asked, its shortest season is taken as it is.

Where a wandering level hides the season, the differences may still show it: their autocorrelation
is high at the season and low a few steps before and after it.
"""

import numpy as np
from numpy.typing import NDArray

from foreseq.series import calendar
from foreseq.series.panel import Panel

SAMPLED, SEARCHED = 256, 32
"""Series that are scored, and series that are where every season is tried."""
MIN_CYCLES, CALENDAR_CYCLES = 3, 2
"""Cycles that a scored series must have; of the calendar's seasons two are enough."""
MAX_CYCLES, MAX_CALENDAR_CYCLES = 50, 200
"""Newest cycles of a series that are scored; more show weaker seasons."""
MAX_UNASKED = 24
"""Longest season of the calendar that is taken where no history is long enough to be asked."""
OUTLYING = 5.0
"""Values are clipped at so many times their median distance from the median: one absurd value must
not hide a season."""
MAX_SEASON = 400
"""Longest season tried where the frequency suggests none."""
MIN_SCORE = 0.05
"""Score above that of a random walk from which a season is accepted: series of a panel may have
wandered together."""
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

    If no training span holds two cycles of the shortest, it is taken where the whole series does.
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
        season = _search(_sample(values, observed, (begins, ends), least, SEARCHED))
        if season > 1:
            return season
        newest = np.maximum(begins, ends - MAX_CYCLES * MAX_DIFFERENCE_SEASON)
        return _search_differences(_sample(values, observed, (newest, ends), least))
    usual = calendar.seasons(freq)
    for season in usual:
        newest = np.maximum(begins, ends - MAX_CALENDAR_CYCLES * season)
        sample = _sample(values, observed, (newest, ends), CALENDAR_CYCLES * season)
        if not sample and season == usual[0] <= MAX_UNASKED:
            return season if np.median(panel.lengths) >= CALENDAR_CYCLES * season else 1
        score, cycles = _score(sample, season)
        if season > 1 and score > MIN_SCORE + 0.9 / np.sqrt(cycles):
            return season
    return 1


def _search(sample: list[Array]) -> int:
    """Return the shortest season whose score is high and a local peak, or 1."""
    longest = max((len(series) for series in sample), default=0) // MIN_CYCLES
    seasons = np.arange(2, min(longest, MAX_SEASON) + 1)
    if not len(seasons):
        return 1
    scores, cycles = np.array([_score(_newest(sample, n), n) for n in seasons.tolist()]).T
    stands_out = scores > 0.25 + 1.6 / np.sqrt(cycles)
    if not stands_out.any():
        return 1
    best = scores[stands_out].max()
    peak = np.r_[True, scores[1:] > scores[:-1]] & np.r_[scores[:-1] > scores[1:], True]
    candidates = stands_out & peak & (scores > 0.9 * best)
    return int(seasons[candidates.argmax()]) if candidates.any() else 1


def _newest(sample: list[Array], season: int) -> list[Array]:
    """Return the newest cycles of the series that have enough of them."""
    return [y[-MAX_CYCLES * season :] for y in sample if len(y) >= MIN_CYCLES * season]


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
    """Return at most `most` series of length `shortest` or more, gaps interpolated.

    They are clipped, and divided by their largest value, so that no product overflows.
    """
    begins, ends = spans
    long = np.flatnonzero(ends - begins >= shortest)
    sample = []
    for i in long[np.linspace(0, len(long) - 1, min(most, len(long))).astype(int)]:
        part = slice(begins[i], ends[i])
        seen = np.flatnonzero(observed[part])
        if len(seen):
            steps = np.arange(ends[i] - begins[i])
            sample.append(_clipped(np.interp(steps, seen, values[part][seen])))
    return sample


def _clipped(series: Array) -> Array:
    """Return a series without absurd values, in units of its largest one.

    Example:
        >>> _clipped(np.array([1.0, 2.0, 3.0, -1e300])).round(2).tolist()
        [0.29, 0.57, 0.86, -1.0]
    """
    series = series / (np.abs(series).max() or 1.0)
    middle = np.median(series)
    limit = OUTLYING * np.median(np.abs(series - middle))
    if limit > 0:
        series = np.clip(series, middle - limit, middle + limit)
    return np.asarray(series / (np.abs(series).max() or 1.0))


def _score(sample: list[Array], season: int) -> tuple[float, float]:
    """Return the mean score of the series that are long enough, and their number of cycles."""
    if not sample:
        return 0.0, 1.0
    cycles = sum(len(series) / season for series in sample)
    return float(np.mean([_score_series(series, season) for series in sample])), cycles


def _score_series(series: Array, season: int) -> float:
    """Return the correlation of the series, less its trend, with itself a season later."""
    rest = _without_trend(series, season)
    now, later = rest[:-season], rest[season:]
    scale = np.sqrt((now @ now) * (later @ later))
    rounding = 1e-9 * (series @ series)  # of a constant series
    return float(now @ later / scale) if scale > rounding else 0.0


def _without_trend(series: Array, season: int) -> Array:
    """Return the series less its running mean, or less a line where it is short."""
    series = series - series.mean()
    if len(series) < MIN_CYCLES * season:
        steps = np.arange(len(series)) - (len(series) - 1) / 2
        return np.asarray(series - steps * (steps @ series) / (steps @ steps))
    total = np.concatenate([[0.0], np.cumsum(series)])
    mean = (total[season:] - total[:-season]) / season
    if season % 2 == 0:  # centre it on a step
        mean = (mean[1:] + mean[:-1]) / 2
    edge = season // 2
    rest = series[edge : edge + len(mean)] - mean
    return np.asarray(rest - rest.mean())
