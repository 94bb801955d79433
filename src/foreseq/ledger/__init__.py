"""Past forecasts judged by what came: how good they were, whether they keep what was promised."""

from foreseq.ledger.arrivals import Arrivals, collect, find, sum_up, widest
from foreseq.ledger.drift import Drift, drift
from foreseq.ledger.judgement import Coverage, Evidence, Judgement, Verdict, judge
from foreseq.ledger.moments import cadence, moments
from foreseq.ledger.promise import promise

__all__ = [
    "Arrivals",
    "Coverage",
    "Drift",
    "Evidence",
    "Judgement",
    "Verdict",
    "cadence",
    "collect",
    "drift",
    "find",
    "judge",
    "moments",
    "promise",
    "sum_up",
    "widest",
]
