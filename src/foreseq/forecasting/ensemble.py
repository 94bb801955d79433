"""The one road from a past to a forecast: backtests and production both take it."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from foreseq.config import MEDIAN, ColumnsConfig, ResolvedExperiment
from foreseq.errors import BundleRefused, DataRefused
from foreseq.forecasting import calibration
from foreseq.forecasting.bundle import State
from foreseq.forecasting.calibration import Calibration
from foreseq.forecasting.sample_paths import at_levels, draw
from foreseq.ingest.table import to_panel
from foreseq.network import output_domain, predict
from foreseq.network.outputs import median_output
from foreseq.series import calendar, multivariate, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows
from foreseq.training import model_cache, network_weights

HELD_BACK = 8192
"""Most windows that calibration looks at: more cost time and change nothing."""


class Ensemble:
    """A fitted ensemble, ready to answer."""

    def __init__(self, experiment: ResolvedExperiment, fitted: State) -> None:
        """Rebuild the network from its config and give it the learned weights.

        Args:
            experiment: With every choice settled.
            fitted: Weights of every member.

        Raises:
            BundleRefused: If the weights do not belong to that network.
        """
        self.experiment = experiment
        self.members = fitted.members
        self.calibration = fitted.calibration
        self.model = model_cache.build(experiment)
        network_weights.set_weights(self.model, fitted.members[0])

    def __call__(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return the median of the members' answers, calibrated if it is known how they miss.

        Args:
            panel: Where the pasts are; of the frequency that was trained on.
            chosen: What to forecast.

        Returns:
            Shape (windows, horizon, outputs), one output for a point forecast, else one a quantile,
            ascending, of `levels`, in the support of the series. A window with nothing to go by is
            NaN, see `skipped`.
        """
        return output_domain.keep(self.experiment.network, panel, chosen, self.raw(panel, chosen))

    def raw(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return the same before it is brought into the support of the series.

        Calibration measures these: misses by whole numbers are too coarse to tell it much.
        """
        answerable = np.ones(chosen.count, bool)
        answerable[list(self.skipped(panel, chosen))] = False
        forecast = np.full(
            (chosen.count, self.experiment.dataset.horizon, len(self.levels) or 1), np.nan
        )
        if answerable.any():
            forecast[answerable] = self._answer(panel, chosen.take(answerable))
        return forecast

    def _answer(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        names = self.experiment.network.multivariate
        read, asked = multivariate.restrict(panel, chosen, names) if names else (panel, chosen)
        answers = np.empty((len(self.members), chosen.count, *self.model.output.shape[3:]))
        for member, weights in enumerate(self.members):
            network_weights.set_weights(self.model, weights)
            answers[member] = predict.predict(self.model, read, asked)
        forecast = np.asarray(np.median(answers, axis=0))
        if self.calibration is not None:
            known, levels = self.experiment.network.quantiles, self.calibration.levels
            told = calibration.of_levels(forecast, known, levels)
            forecast = calibration.apply(self.calibration, told, self.units(panel, chosen))
        return forecast

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles it answers with; none for a point forecast."""
        known = self.calibration
        return known.levels if known else self.experiment.network.quantiles

    def point(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return the point forecast alone, the median, shape (windows, horizon)."""
        return median_output(self(panel, chosen), self.levels)

    def sample_paths(
        self, panel: Panel, chosen: Windows, quantiles: NDArray[np.float64], count: int
    ) -> NDArray[np.float64]:
        """Return courses that each window may take, shape (windows, horizon, count).

        The same series and cutoff give the same paths, whatever else is asked about.

        Args:
            panel: The histories.
            chosen: What was forecast.
            quantiles: The forecast, as `__call__` gave it.
            count: Paths of each window.

        Raises:
            BundleRefused: If it is not known how misses go together.
        """
        if self.calibration is None:
            raise BundleRefused("paths need intervals; train one with intervals.levels")
        ids = panel.ids[chosen.series].tolist()
        named = [f"{name} {cutoff}" for name, cutoff in zip(ids, chosen.cutoff, strict=True)]
        seeds = [crc32(name.encode()) for name in named]
        drawn = draw(self.calibration, quantiles, count, seeds)
        return output_domain.keep(self.experiment.network, panel, chosen, drawn)

    def units(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return how much the past of each window moves: what misses are measured in."""
        context, log = self.experiment.network.context, self.experiment.network.log
        answer = np.empty(chosen.count)
        for rows, past in windows.pasts(panel, chosen, context):
            read = np.log(np.where(past > 0, past, np.nan)) if log else past
            answer[rows] = calibration.unit(read, panel.season)
        return answer

    def skipped(self, panel: Panel, chosen: Windows) -> dict[int, str]:
        """Return, by position, the windows without an answer, and why."""
        context, names = (
            self.experiment.network.context,
            self.experiment.network.multivariate,
        )
        if absent := multivariate.missing(panel, names):
            reason = f"is forecast together with series {absent[0]}; bring its history, too"
            return dict.fromkeys(range(chosen.count), reason)
        reasons: dict[int, str] = {}
        for rows, past in windows.pasts(panel, chosen, context):
            first, seen = rows.start, np.isfinite(past)
            for row in np.flatnonzero(~seen.any(axis=1)):
                reasons[first + int(row)] = (
                    f"needs an observation within the last {context} steps; bring newer history"
                )
            if self.experiment.network.log:
                for row in np.flatnonzero((past <= 0).any(axis=1)):
                    reasons[first + int(row)] = (
                        "this forecaster works on logarithms and needs values above zero;"
                        " train one with network.log=false"
                    )
            if names:
                for row in np.flatnonzero(~np.isin(panel.ids[chosen.series[rows]], names)):
                    reasons[first + int(row)] = (
                        "is not among the series that this forecaster reads together;"
                        " train one with it"
                    )
        return reasons


def calibrate(forecaster: Ensemble, panel: Panel, chosen: Windows) -> Calibration | None:
    """Return how far a forecaster misses on windows held back; None where no interval is wanted.

    Args:
        forecaster: Not calibrated yet.
        panel: The data.
        chosen: Windows that it was not trained on; of very many, some, evenly taken.
    """
    levels = forecaster.experiment.levels
    if not levels:
        return None
    held_back = chosen.take(slice(None, None, -(-chosen.count // HELD_BACK)))
    answers = forecaster.raw(panel, held_back)
    answers = calibration.of_levels(answers, forecaster.levels, levels)
    actual = windows.futures(panel, held_back, forecaster.experiment.dataset.horizon)
    units = forecaster.units(panel, held_back)
    log = bool(forecaster.experiment.network.log)
    return calibration.fit(actual, answers, units, levels, log=log)


def from_table(
    forecaster: Ensemble, history: pd.DataFrame, *, version: str, file: str = ""
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
    panel, _ = to_panel(history, canonical, file=file)
    return from_panel(forecaster, panel, version=version, file=file)


def from_panel(  # noqa: PLR0913 - what is forecast, how, and two names
    forecaster: Ensemble,
    panel: Panel,
    *,
    version: str,
    file: str = "",
    quantiles: tuple[float, ...] | None = None,
    sample_paths: int = 0,
) -> pd.DataFrame:
    """Forecast the `horizon` steps after the last observation of every series of a panel.

    Args:
        forecaster: A fitted one.
        panel: The histories.
        version: What to write into `model_version`.
        file: Where the data are from, for messages.
        quantiles: Levels of the columns; None: those of the forecaster.
        sample_paths: Simulated trajectories of each series, a column each.

    Raises:
        DataRefused: If some series cannot be forecast.
        ConfigError: If a level lies outside those of the forecaster.
        BundleRefused: If the forecaster has no calibrated levels, which sample paths need.
    """
    chosen = windows.newest(panel)
    for position, reason in forecaster.skipped(panel, chosen).items():
        rule, _, remedy = reason.partition("; ")
        raise DataRefused(rule, remedy=remedy, file=file, series=str(panel.ids[position]))
    forecast = forecaster(panel, chosen)
    shown, levels = forecast, forecaster.levels
    if quantiles is not None:
        levels = tuple(sorted({*quantiles, MEDIAN})) if forecaster.levels else quantiles
        network = forecaster.experiment.network
        between = at_levels(forecast, forecaster.levels, levels, log=network.log)
        shown = output_domain.keep(network, panel, chosen, between)
    result = table(panel, chosen, shown, levels, version=version)
    if quantiles is not None and MEDIAN not in quantiles:
        result = result.drop(columns="q50")
    if not sample_paths:
        return result
    return with_sample_paths(result, forecaster.sample_paths(panel, chosen, forecast, sample_paths))


def with_sample_paths(forecast: pd.DataFrame, drawn: NDArray[np.float64]) -> pd.DataFrame:
    """Return a forecast table with a column for each sample path: `sample1`, `sample2`.

    Args:
        forecast: From `table`.
        drawn: Of the same windows, shape (windows, horizon, count).
    """
    count = drawn.shape[-1]
    columns = [f"sample{number}" for number in range(1, count + 1)]
    told = pd.DataFrame(drawn.reshape(-1, count).astype(np.float32), columns=columns)
    return pd.concat([forecast, told], axis=1)


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
        "unique_id": _words(panel.ids[chosen.series]).repeat(horizon),
        "ds": calendar.at(starts, ahead, panel.freq).ravel(),
        "y_hat": median_output(forecast, quantiles).ravel(),
        **{f"q{100 * level:g}": forecast[..., i].ravel() for i, level in enumerate(quantiles)},
        "cutoff": np.repeat(calendar.at(starts[:, 0], chosen.cutoff - 1, panel.freq), horizon),
        "model_version": _words([version]).repeat(count * horizon),
    }
    return pd.DataFrame(columns, copy=False)


def _words(words: Sequence[str] | NDArray[np.str_]) -> ExtensionArray:
    """Return words as pandas keeps them; repeating these is cheap, converting repeated ones not."""
    return pd.Series(np.asarray(words, dtype=object)).array
