import numpy as np
import pandas as pd
import pytest

from foreseq.config import MonitorConfig
from foreseq.monitoring.actuals import COLUMNS
from foreseq.monitoring.assessment import Evidence, assess
from foreseq.series.panel import from_series

PANEL = from_series({"a": range(200)}, freq="1", season=1)


def sums(version, origins, errors) -> pd.DataFrame:
    rows = [
        (version, origin, 1, 100, 100 * error, 150.0, 80.0)
        for origin, error in zip(origins, errors, strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def assessed(rng, factor, tested=20):
    errors = np.exp(0.15 * rng.normal(size=tested + 10))
    before, live = errors[:tested], factor * errors[tested:]
    evidence = Evidence(
        "m/1",
        sums("m/1", range(100, 110), live),
        sums("backtest", range(100 - tested, 100), before),
        None,
    )
    return assess(evidence, PANEL, MonitorConfig())


@pytest.mark.parametrize(("factor", "action"), [(1.0, "keep"), (1.1, "keep"), (1.6, "retrain")])
def test_a_lasting_shift_from_the_first_forecast_on_is_detected(rng, factor, action):
    assessment = assessed(rng, factor)
    assert assessment.verdict.action == action, assessment.verdict.reason
    assert assessment.mase / assessment.expected_mase == pytest.approx(factor, rel=0.15)


def test_a_backtest_of_few_origins_does_not_prove_lasting_errors(rng):
    assert assessed(rng, 1.6, tested=3).verdict.action == "keep"
