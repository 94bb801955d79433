"""The one road from a past to a forecast: backtests and production both take it."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq import calendar, ingest, network, training, windows
from foreseq.bundle import State
from foreseq.config import ColumnsConfig, ExperimentConfig, settled
from foreseq.errors import DataRefused
from foreseq.network import middle
from foreseq.panel import Panel
from foreseq.windows import Windows


class Forecaster:
    """A fitted ensemble, ready to answer."""

    def __init__(self, experiment: ExperimentConfig, fitted: State) -> None:
        """Rebuild the network from its config and give it the learned weights.

        Args:
            experiment: With every choice settled.
            fitted: Weights of every member.

        Raises:
            BundleRefused: If the weights do not belong to that network.
        """
        self.experiment = experiment
        self.members = fitted.members
        self.model = training.build(experiment)
        training.assign(self.model, fitted.members[0])

    def __call__(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return the median of the members' answers.

        Args:
            panel: Where the pasts are; of the frequency that was trained on.
            chosen: What to forecast.

        Returns:
            Shape (windows, horizon, outputs), one output for a point forecast, else one a quantile,
            ascending. A window with nothing to go by is NaN, see `unanswerable`.
        """
        answers = np.empty((len(self.members), chosen.count, *self.model.output.shape[1:]))
        for member, weights in enumerate(self.members):
            training.assign(self.model, weights)
            answers[member] = network.answer(self.model, panel, chosen)
        forecast = np.median(answers, axis=0)
        forecast[list(self.unanswerable(panel, chosen))] = np.nan
        return forecast

    def point(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return the point forecast alone, the median, shape (windows, horizon)."""
        return middle(self(panel, chosen), self.experiment.network.quantiles)

    def unanswerable(self, panel: Panel, chosen: Windows) -> dict[int, str]:
        """Return, by position, the windows without an answer, and why."""
        reasons: dict[int, str] = {}
        context = settled(self.experiment.network.context)
        for first in range(0, chosen.count, network.ROWS):
            part = chosen.take(slice(first, first + network.ROWS))
            past = windows.gather(panel, part, context, 0, dates=False)
            seen = past.observed[..., 0] > 0
            for row in np.flatnonzero(~seen.any(axis=1)):
                reasons[first + int(row)] = (
                    f"needs an observation within the last {context} steps; bring newer history"
                )
            if self.experiment.network.log:
                for row in np.flatnonzero((seen & (past.past[..., 0] <= 0)).any(axis=1)):
                    reasons[first + int(row)] = (
                        "this forecaster works on logarithms and needs values above zero;"
                        " train one with network.log=false"
                    )
        return reasons


def from_table(
    forecaster: Forecaster, history: pd.DataFrame, *, version: str, file: str = ""
) -> pd.DataFrame:
    """Forecast the `horizon` steps after the last observation of every series of a long table.

    Args:
        forecaster: What answers; its dataset config says how the table is read.
        history: Columns `unique_id, ds, y`.
        version: What to write into `model_version`.
        file: Where the table is from, for messages.

    Raises:
        DataRefused: If the table breaks a rule, or some series cannot be forecast.
    """
    canonical = forecaster.experiment.dataset.model_copy(
        update={"columns": ColumnsConfig(), "layout": "long"}
    )
    panel, _ = ingest.to_panel(history, canonical, file=file)
    chosen = windows.newest(panel)
    for position, reason in forecaster.unanswerable(panel, chosen).items():
        rule, _, remedy = reason.partition("; ")
        raise DataRefused(rule, remedy=remedy, file=file, series=str(panel.ids[position]))
    answers = forecaster(panel, chosen)
    levels = forecaster.experiment.network.quantiles
    return table(panel, chosen, answers, levels, version=version)


def table(
    panel: Panel,
    chosen: Windows,
    forecast: NDArray[np.float64],
    quantiles: tuple[float, ...] = (),
    *,
    version: str,
) -> pd.DataFrame:
    """Return forecasts as the long table `unique_id, ds, y_hat, q.., cutoff, model_version`.

    Args:
        panel: What was forecast.
        chosen: The windows, in the order of `forecast`.
        forecast: Shape (windows, horizon, outputs).
        quantiles: Level of each output; none for a point forecast.
        version: What made the forecast.
    """
    count, horizon = forecast.shape[:2]
    starts = panel.starts[chosen.series][:, None]
    ahead = chosen.cutoff[:, None] + np.arange(horizon)
    columns = {
        "unique_id": np.repeat(panel.ids[chosen.series].astype(object), horizon),
        "ds": calendar.at(starts, ahead, panel.freq).ravel(),
        "y_hat": middle(forecast, quantiles).ravel(),
        **{f"q{100 * level:g}": forecast[..., i].ravel() for i, level in enumerate(quantiles)},
        "cutoff": np.repeat(calendar.at(starts[:, 0], chosen.cutoff - 1, panel.freq), horizon),
        "model_version": np.full(count * horizon, version, dtype=object),
    }
    return pd.DataFrame(columns)
