"""What the backtest promised: the forecaster on windows it had not seen, before it went to work."""

from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import SEASONAL_NAIVE, seasonal_naive
from foreseq.forecasting.bundle import Seen
from foreseq.monitoring.actuals import COLUMNS, scales, sum_up
from foreseq.network.outputs import median_output
from foreseq.series import calendar, panel, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

PROMISE = "backtest"
"""Stands for the version in the table of sums."""
MOMENTS = 60
"""Rolling cutoffs at most: more hardly steady the limits."""
SERIES = 1000
"""Series at most, evenly taken: more cost time and change little."""


class Answers(Protocol):
    """What forecasts: a `Forecaster` with the weights that were tested."""

    @property
    def levels(self) -> tuple[float, ...]:
        """Of the quantiles; none for a point forecast."""

    def __call__(self, panel: Panel, chosen: Windows, /) -> NDArray[np.float64]:
        """Return forecasts, shape (windows, horizon, outputs)."""


def promise(
    forecaster: Answers, series: Panel, seen: Seen, until: Any, cadence: int
) -> pd.DataFrame:
    """Return the sums of a rolling backtest between the training and the first forecast.

    Args:
        forecaster: With weights that have seen no more than `seen`.
        series: The data; nothing after `until` is looked at.
        seen: What the weights were fitted on.
        until: When the first forecast was made: the last time known then.
        cadence: Steps from one forecast to the next.

    Returns:
        See `arrivals.COLUMNS`; a moment is `until` less a multiple of the cadence.
    """
    some = panel.select(series, np.arange(0, series.n_series, -(-series.n_series // SERIES)))
    end = calendar.positions(np.full(some.n_series, until), some.starts, some.freq) + 1
    first = seen.steps(some)
    sums = [pd.DataFrame(columns=COLUMNS)]
    for back in range(MOMENTS, 0, -1):
        cutoff = end - back * cadence
        fair = np.flatnonzero(
            (first >= 0) & (cutoff >= first) & (cutoff > 0) & (cutoff <= some.lengths)
        )
        if len(fair):
            chosen = Windows(fair, cutoff[fair])
            moment = calendar.at(until, -back * cadence, some.freq)
            sums.append(sum_up(_test(forecaster, some, chosen, end), PROMISE, moment))
    return pd.concat([each for each in sums if len(each)] or sums, ignore_index=True)


def _test(forecaster: Answers, series: Panel, chosen: Windows, end: NDArray[np.int64]) -> Backtest:
    answers = forecaster(series, chosen)
    horizon = answers.shape[1]
    after = chosen.cutoff[:, None] + np.arange(horizon) >= end[chosen.series][:, None]
    return Backtest(
        chosen,
        np.where(after, np.nan, windows.futures(series, chosen, horizon)),
        {
            FORESEQ: median_output(answers, forecaster.levels),
            SEASONAL_NAIVE: seasonal_naive(series, chosen, horizon),
        },
        answers,
        scales(series, chosen),
        forecaster.levels,
    )
