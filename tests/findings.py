"""Findings of a report, made without any training."""

import numpy as np
import pandas as pd

from foreseq.config import build_experiment
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import BASELINES
from foreseq.evaluation.comparison import Comparison, compare
from foreseq.ingest.repairs import Repairs
from foreseq.report import charts
from foreseq.report.findings import Findings
from foreseq.selection.rules import Choice
from foreseq.selection.search import Candidate
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows
from foreseq.training.loop import CurvePoint, Fitted

MANY, NOT_COMPARED = 10, Comparison(None, {}, {}, "not asked for")
HORIZON, LEVELS = 6, (0.025, 0.1, 0.5, 0.9, 0.975)
EXPERIMENT = build_experiment(
    {"dataset": {"source": "memory", "horizon": HORIZON}, "network": {"log": False}}
)


def make_findings(*, error=0.2, names="abc", skipped=(), length=60, freq="1"):
    """Return what a report of some noisy waves has to say; nothing is trained.

    Args:
        error: Of every forecast.
        names: Of the series.
        skipped: Names of series that are too short to test.
        length: Steps of the series.
        freq: Their frequency.
    """
    rng = np.random.default_rng(1)
    steps = np.arange(length)
    series = {name: 9 + np.sin(steps * np.pi / 3) + rng.normal(0, 0.3, length) for name in names}
    panel = from_series(
        series | {name: [1.0] for name in skipped},
        freq=freq,
        season=6,
        start=0 if freq == "1" else "1969-12-30",
    )
    chosen = Windows(np.arange(len(names)), np.full(len(names), length - HORIZON))
    actual = windows.futures(panel, chosen, HORIZON)
    ours = actual + error
    spread = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    simple = {name: method(panel, chosen, HORIZON) for name, method in BASELINES.items()}
    tested = Backtest(
        windows=chosen,
        actual=actual,
        forecasts={FORESEQ: ours, **simple},
        quantiles=ours[..., None] + 0.3 * spread,
        seasonal_error=np.ones(panel.n_series),
        levels=LEVELS,
    )

    def forecast(panel, chosen):
        last = windows.before(panel, chosen, HORIZON)
        return last[..., None] + 0.3 * spread

    return Findings(
        model="waves",
        run="gru-8 ctx12 seed1",
        panel=panel,
        repairs=Repairs(181, panel.n_series, 180, "0", "59", gaps=7, gaps_filled=2),
        backtest=tested,
        future=charts.future(forecast, panel, tested),
        comparison=compare(tested, panel, EXPERIMENT) if len(names) < MANY else NOT_COMPARED,
        importance=pd.DataFrame(
            {
                "covariate": ["promo", "promo", "all", "all"],
                "role": ["future", "future", "", ""],
                "step": [0, 1, 0, 1],
                "mase": [0.8, 0.5, 0.8, 0.5],
                "mase_without": [1.2, 1.0, 1.0, 0.6],
                "low": 0.9,
                "high": 1.3,
            }
        ),
        choices=[Choice("network.log", False, "some values are < 0")],
        candidates=[Candidate("network.context", 24, 0.91234, 3.2)],
        seconds=12.3,
        again="foreseq reproduce 4f2a",
        members=[Fitted([], 20, (CurvePoint(10, 1.0, 0.9), CurvePoint(20, 0.8, 0.7)))],
    )
