"""Intervals fitted again on actuals that have arrived, used only if they are shown to be better.

The point forecast is unchanged. The test is by time: intervals fitted on the older actuals must
score better on the newer ones than the intervals in use; then they are fitted on all actuals.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq import metrics
from foreseq.errors import DataRefused
from foreseq.forecasting import calibration
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.ensemble import HELD_BACK, Ensemble
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

MOST_CUTOFFS = 60
"""Of each series, the newest ones."""
OLDER = 2 / 3
"""Share of the times that the tested intervals are fitted on."""
MIN_ACTUALS = 20
"""To fit on, and as many to test on."""


class Recalibrated(NamedTuple):
    """A forecaster with new intervals, and the test of these against the ones in use."""

    bundle: Bundle
    """With intervals fitted on all actuals."""
    better: bool
    """Whether new intervals score better on actuals that they were not fitted on."""
    coverage_before: float
    coverage_after: float
    score_before: float
    """Mean scaled interval score of the widest interval, on the same actuals; lower is better."""
    score_after: float

    def __str__(self) -> str:
        """Return one line for people."""
        return (
            f"interval score {self.score_after:.3f} vs {self.score_before:.3f} on the newer actuals"
            f" (coverage {self.coverage_after:.0%} vs {self.coverage_before:.0%})"
        )


def recalibrate(fitted: Bundle, newest: Panel) -> Recalibrated:
    """Fit the intervals of a forecaster on the actuals that have arrived since its training.

    Raises:
        DataRefused: If too few have arrived, or it forecasts without intervals.
    """
    levels = fitted.experiment.levels
    if fitted.final.calibration is None or not levels:
        raise DataRefused(
            "recalibration needs a forecaster with intervals",
            found="a point forecast alone",
            remedy="train one with intervals.levels",
        )
    unseen = _unseen(fitted, newest)
    bare = Ensemble(fitted.experiment, fitted.final._replace(calibration=None))
    forecasts = calibration.of_levels(bare.raw(newest, unseen), bare.levels, levels)
    actual = windows.futures(newest, unseen, forecasts.shape[1])
    units = bare.units(newest, unseen)
    log = bool(fitted.experiment.network.log)
    older = _older(newest, unseen, actual)
    fit_on, test_on = np.where(older, actual, np.nan), np.where(older, np.nan, actual)
    if min(np.isfinite(fit_on).sum(), np.isfinite(test_on).sum()) < MIN_ACTUALS:
        raise DataRefused(
            f"recalibration needs {2 * MIN_ACTUALS} actuals that the forecaster has not seen",
            found=f"{int(np.isfinite(actual).sum())}",
            remedy="wait for newer data",
        )
    scale = metrics.seasonal_errors(
        newest.values, newest.observed, newest.offsets, newest.lengths, newest.season
    )[unseen.series]
    trial = calibration.fit(fit_on, forecasts, units, levels, log=log)
    (coverage, score), (new_coverage, new_score) = (
        _test(calibration.apply(intervals, forecasts, units), test_on, levels, scale)
        for intervals in (fitted.final.calibration, trial)
    )
    final = calibration.fit(actual, forecasts, units, levels, log=log)
    final = final._replace(cold=fitted.final.calibration.cold)
    recalibrated = replace(
        fitted,
        evaluated=fitted.evaluated._replace(calibration=final),
        final=fitted.final._replace(calibration=final),
    )
    return Recalibrated(recalibrated, new_score < score, coverage, new_coverage, score, new_score)


def _unseen(fitted: Bundle, newest: Panel) -> Windows:
    """Return the newest windows whose future the weights have not seen."""
    seen = fitted.final.seen.steps(newest)
    first = np.where(seen >= 0, seen, newest.lengths)
    backs = range(min(MOST_CUTOFFS, int(newest.lengths.max(initial=1))), 0, -1)
    cutoffs = np.stack([np.maximum(first, newest.lengths - back) for back in backs])
    series = np.broadcast_to(np.arange(len(first)), cutoffs.shape)
    pairs = np.unique(np.stack([series.ravel(), cutoffs.ravel()], axis=1), axis=0)
    unseen = Windows(pairs[:, 0], pairs[:, 1])
    unseen = unseen.take((unseen.cutoff < newest.lengths[unseen.series]) & (unseen.cutoff > 0))
    return unseen.take(slice(None, None, -(-unseen.count // HELD_BACK) or 1))


def _older(newest: Panel, unseen: Windows, actual: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which actuals are among the older ones, by time, shape (windows, horizon)."""
    ahead = unseen.cutoff[:, None] + np.arange(actual.shape[1])
    times = calendar.at(newest.starts[unseen.series][:, None], ahead, newest.freq).astype(np.int64)
    distinct = np.unique(times[np.isfinite(actual)])
    if not len(distinct):
        return np.zeros(actual.shape, bool)
    return np.asarray(times <= distinct[int(OLDER * (len(distinct) - 1))])


def _test(
    quantiles: NDArray[np.float64],
    actual: NDArray[np.float64],
    levels: tuple[float, ...],
    scale: NDArray[np.float64],
) -> tuple[float, float]:
    """Return coverage and mean scaled interval score of the widest interval."""
    low, high = quantiles[..., 0], quantiles[..., -1]
    share = round(levels[-1] - levels[0], 9)
    score = metrics.interval_score(actual, low, high, share, scale)
    covered = metrics.coverage(actual.ravel(), low.ravel(), high.ravel())
    return float(covered), float(metrics.mean_known(score))
