"""What a report is about: a training, its comparison with baselines, and its forecasts."""

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

import pandas as pd

from foreseq.evaluation import comparison, covariate_importance
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import DRIFT, HISTORIC_MEDIAN, NAIVE, SEASONAL_NAIVE
from foreseq.evaluation.comparison import Comparison
from foreseq.evaluation.statistical_baselines import ARIMA, ETS, THETA
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.ingest.repairs import Repairs
from foreseq.report import charts
from foreseq.report.charts import Future
from foreseq.selection.choose import Chosen
from foreseq.selection.rules import Choice
from foreseq.selection.search import Candidate
from foreseq.series.panel import Panel
from foreseq.training.loop import Fitted

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


class Training(NamedTuple):
    """A finished training, with all that a report of it needs."""

    name: str
    panel: Panel
    repairs: Repairs
    chosen: Chosen
    bundle: Bundle
    backtest: Backtest
    members: list[Fitted]
    seconds: float = nan
    """Of fit, test and refit."""


REPEATS = 5
"""Times that each covariate is shuffled."""


class Findings(NamedTuple):
    """The content of a report."""

    model: str
    run: str
    """Name of the run, for people."""
    panel: Panel
    repairs: Repairs
    backtest: Backtest
    future: Future
    comparison: Comparison
    importance: pd.DataFrame
    """Of covariates, see `covariate_importance`; no rows without any."""
    choices: Sequence[Choice]
    candidates: Sequence[Candidate]
    members: Sequence[Fitted]
    seconds: float
    """Of fit, test and refit."""
    again: str
    """How to train the same again: a command, or Python."""


def findings(training: Training, run: str, again: str) -> Findings:
    """Compare a training with statistical baselines, and forecast the future.

    Args:
        training: The training.
        run: Its name, for people.
        again: How to train the same again: a command, or Python.
    """
    bundle, panel, backtest = training.bundle, training.panel, training.backtest
    return Findings(
        model=training.name,
        run=run,
        panel=panel,
        repairs=training.repairs,
        backtest=backtest,
        future=charts.future(Ensemble(bundle.experiment, bundle.final), panel, backtest),
        comparison=comparison.compare(backtest, panel, bundle.experiment),
        importance=covariate_importance.of_bundle(bundle, panel, backtest.windows, REPEATS),
        choices=training.chosen.choices,
        candidates=training.chosen.candidates,
        members=training.members,
        seconds=training.seconds,
        again=again,
    )
