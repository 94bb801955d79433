"""The pictures of an experiment, under the same names in every run so that they line up."""

import numpy as np
from matplotlib.figure import Figure

from foreseq import evaluation
from foreseq.evaluation import (
    ARIMA,
    DRIFT,
    ETS,
    FORESEQ,
    LEVEL,
    NAIVE,
    SEASONAL_NAIVE,
    THETA,
    Backtest,
)
from foreseq.experiment.recipe import Outcome
from foreseq.report import figures
from foreseq.report.figures import Outlook
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

PAST_SEEN = 8
"""Horizons of the past that a picture may show."""
COMPARED = 3
"""Series that stand for all: best, in between, worst."""
NAMES = {
    FORESEQ: "foreseq",
    SEASONAL_NAIVE: "seasonal naive",
    NAIVE: "naive",
    DRIFT: "drift",
    LEVEL: "historic median",
    ETS: "ETS",
    THETA: "Theta",
    ARIMA: "ARIMA",
}
"""Of forecasters, for people."""


def pictures(outcome: Outcome, panel: Panel) -> dict[str, Figure]:
    """Draw an experiment: file name to figure."""
    tested = outcome.backtest
    looks = outcome.members[0].curve
    ahead = {NAMES[name]: each.mase for name, each in tested.by_horizon().items()}
    each = {NAMES[name]: tested.losses(name).series for name in (FORESEQ, SEASONAL_NAIVE, NAIVE)}
    drawn = {
        "forecast.png": _forecasts(tested, panel, tested.levels),
        "horizon.png": figures.horizon_figure(ahead, "MASE"),
        "series.png": figures.series_figure(each, "MASE"),
        "curves.png": figures.curves_figure(
            [look.step for look in looks],
            [look.loss for look in looks],
            [look.validation for look in looks],
        ),
    }
    if tested.levels:
        shares = tested.shares_below()
        drawn["calibration.png"] = figures.calibration_figure(tested.levels, shares)
    return drawn


def _forecasts(tested: Backtest, panel: Panel, levels: tuple[float, ...]) -> Figure:
    """Draw the only series, or those forecast best, in between and worst."""
    table = evaluation.per_series(tested, panel)
    if len(table) < COMPARED:
        name = str(table["unique_id"].iloc[0])
        return figures.forecast_figure(_outlook(tested, panel, name, levels), title=name)
    chosen = figures.best_median_worst(table[f"{FORESEQ}_mase"].fillna(table[f"{FORESEQ}_smape"]))
    told = zip(("best", "in between", "worst"), chosen, strict=True)
    names = {place: str(table["unique_id"].iloc[row]) for place, row in told}
    return figures.panel_figure(
        {
            f"{name} ({place})": _outlook(tested, panel, name, levels)
            for place, name in names.items()
        }
    )


def _outlook(tested: Backtest, panel: Panel, name: str, levels: tuple[float, ...]) -> Outlook:
    """Return the newest tested window of a series, ready to be drawn."""
    position = int(np.searchsorted(panel.ids, name))
    row = int(np.flatnonzero(tested.windows.series == position)[-1])
    cutoff = int(tested.windows.cutoff[row])
    horizon = tested.actual.shape[1]
    shown = min(PAST_SEEN * horizon, cutoff)
    window = Windows(np.array([position]), np.array([cutoff]))
    return Outlook(
        past_times=panel.times(position, cutoff - shown, shown),
        past=windows.before(panel, window, shown)[0],
        future_times=panel.times(position, cutoff, horizon),
        forecast=tested.forecasts[FORESEQ][row],
        actual=tested.actual[row],
        quantiles={level: tested.quantiles[row, :, i] for i, level in enumerate(levels)} or None,
    )
