"""Forecasts from histories, by the same code in backtests and in production."""

from dataclasses import replace
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.config import MEDIAN, ColumnsConfig, ResolvedExperiment
from foreseq.errors import BundleRefused, DataRefused, NotYet
from foreseq.forecasting import calibration
from foreseq.forecasting.bundle import State
from foreseq.forecasting.calibration import Calibration
from foreseq.forecasting.sample_paths import at_levels, draw
from foreseq.ingest.table import to_panel
from foreseq.network import output_domain, scaling
from foreseq.network.outputs import median_output
from foreseq.series import calendar, covariates, multivariate, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows
from foreseq.training import model_cache, network_weights

NOT_FINITE = "has no finite forecast; look for values far out of its usual range"
HELD_BACK = 8192
"""Most windows that calibration uses: more take time and change nothing."""


class Ensemble:
    """A fitted ensemble of networks that forecasts windows of a panel."""

    def __init__(self, experiment: ResolvedExperiment, fitted: State) -> None:
        """Check that the weights fit the network of the config.

        Raises:
            BundleRefused: If the weights do not belong to that network.
        """
        self.experiment = experiment
        self.members = fitted.members
        self.calibration = fitted.calibration
        with model_cache.borrow_network(model_cache.of_member(experiment, 0)) as network:
            network_weights.set_weights(network, fitted.members[0])

    def __call__(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return the median of the members' forecasts, calibrated if the bundle is.

        Args:
            panel: The histories, of the frequency that was trained on.
            chosen: Windows to forecast.

        Returns:
            Shape (windows, horizon, outputs): one output for a point forecast, else one per
            quantile of `levels`, ascending, within the output domain. NaN for `skipped` windows.
        """
        return output_domain.keep(self.experiment.network, panel, chosen, self.raw(panel, chosen))

    def raw(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return the forecasts before they are brought into the output domain.

        Calibration needs these: errors in whole numbers are too coarse for quantiles.
        """
        keep = np.ones(chosen.count, bool)
        keep[list(self.skipped(panel, chosen))] = False
        forecast = np.full(
            (chosen.count, self.experiment.dataset.horizon, len(self.levels) or 1), np.nan
        )
        if keep.any():
            forecast[keep] = self._predict(panel, chosen.take(keep))
        return forecast

    def _predict(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        names = self.experiment.network.multivariate
        inputs, rows = multivariate.restrict(panel, chosen, names) if names else (panel, chosen)
        members = [
            model_cache.forecast(model_cache.of_member(self.experiment, at), weights, inputs, rows)
            for at, weights in enumerate(self.members)
        ]
        forecast = np.asarray(np.median(members, axis=0))
        if self.calibration is not None:
            quantiles, levels = self.experiment.network.quantiles, self.calibration.levels
            forecast = calibration.of_levels(forecast, quantiles, levels)
            units, cold = self.units(panel, chosen), self.cold(panel, chosen)
            forecast = calibration.apply(self.calibration, forecast, units, cold)
        return forecast

    @property
    def levels(self) -> tuple[float, ...]:
        """Quantile level of each output; none for a point forecast."""
        fitted = self.calibration
        return fitted.levels if fitted else self.experiment.network.quantiles

    def point(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return the median alone, shape (windows, horizon)."""
        return median_output(self(panel, chosen), self.levels)

    def sample_paths(
        self, panel: Panel, chosen: Windows, quantiles: NDArray[np.float64], count: int
    ) -> NDArray[np.float64]:
        """Return simulated trajectories of each window, shape (windows, horizon, count).

        They depend on series and cutoff alone, not on what else is forecast.

        Args:
            panel: The histories.
            chosen: The windows that were forecast.
            quantiles: Their forecasts, from `__call__`.
            count: Sample paths per window.

        Raises:
            BundleRefused: If the bundle is not calibrated.
        """
        if self.calibration is None:
            raise BundleRefused("sample paths need intervals; train with intervals.levels")
        ids = panel.ids[chosen.series].tolist()
        named = [f"{name} {cutoff}" for name, cutoff in zip(ids, chosen.cutoff, strict=True)]
        seeds = [crc32(name.encode()) for name in named]
        drawn = draw(self.calibration, quantiles, count, seeds)
        return output_domain.keep(self.experiment.network, panel, chosen, drawn)

    def units(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return how much the past of each window varies: the unit of forecast errors."""
        context, log = self.experiment.network.context, self.experiment.network.log
        units = np.empty(chosen.count)
        for rows, past in windows.pasts(panel, chosen, context):
            values = np.log(np.where(past > 0, past, np.nan)) if log else past
            units[rows] = calibration.unit(values, self.experiment.dataset.season)
        if self.experiment.network.starts_cold:
            network = self.experiment.network
            _, spread = scaling.by_quartiles(network, network.cold_start)
            units[self._observations(panel, chosen) < windows.MIN_PAST] = spread
        return units

    def cold(self, panel: Panel, chosen: Windows) -> NDArray[np.bool_]:
        """Return which windows have no y before the cutoff, and can be forecast without."""
        if not self.experiment.network.starts_cold:
            return np.zeros(chosen.count, bool)
        return np.asarray(self._observations(panel, chosen) == 0)

    def _observations(self, panel: Panel, chosen: Windows) -> NDArray[np.int64]:
        """Return how many observations each window has before its cutoff, shape (windows,)."""
        known = np.concatenate([[0], np.cumsum(panel.observed)])
        starts = panel.offsets[chosen.series]
        return np.asarray(known[starts + chosen.cutoff] - known[starts])

    def skipped(self, panel: Panel, chosen: Windows) -> dict[int, str]:
        """Return by position the windows that cannot be forecast, and why."""
        context, names = (
            self.experiment.network.context,
            self.experiment.network.multivariate,
        )
        if absent := multivariate.missing(panel, names):
            reason = f"is forecast together with series {absent[0]}; bring its history, too"
            return dict.fromkeys(range(chosen.count), reason)
        reasons: dict[int, str] = {}
        cold = self.cold(panel, chosen)
        for rows, past in windows.pasts(panel, chosen, context):
            first, observed = rows.start, np.isfinite(past)
            for row in np.flatnonzero(~observed.any(axis=1) & ~cold[rows]):
                reasons[first + int(row)] = (
                    f"needs an observation within the last {context} steps; bring newer history"
                )
            if self.experiment.network.log:
                for row in np.flatnonzero(observed.any(axis=1) & ~(past > 0).any(axis=1)):
                    reasons[first + int(row)] = (
                        "this forecaster works on logarithms and needs a value above zero;"
                        " train one with network.log=false"
                    )
            if names:
                for row in np.flatnonzero(~np.isin(panel.ids[chosen.series[rows]], names)):
                    reasons[first + int(row)] = (
                        "is not among the series that this forecaster reads together;"
                        " train one with it"
                    )
        return reasons


def require_known(forecaster: Ensemble, panel: Panel, file: str = "") -> list[str]:
    """Return in words which values that should be known ahead are missing.

    Raises:
        DataRefused: If there are any, and `dataset.unknown_ahead` says so.
        NotYet: The same, where a schedule shall wait.
    """
    dataset, reads = forecaster.experiment.dataset, forecaster.experiment.network.covariates
    missing = covariates.unknown_ahead(panel.covariates, reads, panel.lengths, dataset.horizon)
    refusal = NotYet if dataset.unknown_ahead == "wait" else DataRefused
    for name, step, series in missing if dataset.unknown_ahead != "forecast" else ():
        raise refusal(
            f"covariate {name} must be known {dataset.horizon} steps ahead",
            found=f"nothing {step} steps after the last y",
            file=file,
            series=str(panel.ids[series]),
            remedy="bring its values, or set dataset.unknown_ahead=forecast",
        )
    notes = [f"{name} is not known from {step} steps ahead on" for name, step, _ in missing]
    if count := forecaster.cold(panel, windows.newest(panel)).sum():
        notes.append(f"y is not known of {count} series")
    return notes


def calibrate(forecaster: Ensemble, panel: Panel, chosen: Windows) -> Calibration | None:
    """Return how to widen forecasts to calibrated intervals; None where no interval is wanted.

    Args:
        forecaster: Not calibrated yet.
        panel: The data.
        chosen: Windows that it was not trained on; of very many, some are used, evenly spaced.
    """
    levels = forecaster.experiment.levels
    if not levels:
        return None
    held_back = chosen.take(slice(None, None, -(-chosen.count // HELD_BACK) or 1))
    forecasts = forecaster.raw(panel, held_back)
    forecasts = calibration.of_levels(forecasts, forecaster.levels, levels)
    actual = windows.futures(panel, held_back, forecaster.experiment.dataset.horizon)
    units = forecaster.units(panel, held_back)
    log = bool(forecaster.experiment.network.log)
    fitted = calibration.fit(actual, forecasts, units, levels, log=log)
    if not forecaster.experiment.network.starts_cold:
        return fitted
    unseen = replace(panel, observed=np.zeros_like(panel.observed))
    forecasts = calibration.of_levels(forecaster.raw(unseen, held_back), forecaster.levels, levels)
    units = forecaster.units(unseen, held_back)
    cold = calibration.fit(actual, forecasts, units, levels, log=log)
    return fitted._replace(cold=cold.offsets)


def from_table(
    forecaster: Ensemble, history: pd.DataFrame, *, version: str, file: str = ""
) -> pd.DataFrame:
    """Forecast the `horizon` steps after the last observation of every series of a long table.

    Args:
        forecaster: Its dataset config says how the table is read.
        history: Columns `unique_id, ds, y`.
        version: For the column `model_version`.
        file: Source of the table, for messages.

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
        forecaster: The fitted ensemble.
        panel: The histories.
        version: For the column `model_version`.
        file: Source of the data, for messages.
        quantiles: Levels of the columns; None: those of the forecaster.
        sample_paths: Simulated trajectories of each series, a column each.

    Raises:
        DataRefused: If some series cannot be forecast.
        ConfigError: If a level lies outside those of the forecaster.
        BundleRefused: If the forecaster has no calibrated levels, which sample paths need.
    """
    require_known(forecaster, panel, file)
    chosen = windows.newest(panel)
    unanswered = forecaster.skipped(panel, chosen)
    forecast = forecaster(panel, chosen)
    for position in np.flatnonzero(~np.isfinite(forecast).all(axis=(1, 2))).tolist():
        rule, _, remedy = unanswered.get(position, NOT_FINITE).partition("; ")
        raise DataRefused(rule, remedy=remedy, file=file, series=str(panel.ids[position]))
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
    samples = pd.DataFrame(drawn.reshape(-1, count), columns=columns)
    return pd.concat([forecast, samples], axis=1)


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
        panel: The histories.
        chosen: The windows that were forecast.
        forecast: Shape (windows, horizon, outputs).
        quantiles: Level of each output; none for a point forecast.
        version: For the column `model_version`.
    """
    count, horizon = forecast.shape[:2]
    starts = panel.starts[chosen.series][:, None]
    ahead = chosen.cutoff[:, None] + np.arange(horizon)
    zone = calendar.zone(panel.freq)
    cutoffs = calendar.at(starts[:, 0], chosen.cutoff - 1, panel.freq)
    columns = {
        "unique_id": pd.Series(panel.names(chosen.series)).array.repeat(horizon),
        "ds": calendar.stamped(calendar.at(starts, ahead, panel.freq).ravel(), zone),
        "y_hat": median_output(forecast, quantiles).ravel(),
        **{f"q{100 * level:g}": forecast[..., i].ravel() for i, level in enumerate(quantiles)},
        "cutoff": calendar.stamped(np.repeat(cutoffs, horizon), zone),
        "model_version": pd.Series([version]).array.repeat(count * horizon),
    }
    return pd.DataFrame(columns, copy=False)  # repeated arrays are cheaper than converted ones
