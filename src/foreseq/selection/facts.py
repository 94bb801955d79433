"""What is known of the data before anything is chosen; none of it comes from the test windows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import OutputDomain
from foreseq.network import output_domain
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Split

SAMPLED = 2000
"""Series that a rule looks at: more cost time and hardly change a median."""
LONG, ENOUGH = 500, 10_000
"""Steps of a typical series, and observations in total, from which the data teach more than
synthetic series do (competitions.py and auto_vs_classics.py, validation windows)."""
MONTHLY, ENOUGH_SHORT = 12, 5_000
"""Steps per year above which, and observations from which, the same holds of short series: daily
and weekly series of a panel share habits that synthetic series do not have, while of monthly and
yearly series trend and season are most of what there is to learn (competitions.py)."""
FEW_BLOCKS, LITTLE_CHANGE = 4, 0.2
"""With fewer blocks, or less change of their log level, the exponent below cannot be estimated."""
NEARLY_ALL = 0.9
"""Share of series that decides for all."""
MOST_REPEATS = 10
"""Times that the longest cycle is repeated in the lags."""


class Facts(NamedTuple):
    """What the rules and the search go by."""

    panel: Panel
    horizon: int
    split: Split

    @property
    def observations(self) -> int:
        """Steps of all series that are trained on."""
        return int(self.split.train_ends.sum())

    @property
    def typical(self) -> int:
        """Steps in the median series that is long enough to train on."""
        return windows.typical_length(self.split.train_ends, self.horizon)

    @property
    def are_long(self) -> bool:
        """Whether the typical series is long enough to learn from it alone."""
        return self.typical > LONG

    @property
    def teach_enough(self) -> bool:
        """Whether the data can do without synthetic series."""
        if self.are_long:
            return self.observations > ENOUGH
        steps_per_year = calendar.steps_per_year(self.panel.freq)
        return steps_per_year > MONTHLY and self.observations > ENOUGH_SHORT

    @property
    def is_trained_on(self) -> NDArray[np.bool_]:
        """Which series are long enough to train on, shape (n_series,)."""
        return self.split.train_ends >= windows.MIN_PAST + self.horizon

    def sample(self) -> list[NDArray[np.float64]]:
        """Return the observed values of some series that are trained on."""
        usable = np.flatnonzero(self.is_trained_on)
        some = usable[:: -(-len(usable) // SAMPLED) or 1]
        return [_observed(self.panel, series, self.split.train_ends[series]) for series in some]


def quartiles(facts: Facts) -> tuple[float, float, float]:
    """Return the quartiles of all observations that are trained on."""
    low, middle, high = np.quantile(np.concatenate(facts.sample()), (0.25, 0.5, 0.75)).tolist()
    return low, middle, high


def some_are_empty(facts: Facts) -> bool:
    """Tell whether some series have no observation at all."""
    return any(not facts.panel.seen(series).any() for series in range(facts.panel.n_series))


def are_positive(facts: Facts) -> bool:
    """Tell whether every observation has a logarithm: a series without one could not be forecast.

    Series too short to be trained on are forecast as well; of these, all before the test counts,
    and the whole of a series that is too short for a test.
    """
    panel, split = facts.panel, facts.split
    untested = ~np.isin(np.arange(panel.n_series), split.test.series)
    before_test = np.where(untested, panel.lengths, split.validation_ends)
    ends = np.where(facts.is_trained_on, split.train_ends, before_test)
    return all(
        (_observed(panel, series, end) > 0).all() for series, end in enumerate(ends.tolist())
    )


def growth_of_swings(facts: Facts) -> float:
    """Return the median over series of p in `swing ~ level ** p`; 0 if none can tell.

    A swing is the standard deviation within a season, a level its mean.
    """
    block = max(facts.panel.season, 4)
    exponents = np.array([_growth_of_swings(values, block) for values in facts.sample()])
    return float(np.nanmedian(exponents)) if np.isfinite(exponents).any() else 0.0


def share_of_zeros(facts: Facts) -> float:
    """Return the share of zeros in a typical series."""
    return float(np.mean([(values == 0).mean() for values in facts.sample() if len(values)] or [0]))


def nearly_all_in(facts: Facts, domain: OutputDomain) -> bool:
    """Tell whether nearly all series take only values of an output domain."""
    shares = [output_domain.holds(domain, values) for values in facts.sample()]
    return bool(shares) and bool(np.mean(shares) >= NEARLY_ALL)


def cycles(facts: Facts, context: int) -> tuple[int, ...]:
    """Return the season and the longer cycles of the calendar that fit into the context."""
    season = facts.panel.season
    longer = [n for n in calendar.seasons(facts.panel.freq) if n > season and n % season == 0]
    return tuple(n for n in (season, *longer) if 1 < n <= context)


def repeated_cycles(facts: Facts, context: int) -> tuple[int, ...]:
    """Return the cycles, and the longest as many times as it fits into the context."""
    lags = cycles(facts, context)
    longest = max(lags, default=0)
    again = [longest * n for n in range(2, MOST_REPEATS + 1) if 0 < longest * n <= context]
    return (*lags, *again)


def _observed(panel: Panel, series: int, end: int) -> NDArray[np.float64]:
    """Return the observed values among the first `end` steps of a series, without absurd ones."""
    values = panel.series(series)[:end][panel.seen(series)[:end]]
    return values[~windows.absurd(values)]


def _growth_of_swings(values: NDArray[np.float64], block: int) -> float:
    """Return p of `swing ~ level ** p` over blocks of one series; NaN if it cannot be estimated."""
    count = len(values) // block
    values = values / (np.abs(values).max(initial=0.0) or 1.0)
    blocks = values[len(values) - count * block :].reshape(count, block)
    level, swing = blocks.mean(axis=1), blocks.std(axis=1)
    usable = swing > 0
    if usable.sum() < FEW_BLOCKS or np.ptp(np.log(level[usable])) < LITTLE_CHANGE:
        return float("nan")
    return float(np.polyfit(np.log(level[usable]), np.log(swing[usable]), 1)[0])
