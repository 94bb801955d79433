"""The pictures of a training, under the same file names in every run."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from foreseq.evaluation.backtest import FORESEQ, Backtest, per_series
from foreseq.evaluation.baselines import NAIVE, SEASONAL_NAIVE
from foreseq.network.outputs import median_output
from foreseq.report.figures import errors, outlook
from foreseq.report.figures.outlook import Outlook
from foreseq.report.findings import NAMES, Findings
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

MAX_PAST = 8
"""Horizons of the past that a picture may show."""
PLACES = ("best", "median", "worst")


def draw(findings: Findings) -> dict[str, Figure]:
    """Draw forecasts, a backtest and a training curve: file name to figure."""
    panel, backtest, future = findings.panel, findings.backtest, findings.future
    first, curve = future.first, findings.members[0].curve
    horizon = {NAMES[name]: scores.mase for name, scores in backtest.by_horizon().items()}
    compared = (FORESEQ, SEASONAL_NAIVE, NAIVE)
    series = {NAMES[name]: backtest.losses(name).series for name in compared}
    pictures = {
        "future.png": future_figure(
            panel, int(future.series[first]), future.quantiles[[first]], backtest.levels
        ),
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


def future_figure(
    panel: Panel, position: int, quantiles: NDArray[np.float64], levels: tuple[float, ...]
) -> Figure:
    """Draw the newest past of one series and its forecast.

    Args:
        panel: The histories.
        position: Of the series in the panel.
        quantiles: Forecast of that series, shape (1, horizon, outputs).
        levels: Quantile level of each output; none for a point forecast.
    """
    horizon, end = quantiles.shape[1], int(panel.lengths[position])
    shown = min(MAX_PAST * horizon, end)
    window = Windows(np.array([position]), np.array([end]))
    newest = Outlook(
        past_times=panel.times(position, end - shown, shown),
        past=windows.before(panel, window, shown)[0],
        future_times=panel.times(position, end, horizon),
        forecast=median_output(quantiles, levels)[0],
        quantiles={level: quantiles[0, :, i] for i, level in enumerate(levels)} or None,
    )
    return outlook.forecast_figure(newest, title=str(panel.ids[position]))


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
