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

from foreseq.series import components, features
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
        made = components.generate(rng, (count, length), like.season)
        if counts and not log and turn % 2 == 0:
            made = components.counts(rng, made)
        else:
            made = components.grown(rng, made, 1.0 if log else GROWN)
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
