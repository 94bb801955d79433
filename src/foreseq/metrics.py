"""Measures of forecasts: pure functions on arrays, one per measure of the field.

One of the longer modules, as half of it is formulas and doctests that are looked up one by one.

Three rules hold for every measure:

- The last axis is the horizon and is averaged away; every other axis stays. A single step is a
  horizon of one: `mae(actual[..., None], forecast[..., None])` is the error of each step.
- NaN in `actual` means not observed: the step is left out. A row without any observed step is NaN,
  and NaN rows are left out of the means over them.
- NaN in a forecast is not left out, or not forecasting would pay. Such a step is infinitely wrong:
  200 for sMAPE, outside every interval, infinity for everything else.

Several windows of one series are averaged first, then all series weigh the same, as in M4.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BLOCK = 2**20
"""Steps of a panel that are processed together."""
ROUNDING = 16 * np.finfo(np.float64).eps
"""Differences below this share of the values are rounding: a constant such as 0.1 + 0.2 and 0.3."""


class Errors(NamedTuple):
    """Point measures in arrays of one shape: one entry per series, or one per horizon step."""

    mae: Floats
    rmse: Floats
    smape: Floats
    mase: Floats


class Scores(NamedTuple):
    """Point measures of a whole panel: plain means over its series."""

    mae: float
    rmse: float
    smape: float
    mase: float
    n_series: int
    """Series with at least one observed step."""
    n_without_mase: int
    """Those of them whose scale is zero or unknown, so that `mase` leaves them out."""


def score(actual: ArrayLike, forecast: ArrayLike, series: ArrayLike, scale: ArrayLike) -> Scores:
    """Return the measures of all windows of a panel.

    Args:
        actual: Observations, shape (windows, horizon).
        forecast: Point forecasts, shape (windows, horizon).
        series: Position of each window's series, shape (windows,).
        scale: Seasonal error of each series, shape (n_series,).

    Example:
        Series 0 has two windows with errors 1 and 3, series 1 one window with error 10.

        >>> scores = score([[5.0], [5.0], [5.0]], [[6.0], [8.0], [15.0]], [0, 0, 1], [2.0, 0.0])
        >>> scores.mae, scores.mase, scores.n_series, scores.n_without_mase
        (6.0, 1.0, 2, 1)
    """
    return overall(per_series(actual, forecast, series, scale))


def overall(errors: Errors) -> Scores:
    """Return the plain means over series of the errors of `per_series`."""
    scored = ~np.isnan(errors.mae)
    return Scores(
        mae=float(mean_known(errors.mae)),
        rmse=float(mean_known(errors.rmse)),
        smape=float(mean_known(errors.smape)),
        mase=float(mean_known(errors.mase)),
        n_series=int(scored.sum()),
        n_without_mase=int((scored & np.isnan(errors.mase)).sum()),
    )


def per_series(
    actual: ArrayLike, forecast: ArrayLike, series: ArrayLike, scale: ArrayLike
) -> Errors:
    """Return the measures of each series, shape (n_series,): means over its windows.

    Arguments as for `score`. A series without a window is NaN.

    Example:
        >>> forecast = [[1.0, 4.0], [4.0, 4.0]]
        >>> errors = per_series([[1.0, 2.0], [4.0, 4.0]], forecast, [2, 0], [1, 1, 4])
        >>> errors.mae.tolist()
        [0.0, nan, 1.0]
        >>> errors.mase.tolist()
        [0.0, nan, 0.25]
    """
    position, unit = _positions(series), _floats(scale)
    windows = Errors(
        mae=mae(actual, forecast),
        rmse=rmse(actual, forecast),
        smape=smape(actual, forecast),
        mase=mase(actual, forecast, unit[position]),
    )
    return Errors(*(series_mean(window, position, len(unit)) for window in windows))


def by_horizon(
    actual: ArrayLike, forecast: ArrayLike, series: ArrayLike, scale: ArrayLike
) -> Errors:
    """Return the measures of each step ahead, shape (horizon,).

    Arguments as for `score`. `rmse` is the root of the squared error averaged over the windows of
    a series, so with one window per series it equals `mae`.

    Example:
        >>> ahead = by_horizon([[0.0, 0.0], [0.0, 0.0]], [[3.0, 1.0], [4.0, 1.0]], [0, 0], [2.0])
        >>> ahead.mae.tolist(), ahead.rmse.round(4).tolist(), ahead.mase.tolist()
        ([3.5, 1.0], [3.5355, 1.0], [1.75, 0.5])
    """
    position, unit = _positions(series), _floats(scale)
    count = len(unit)
    truth, point = _floats(actual)[..., None], _floats(forecast)[..., None]  # a horizon of one
    squared = series_mean(rmse(truth, point) ** 2, position, count)
    return Errors(
        mae=mean_known(series_mean(mae(truth, point), position, count), axis=0),
        rmse=mean_known(np.sqrt(squared), axis=0),
        smape=mean_known(series_mean(smape(truth, point), position, count), axis=0),
        mase=mean_known(
            series_mean(mase(truth, point, unit[position][:, None]), position, count), axis=0
        ),
    )


def mae(actual: ArrayLike, forecast: ArrayLike) -> Floats:
    """Return the mean absolute error.

    Args:
        actual: Observations, shape (..., horizon).
        forecast: Point forecasts of the same shape.

    Returns:
        Shape (...), in the unit of the data.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> mae([[1.0, 2.0], [3.0, np.nan]], [[2.0, 4.0], [3.0, 9.0]]).tolist()
        [1.5, 0.0]
    """
    return mean_known(_absolute_errors(actual, forecast))


def rmse(actual: ArrayLike, forecast: ArrayLike) -> Floats:
    """Return the root of the mean squared error; shapes as for `mae`.

    Example:
        >>> rmse([[0.0, 0.0]], [[1.0, 7.0]]).tolist()
        [5.0]
    """
    return np.sqrt(mean_known(_absolute_errors(actual, forecast) ** 2))


def smape(actual: ArrayLike, forecast: ArrayLike) -> Floats:
    """Return M4's symmetric percentage error, 0 to 200; shapes as for `mae`.

    The mean of `200 |y - f| / (|y| + |f|)`, where zero against zero counts as zero.

    Example:
        >>> smape([[1.0, 0.0], [1.0, 1.0]], [[3.0, 0.0], [-1.0, 0.0]]).tolist()
        [50.0, 200.0]
    """
    missed = _absolute_errors(actual, forecast)
    size = np.abs(actual) + np.abs(forecast)
    share = np.where(np.isinf(missed), 1.0, missed)
    np.divide(missed, size, out=share, where=np.isfinite(missed) & (size > 0))
    return 200.0 * mean_known(share)


def mase(actual: ArrayLike, forecast: ArrayLike, scale: ArrayLike) -> Floats:
    """Return the mean absolute error in units of `scale`; NaN where the scale is not positive.

    Args:
        actual: Observations, shape (..., horizon).
        forecast: Point forecasts of the same shape.
        scale: Seasonal error of the series of each row, shape (...).

    Example:
        >>> mase([[1.0, 2.0], [1.0, 2.0]], [[2.0, 4.0], [2.0, 4.0]], [0.5, 0.0]).tolist()
        [3.0, nan]
    """
    return _per_unit(mae(actual, forecast), scale)


def pinball(actual: ArrayLike, forecast: ArrayLike, levels: ArrayLike) -> Floats:
    """Return the pinball loss of each level; the mean over levels is the usual single number.

    Args:
        actual: Observations, shape (..., horizon).
        forecast: Quantiles, shape (..., horizon, levels).
        levels: Between 0 and 1, shape (levels,).

    Returns:
        Shape (..., levels). At level 0.5 it is half the absolute error.

    Example:
        >>> pinball([[10.0]], [[[8.0, 10.0, 15.0]]], [0.1, 0.5, 0.9]).round(3).tolist()
        [[0.2, 0.0, 0.5]]
    """
    return np.moveaxis(mean_known(_quantile_losses(actual, forecast, levels)), 0, -1)


def weighted_quantile_loss(actual: ArrayLike, forecast: ArrayLike, levels: ArrayLike) -> float:
    """Return the CRPS as GluonTS approximates it (`mean_weighted_sum_quantile_loss`).

    Twice the sum of the pinball losses of all steps of all series, over the sum of absolute
    actuals; the mean over levels. Of a point forecast, its own quantile at every level, it is the
    normalized deviation (ND) where levels are symmetric.

    Shapes are those of `pinball`.

    Example:
        >>> quantiles = [[[8.0, 10.0, 15.0], [4.0, 5.0, 9.0]]]
        >>> round(weighted_quantile_loss([[10.0, np.nan]], quantiles, [0.1, 0.5, 0.9]), 6)
        0.046667
    """
    losses = _quantile_losses(actual, forecast, levels)
    total = np.nansum(losses.reshape(len(losses), -1), axis=1).mean()
    return float(_ratio(2.0 * total, np.nansum(np.abs(_floats(actual)))))


def coverage(actual: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Floats:
    """Return the share of observations within an interval, bounds included; shapes as for `mae`.

    Example:
        >>> coverage([[1.0, 2.0, 3.0, np.nan]], [[1.0, 0.0, 0.0, 0.0]], [[2.0, 1.0, 4.0, 1.0]])
        array([0.66666667])
    """
    truth = _floats(actual)
    inside = (truth >= _floats(lower)) & (truth <= _floats(upper))
    return mean_known(np.where(np.isnan(truth), np.nan, inside))


def interval_width(lower: ArrayLike, upper: ArrayLike) -> Floats:
    """Return the mean width of an interval, in the unit of the data; shapes as for `coverage`.

    Example:
        >>> interval_width([[1.0, 2.0]], [[2.0, 5.0]]).tolist()
        [2.0]
    """
    width = _floats(upper) - _floats(lower)
    return mean_known(np.where(np.isnan(width), np.inf, width))


def interval_score(
    actual: ArrayLike, lower: ArrayLike, upper: ArrayLike, level: float, scale: ArrayLike
) -> Floats:
    """Return M4's mean scaled interval score (MSIS): width plus a fine for each miss.

    A miss costs `2 / (1 - level)` times its distance from the interval.

    Args:
        actual: Observations, shape (..., horizon).
        lower: Lower bounds of the same shape.
        upper: Upper bounds.
        level: Share of observations that should lie inside, such as 0.95.
        scale: Seasonal error of the series of each row, shape (...); 1 leaves the data's unit.

    Example:
        Width 4; the second observation lies 1 outside, which costs 2 / 0.05 = 40.

        >>> interval_score([[3.0, 7.0]], [[2.0, 2.0]], [[6.0, 6.0]], 0.95, [2.0]).round(9).tolist()
        [12.0]
    """
    truth, low, high = _floats(actual), _floats(lower), _floats(upper)
    outside = np.maximum(low - truth, 0.0) + np.maximum(truth - high, 0.0)
    cost = high - low + 2.0 / (1.0 - level) * outside
    cost = np.where(np.isnan(low) | np.isnan(high), np.inf, cost)
    return _per_unit(mean_known(np.where(np.isnan(truth), np.nan, cost)), scale)


def seasonal_error(values: ArrayLike, observed: ArrayLike, season: int) -> float:
    """Return the mean of `|y[t] - y[t - season]|` over one series: the scale of MASE.

    Args:
        values: Training span of the series, shape (steps,).
        observed: Which steps hold an observation, shape (steps,).
        season: In steps.

    Returns:
        In the unit of the data. Where no two observations lie a season apart, neighbours are
        compared; without two neighbours it is NaN.

    Example:
        >>> seasonal_error([1.0, 5.0, 2.0, 7.0], [True] * 4, season=2)
        1.5
        >>> seasonal_error([1.0, 5.0, 2.0, 7.0], [True, True, False, True], season=2)
        2.0
        >>> seasonal_error([1.0, 5.0, 2.0, 7.0], [True] * 4, season=9)
        4.0
        >>> seasonal_error([0.1 + 0.2, 0.3], [True] * 2, season=1)  # constant but for rounding
        0.0
    """
    steps = len(_floats(values))
    return float(seasonal_errors(values, observed, [0, steps], [steps], season)[0])


def seasonal_errors(
    values: ArrayLike, observed: ArrayLike, offsets: ArrayLike, ends: ArrayLike, season: int
) -> Floats:
    """Return `seasonal_error` of every series of a panel at once.

    Args:
        values: All series end to end, shape (steps_total,).
        observed: Which steps hold an observation, shape (steps_total,).
        offsets: Where each series begins and the last one ends, shape (n_series + 1,).
        ends: Steps of each series that belong to its training span, shape (n_series,).
        season: In steps.

    Example:
        >>> values = [1.0, 2.0, 4.0, 7.0, 10.0, 10.0, 10.0]
        >>> seasonal_errors(values, [True] * 7, offsets=[0, 4, 7], ends=[3, 3], season=1).tolist()
        [1.5, 0.0]
    """
    at_season = _lag_errors(values, observed, offsets, ends, season)
    if season == 1 or not np.isnan(at_season).any():
        return at_season
    neighbours = _lag_errors(values, observed, offsets, ends, 1)
    return np.where(np.isnan(at_season), neighbours, at_season)


def skill(error: float, reference: float) -> float:
    """Return the share of the reference's error that a model saves: 1 is perfect, 0 no gain.

    A perfect reference can be equalled (0) but not beaten (minus infinity); against a reference
    that is NaN or infinite it is NaN.

    Example:
        >>> skill(3.0, 4.0), skill(0.0, 0.0), skill(1.0, 0.0), skill(1.0, np.nan)
        (0.25, 0.0, -inf, nan)
    """
    if not np.isfinite(reference) or np.isnan(error):
        return float("nan")
    if reference == 0:
        return 0.0 if error == 0 else float("-inf")
    return 1.0 - float(error) / float(reference)


def owa(scores: Scores, naive2: Scores) -> float:
    """Return M4's overall weighted average: one minus the mean skill over Naive2.

    Example:
        >>> scores = Scores(mae=0, rmse=0, smape=8, mase=3, n_series=1, n_without_mase=0)
        >>> naive2 = scores._replace(smape=10, mase=4)
        >>> round(owa(scores, naive2), 9)
        0.775
    """
    return 1.0 - (skill(scores.smape, naive2.smape) + skill(scores.mase, naive2.mase)) / 2.0


def series_mean(rows: ArrayLike, series: ArrayLike, n_series: int) -> Floats:
    """Return the mean over the windows of each series, NaN left out.

    Args:
        rows: A measure of each window, shape (windows, ...).
        series: Position of each window's series, shape (windows,).
        n_series: How many series there are.

    Returns:
        Shape (n_series, ...); NaN for a series without a known window.

    Example:
        >>> series_mean([1.0, 3.0, np.nan, 5.0], [2, 2, 2, 0], n_series=3).tolist()
        [5.0, nan, 2.0]
    """
    position = _positions(series)
    order = np.argsort(position, kind="stable")
    present, first = np.unique(position[order], return_index=True)
    sorted_rows = _floats(rows)[order]  # (windows, ...), the windows of a series side by side
    known = ~np.isnan(sorted_rows)
    total = np.add.reduceat(np.where(known, sorted_rows, 0.0), first, axis=0)
    count = np.add.reduceat(known.astype(np.int64), first, axis=0)
    means = np.full((n_series, *sorted_rows.shape[1:]), np.nan)
    means[present] = _ratio(total, count)
    return means


def mean_known(values: ArrayLike, axis: int = -1) -> Floats:
    """Return the mean along one axis, NaN left out; NaN, without a warning, where nothing is known.

    Example:
        >>> mean_known([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]]).tolist()
        [2.0, nan]
    """
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis))


def _absolute_errors(actual: ArrayLike, forecast: ArrayLike) -> Floats:
    """Return the absolute error of each step: NaN if not observed, infinite if not forecast."""
    truth, point = _floats(actual), _floats(forecast)
    if truth.shape != point.shape:
        raise ValueError(f"forecast must have the shape of actual {truth.shape}, not {point.shape}")
    errors = np.abs(truth - point)
    return np.where(np.isnan(point) & ~np.isnan(truth), np.inf, errors)


def _quantile_losses(actual: ArrayLike, forecast: ArrayLike, levels: ArrayLike) -> Floats:
    """Return the pinball loss of each level and step, shape (levels, ..., horizon)."""
    quantiles, level = np.moveaxis(_floats(forecast), -1, 0), _floats(levels)
    truth = np.broadcast_to(_floats(actual), quantiles.shape)
    share = level.reshape(-1, *[1] * (quantiles.ndim - 1))
    weight = np.where(truth >= quantiles, share, 1.0 - share)
    return _absolute_errors(truth, quantiles) * weight


def _lag_errors(
    values: ArrayLike, observed: ArrayLike, offsets: ArrayLike, ends: ArrayLike, lag: int
) -> Floats:
    """Return the mean `|y[t] - y[t - lag]|` of each series, NaN where there is no such pair.

    Why in blocks: the places of all steps at once would take several times the memory of the data.
    """
    first, number = _positions(offsets), _floats(values)
    seen, last = np.asarray(observed, dtype=np.bool_), _positions(ends)
    error = np.full(len(first) - 1, np.nan)
    start = 0
    while start < len(error):
        end = max(start + 1, int(np.searchsorted(first, first[start] + BLOCK, side="right")) - 1)
        rows = slice(first[start], first[end])
        starts = first[start : end + 1] - first[start]
        error[start:end] = _block_errors(number[rows], seen[rows], starts, last[start:end], lag)
        start = end
    return error


def _block_errors(
    number: Floats,
    observed: NDArray[np.bool_],
    first: NDArray[np.int64],
    ends: NDArray[np.int64],
    lag: int,
) -> Floats:
    """Return `_lag_errors` of a few series, computed step by step."""
    count = len(first) - 1
    owner = np.repeat(np.arange(count), np.diff(first))  # series of each step
    step = np.arange(len(number)) - first[owner]  # place of each step within its series
    usable = observed & (step < ends[owner])
    pair = usable[lag:] & usable[:-lag] & (step[lag:] >= lag)
    later = np.flatnonzero(pair) + lag
    jumps = np.abs(number[later] - number[later - lag])
    jumps[jumps <= ROUNDING * np.abs(number[later])] = 0.0
    total = np.bincount(owner[later], weights=jumps, minlength=count)
    return _ratio(total, np.bincount(owner[later], minlength=count))


def _per_unit(error: Floats, scale: ArrayLike) -> Floats:
    return _ratio(error, np.broadcast_to(_floats(scale), error.shape))


def _ratio(total: NDArray[Any], count: NDArray[Any]) -> Floats:
    """Divide, NaN where the divisor is not positive."""
    ratio: Floats = np.full(np.shape(total), np.nan)
    np.divide(total, count, out=ratio, where=count > 0)
    return ratio


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _positions(values: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(values, dtype=np.int64)
