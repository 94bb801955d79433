"""Parts of a forecast add up to it, and forecasts of series to that of their total."""

from dataclasses import replace

import numpy as np
import pytest
from findings import HORIZON, make_findings

from foreseq.report import charts
from foreseq.report.parts import split
from foreseq.report.total import total
from foreseq.series import windows
from foreseq.series.covariates import Column, Covariates
from foreseq.series.panel import from_series


@pytest.fixture(scope="module")
def findings():
    return make_findings(skipped=["tiny"])


def test_parts_of_a_forecast_add_up_to_it(findings):
    future, horizon = findings.future, findings.backtest.actual.shape[1]
    forecast = future.quantiles[..., 2]
    drawn = charts.outlook(future, findings.panel, findings.backtest)
    for place, series in enumerate(drawn["series"][:3]):
        level, season, moved = series["parts"]
        assert moved == []  # no covariates
        rest = future.parts.rest(forecast)[place]
        np.testing.assert_allclose(level + np.array(season) + rest, forecast[place], rtol=1e-5)
        past = findings.panel.series(place)[-horizon:]  # a season of six steps
        np.testing.assert_allclose(level + np.array(season), past, rtol=1e-5)


def test_what_covariates_moved_is_the_forecast_less_that_without_them():
    beside = Covariates(
        (Column("promo", "future"),), np.zeros((8, 1)), np.array([0, 8]), np.empty((1, 0))
    )
    panel = replace(from_series({"a": range(5)}, freq="1", season=1), covariates=beside)
    chosen = windows.newest(panel)

    def forecaster(panel, chosen):
        lift = 0.0 if panel.covariates is None else 5.0
        return np.full((chosen.count, 3), 10.0 + lift)

    forecast = forecaster(panel, chosen)
    found = split(forecaster, panel, chosen, forecast)
    assert (found.covariates == 5).all()
    np.testing.assert_allclose(sum(found) + found.rest(forecast), forecast)


def test_the_total_is_the_sum_of_the_series_and_of_their_parts(findings):
    added = findings.future.total
    assert added.series.tolist() == [0, 1, 2]  # the short series ends earlier
    np.testing.assert_allclose(added.forecast, findings.future.quantiles[:3, :, 2].sum(axis=0))
    np.testing.assert_allclose(
        sum(added.parts)[0] + added.parts.rest(added.forecast)[0], added.forecast
    )
    np.testing.assert_allclose(added.past, sum(findings.panel.series(i) for i in range(3)))
    drawn = charts.outlook(findings.future, findings.panel, findings.backtest)["total"]
    assert drawn["times"][drawn["at"]] == 54
    assert len(drawn["future"]) == 1  # no interval
    assert "has no interval" in drawn["note"]
    off = 3 * 0.2 * HORIZON / findings.backtest.actual.sum()
    assert f"{off:.1%} off on average of 1 window, {off:.1%} too high" in drawn["note"]


def test_a_series_counts_in_the_total_from_its_start_and_with_its_last_value_in_gaps():
    panel = replace(
        from_series({"a": [1.0, 2.0, np.nan, 4.0], "b": [30.0, 40.0]}, freq="1", season=1),
        starts=np.array([0, 2]),
    )
    found = make_findings(names="ab").backtest
    forecast = np.ones((2, HORIZON))
    parts = split(lambda *_: forecast, panel, windows.newest(panel), forecast)
    added = total(panel, forecast, parts, found, 48)
    assert added.past.tolist() == [1, 2, 32, 44]


def test_one_series_has_no_total():
    assert make_findings(names="a").future.total is None
