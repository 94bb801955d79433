"""Past forecasts judged by what came: how good they were, whether they keep what was promised."""

from foreseq.ledger.arrivals import COLUMNS, Arrivals, collect, sum_up, widest
from foreseq.ledger.coverage import Coverage
from foreseq.ledger.drift import Drift, drift
from foreseq.ledger.judgement import Evidence, Judgement, Verdict, judge
from foreseq.ledger.look import LEDGER, Look, Places, look, remember
from foreseq.ledger.memory import Decided
from foreseq.ledger.moments import cadence, moments
from foreseq.ledger.promise import promise

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
