"""What covariates are worth: how much larger the error is without one, and without all of them.

A column is shuffled as a whole: shifted in time by a random number of steps, or, if it is static,
given to other series (permutation importance, Breiman 2001, Machine Learning 45). So its values
stay as likely as they were, and only what they tell about this time is lost.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq import metrics
from foreseq.evaluation.backtest import mase_scales
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.series import windows
from foreseq.series.covariates import Covariates
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

COLUMNS = ("covariate", "role", "step", "mase", "mase_without", "low", "high")
ALL = "all"
"""Row of a table for the lack of all covariates."""
MOST_WINDOWS = 512
"""Windows that are forecast again for each column, evenly taken of more."""
LEVELS = (0.05, 0.95)
"""Quantiles of the interval over repetitions."""


def of_bundle(fitted: Bundle, panel: Panel, chosen: Windows, repeats: int = 10) -> pd.DataFrame:
    """Return the importance to a forecaster as it was tested, see `importance`."""
    if panel.covariates is None or not fitted.experiment.network.covariates:
        return pd.DataFrame(columns=list(COLUMNS))  # no network need be built
    tested = Ensemble(fitted.experiment, fitted.evaluated)
    return importance(tested, panel, chosen, repeats=repeats)


def importance(
    forecaster: Ensemble, panel: Panel, chosen: Windows, *, repeats: int = 10, seed: int = 1
) -> pd.DataFrame:
    """Return by how much the error grows without each covariate, a row for each and step ahead.

    Args:
        forecaster: Of windows that it has not seen.
        panel: The data.
        chosen: The windows.
        repeats: Times that each column is shuffled.
        seed: Of the shuffling.

    Returns:
        Columns `covariate` (`all`: none is known), `role`, `step` (ahead, from 1 on; 0: the mean
        over all), `mase` as it is, `mase_without`, and the interval `low` to `high` of the latter
        over repetitions. Largest mean effect first.
    """
    beside, horizon = panel.covariates, forecaster.experiment.dataset.horizon
    reads = forecaster.experiment.network.covariates
    if beside is None or not reads:
        return pd.DataFrame(columns=list(COLUMNS))
    chosen = chosen.take(slice(None, None, -(-chosen.count // MOST_WINDOWS)))
    actual, scale = windows.futures(panel, chosen, horizon), mase_scales(panel, chosen)

    def errors(covariates: Covariates | None) -> NDArray[np.float64]:
        """Return the MASE of all steps and of each, shape (1 + horizon,)."""
        point = forecaster.point(replace(panel, covariates=covariates), chosen)
        whole = metrics.score(actual, point, chosen.series, scale).mase
        by_step = metrics.by_horizon(actual, point, chosen.series, scale).mase
        return np.concatenate([[whole], by_step])

    rng, known = np.random.default_rng(seed), errors(beside)
    rows = [_rows(ALL, "", known, [errors(None)])]
    names = [column.name for column in beside.columns]
    for one in reads:
        if one.name in names:
            shuffled = _shuffled(beside, names.index(one.name), repeats, rng)
            rows.append(_rows(one.name, one.role, known, [errors(other) for other in shuffled]))
    rows.sort(key=lambda table: -table["mase_without"][0])
    return pd.concat(rows, ignore_index=True)


def _rows(
    name: str, role: str, known: NDArray[np.float64], without: list[NDArray[np.float64]]
) -> pd.DataFrame:
    low, high = np.quantile(without, LEVELS, axis=0)
    return pd.DataFrame(
        {
            "covariate": name,
            "role": role,
            "step": np.arange(len(known)),
            "mase": known,
            "mase_without": np.mean(without, axis=0),
            "low": low,
            "high": high,
        }
    )


def _shuffled(
    beside: Covariates, at: int, repeats: int, rng: np.random.Generator
) -> Iterator[Covariates]:
    """Yield the covariates with one column shuffled."""
    changing = beside.values.shape[1]
    for _ in range(repeats):
        if at >= changing:
            static = np.array(beside.static)
            static[:, at - changing] = rng.permutation(static[:, at - changing])
            yield replace(beside, static=static)
            continue
        values = np.array(beside.values)
        for first, end in zip(beside.offsets[:-1], beside.offsets[1:], strict=True):
            shift = rng.integers(1, max(2, end - first))
            values[first:end, at] = np.roll(values[first:end, at], shift)
        yield replace(beside, values=values)
