"""Past forecasts judged by what came: how good they were, whether they keep what was promised."""

from foreseq.monitoring.actuals import COLUMNS, Arrivals, collect, sum_up, widest
from foreseq.monitoring.check import LEDGER, Look, Places, look, remember
from foreseq.monitoring.coverage import Coverage
from foreseq.monitoring.data_drift import Drift, drift
from foreseq.monitoring.decision_log import Decided
from foreseq.monitoring.expected import promise
from foreseq.monitoring.judgement import Evidence, Judgement, Verdict, judge
from foreseq.monitoring.origins import cadence, moments

__all__ = [
    "COLUMNS",
    "LEDGER",
    "Arrivals",
    "Coverage",
    "Decided",
    "Drift",
    "Evidence",
    "Judgement",
    "Look",
    "Places",
    "Verdict",
    "cadence",
    "collect",
    "drift",
    "judge",
    "look",
    "moments",
    "promise",
    "remember",
    "sum_up",
    "widest",
]
