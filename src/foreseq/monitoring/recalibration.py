"""Intervals fitted anew on actuals that have arrived, adopted only if they are shown to be better.

The forecast itself stays as it was. Judged is by time: intervals fitted on the older actuals must
score better on the newer ones than those in use; then they are fitted on all of them.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq import metrics
from foreseq.errors import DataRefused
from foreseq.forecasting import calibration
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.calibration import Calibration
from foreseq.forecasting.ensemble import HELD_BACK, Forecaster
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

MOMENTS = 60
"""Cutoffs of each series at most, the newest ones."""
FITTED = 2 / 3
"""Share of the arrived steps that the intervals to be judged are fitted on."""
LEAST = 20
"""Actuals that are needed on either side."""


class Recalibrated(NamedTuple):
    """New intervals beside the old ones."""

    bundle: Bundle
    """With the new ones, fitted on all actuals."""
    better: bool
    """Whether they score better on actuals that they were not fitted on."""
    coverage_before: float
    coverage_after: float
    score_before: float
    """Mean scaled interval score of the widest interval, on the same actuals: less is better."""
    score_after: float

    def __str__(self) -> str:
        """Return it in one line."""
        return (
            f"on newer actuals the widest interval scores {self.score_after:.3f} instead of"
            f" {self.score_before:.3f}, and holds {self.coverage_after:.0%} instead of"
            f" {self.coverage_before:.0%} of them"
        )


def recalibrate(fitted: Bundle, series: Panel) -> Recalibrated:
    """Fit the intervals of a forecaster on what has arrived since it was trained.

    Raises:
        DataRefused: If too little has arrived, or it forecasts without intervals.
    """
    levels = fitted.experiment.levels
    if fitted.final.calibration is None or not levels:
        raise DataRefused(
            "recalibration needs a forecaster with intervals",
            found="a point forecast alone",
            remedy="train one with intervals.levels",
        )
    chosen = _unseen(fitted, series)
    bare = Forecaster(fitted.experiment, fitted.final._replace(calibration=None))
    answers = calibration.of_levels(bare.unkept(series, chosen), bare.levels, levels)
    actual = windows.futures(series, chosen, answers.shape[1])
    units = bare.units(series, chosen)
    log = bool(fitted.experiment.network.log)
    older = _older(series, chosen, actual)
    fit_on, test_on = np.where(older, actual, np.nan), np.where(older, np.nan, actual)
    if min(np.isfinite(fit_on).sum(), np.isfinite(test_on).sum()) < LEAST:
        raise DataRefused(
            f"recalibration needs {2 * LEAST} actuals that the forecaster has not seen",
            found=f"{int(np.isfinite(actual).sum())}",
            remedy="wait for newer data",
        )
    trial = calibration.fit(fit_on, answers, units, levels, log=log)
    scale = metrics.seasonal_errors(
        series.values, series.observed, series.offsets, series.lengths, series.season
    )[chosen.series]
    before, after = (
        _judge(calibration.apply(each, answers, units), test_on, levels, scale)
        for each in (fitted.final.calibration, trial)
    )
    final = calibration.fit(actual, answers, units, levels, log=log)
    return Recalibrated(
        _with(fitted, final), after[1] < before[1], before[0], after[0], before[1], after[1]
    )


def _unseen(fitted: Bundle, series: Panel) -> Windows:
    """Return the newest windows that begin after what the weights have seen."""
    seen = fitted.final.seen.steps(series)
    first = np.where(seen >= 0, seen, series.lengths)
    cutoffs = [
        np.maximum(first, series.lengths - back)
        for back in range(min(MOMENTS, _most(series)), 0, -1)
    ]
    pairs = np.unique(
        np.concatenate([np.stack([np.arange(len(first)), each], axis=1) for each in cutoffs]),
        axis=0,
    )
    chosen = Windows(pairs[:, 0], pairs[:, 1])
    chosen = chosen.take((chosen.cutoff < series.lengths[chosen.series]) & (chosen.cutoff > 0))
    return chosen.take(slice(None, None, -(-chosen.count // HELD_BACK) or 1))


def _most(series: Panel) -> int:
    return int(series.lengths.max(initial=1))


def _older(series: Panel, chosen: Windows, actual: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which actuals are among the older ones, by time, shape (windows, horizon)."""
    ahead = chosen.cutoff[:, None] + np.arange(actual.shape[1])
    times = calendar.at(series.starts[chosen.series][:, None], ahead, series.freq)
    number = times.astype(np.int64)
    distinct = np.unique(number[np.isfinite(actual)])
    if not len(distinct):
        return np.zeros(actual.shape, bool)
    return np.asarray(number <= distinct[int(FITTED * (len(distinct) - 1))])


def _judge(
    quantiles: NDArray[np.float64],
    actual: NDArray[np.float64],
    levels: tuple[float, ...],
    scale: NDArray[np.float64],
) -> tuple[float, float]:
    """Return coverage and scaled interval score of the widest interval."""
    low, high = quantiles[..., 0], quantiles[..., -1]
    share = round(levels[-1] - levels[0], 9)
    score = metrics.interval_score(actual, low, high, share, scale)
    covered = metrics.coverage(actual.ravel(), low.ravel(), high.ravel())
    return float(covered), float(metrics.mean_known(score))


def _with(fitted: Bundle, fresh: Calibration) -> Bundle:
    return replace(
        fitted,
        evaluated=fitted.evaluated._replace(calibration=fresh),
        final=fitted.final._replace(calibration=fresh),
    )
