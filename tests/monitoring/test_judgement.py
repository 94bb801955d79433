import numpy as np
import pandas as pd
import pytest

from foreseq.config import MonitorConfig
from foreseq.monitoring import COLUMNS, Evidence, judge
from foreseq.series.panel import from_series

SERIES = from_series({"a": range(200)}, freq="1", season=1)


def sums(version, moments, errors) -> pd.DataFrame:
    rows = [
        (version, moment, 1, 100, 100 * error, 150.0, 80.0)
        for moment, error in zip(moments, errors, strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def told(rng, factor, promised=20):
    errors = np.exp(0.15 * rng.normal(size=promised + 10))
    before, live = errors[:promised], factor * errors[promised:]
    evidence = Evidence(
        "m/1",
        sums("m/1", range(100, 110), live),
        sums("backtest", range(100 - promised, 100), before),
        None,
    )
    return judge(evidence, SERIES, MonitorConfig())


@pytest.mark.parametrize(("factor", "action"), [(1.0, "keep"), (1.1, "keep"), (1.6, "retrain")])
def test_what_is_worse_for_good_from_the_first_forecast_on_is_found(rng, factor, action):
    judged = told(rng, factor)
    assert judged.verdict.action == action, judged.verdict.reason
    assert judged.mase / judged.promised_mase == pytest.approx(factor, rel=0.15)


def test_a_promise_of_few_moments_convicts_nobody_of_lasting_errors(rng):
    assert told(rng, 1.6, promised=3).verdict.action == "keep"
