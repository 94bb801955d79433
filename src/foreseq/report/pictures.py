"""The pictures of a backtest, under the same file names in every run."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from foreseq.evaluation.backtest import FORESEQ, Backtest, per_series
from foreseq.evaluation.baselines import DRIFT, HISTORIC_MEDIAN, NAIVE, SEASONAL_NAIVE
from foreseq.evaluation.statistical_baselines import ARIMA, ETS, THETA
from foreseq.report.figures import errors, outlook
from foreseq.report.figures.outlook import Outlook
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows
from foreseq.training.loop import CurvePoint

MAX_PAST = 8
"""Horizons of the past that a picture may show."""
NAMES = {
    FORESEQ: "foreseq",
    SEASONAL_NAIVE: "seasonal naive",
    NAIVE: "naive",
    DRIFT: "naive with drift",
    HISTORIC_MEDIAN: "historic median",
    ETS: "ETS",
    THETA: "Theta",
    ARIMA: "ARIMA",
}
"""Of forecasters, for people."""
PLACES = ("best", "median", "worst")


def draw(backtest: Backtest, curve: Sequence[CurvePoint], panel: Panel) -> dict[str, Figure]:
    """Draw a backtest and a training curve: file name to figure."""
    horizon = {NAMES[name]: scores.mase for name, scores in backtest.by_horizon().items()}
    compared = (FORESEQ, SEASONAL_NAIVE, NAIVE)
    series = {NAMES[name]: backtest.losses(name).series for name in compared}
    pictures = {
        "forecast.png": _forecasts(backtest, panel),
        "horizon.png": errors.horizon_figure(horizon, "MASE"),
        "series.png": errors.series_figure(series, "MASE"),
        "curves.png": errors.curves_figure(
            [point.step for point in curve],
            [point.loss for point in curve],
            [point.validation for point in curve],
        ),
    }
    if backtest.levels:
        shares = backtest.shares_below()
        pictures["calibration.png"] = errors.calibration_figure(backtest.levels, shares)
    return pictures


def _forecasts(backtest: Backtest, panel: Panel) -> Figure:
    """Draw the series with the best, the median and the worst error; of one or two the best."""
    table = per_series(backtest, panel)
    names = table["unique_id"].astype(str)
    if len(table) < len(PLACES):
        return outlook.forecast_figure(_outlook(backtest, panel, names.iloc[0]), names.iloc[0])
    errors_of_series = table[f"{FORESEQ}_mase"].fillna(table[f"{FORESEQ}_smape"])
    chosen = [names.iloc[row] for row in errors.best_median_worst(errors_of_series)]
    return outlook.panel_figure(
        {
            f"{name} ({place})": _outlook(backtest, panel, name)
            for place, name in zip(PLACES, chosen, strict=True)
        }
    )


def _outlook(backtest: Backtest, panel: Panel, name: str) -> Outlook:
    """Return the newest test window of a series."""
    position = int(np.searchsorted(panel.ids, name))
    row = int(np.flatnonzero(backtest.windows.series == position)[-1])
    cutoff = int(backtest.windows.cutoff[row])
    horizon = backtest.actual.shape[1]
    shown = min(MAX_PAST * horizon, cutoff)
    window = Windows(np.array([position]), np.array([cutoff]))
    quantiles = dict(zip(backtest.levels, backtest.quantiles[row].T, strict=False))
    return Outlook(
        past_times=panel.times(position, cutoff - shown, shown),
        past=windows.before(panel, window, shown)[0],
        future_times=panel.times(position, cutoff, horizon),
        forecast=backtest.forecasts[FORESEQ][row],
        actual=backtest.actual[row],
        quantiles=quantiles or None,
    )
