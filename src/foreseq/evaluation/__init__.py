"""What a forecaster is worth: rolling origins, simple forecasts beside them, and the gate."""

from foreseq.evaluation.backtest import (
    FORESEQ,
    Backtest,
    Interval,
    backtest,
    per_series,
    unseen_backtest,
)
from foreseq.evaluation.baselines import (
    BASELINES,
    DRIFT,
    LEVEL,
    NAIVE,
    SEASONAL_NAIVE,
    drift,
    level,
    naive,
    seasonal_naive,
)
from foreseq.evaluation.comparison import Rivals, rivals
from foreseq.evaluation.decision import Decision
from foreseq.evaluation.gate import decide, forecast_alike, is_ahead, judge
from foreseq.evaluation.statistical_baselines import ARIMA, ETS, THETA

__all__ = [
    "ARIMA",
    "BASELINES",
    "DRIFT",
    "ETS",
    "FORESEQ",
    "LEVEL",
    "NAIVE",
    "SEASONAL_NAIVE",
    "THETA",
    "Backtest",
    "Decision",
    "Interval",
    "Rivals",
    "backtest",
    "decide",
    "drift",
    "forecast_alike",
    "is_ahead",
    "judge",
    "level",
    "naive",
    "per_series",
    "rivals",
    "seasonal_naive",
    "unseen_backtest",
]
