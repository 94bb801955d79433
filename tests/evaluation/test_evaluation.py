import numpy as np
import pytest

from foreseq import evaluation, metrics
from foreseq.config import GateConfig, build_experiment
from foreseq.errors import DataRefused
from foreseq.evaluation import DRIFT, FORESEQ, LEVEL, NAIVE, SEASONAL_NAIVE, Backtest
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle, Origin, Seen, State
from foreseq.forecasting.ensemble import Forecaster
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows
from foreseq.training import model_cache, network_weights
from foreseq.training.loop import Fitted

NAN = float("nan")


def make_panel(*, season=4, freq="1", length=40):
    rng = np.random.default_rng(1)
    series = {name: rng.gamma(9, 1, size=length) for name in "abc"}
    return from_series(series, freq=freq, season=season, start=0 if freq == "1" else "2024-01-01")


def make_bundle(panel, seen, *overrides, shake=0.0):
    """Return a bundle that answers the seasonal naive, or near it, tested before `seen` steps."""
    told = {
        "dataset": {"source": "memory", "horizon": 4, "freq": panel.freq, "season": panel.season},
        "network": {
            "cells": {"units": [8]},
            "context": 8,
            "patch": 4,
            "log": False,
            "naive_lags": [4],
            "recent_inputs": 8,
            "decoder": "direct",
            "calendar": False,
        },
    }
    experiment = build_experiment(told, overrides)
    weights = network_weights.get_weights(model_cache.build(experiment))
    weights[-1] = weights[-1] + np.float32(shake)
    fitted = [Fitted(weights, 1, ())]
    ends = np.full(panel.n_series, seen)
    return Bundle(
        experiment,
        Origin(data="", steps=(1,)),
        evaluated=bundle.state(panel, ends - 4, fitted),
        final=bundle.state(panel, ends, fitted),
    )


def make_backtest(forecast, *, actual=(4.0, 6.0), naive=(2.0, 2.0)):
    """Return one window of two steps; the seasonal naive is wrong by 2 and 4."""
    one = np.array([forecast], dtype=np.float64)
    return Backtest(
        windows=Windows(np.array([0]), np.array([9])),
        actual=np.array([actual]),
        forecasts={
            FORESEQ: one,
            **dict.fromkeys((SEASONAL_NAIVE, NAIVE, LEVEL), np.array([naive])),
        },
        quantiles=one[..., None],
        seasonal_error=np.array([1.0]),
    )


def forecast_naively(method, values, season, horizon=5):
    panel = from_series({"a": values}, freq="1", season=season)
    return method(panel, windows.newest(panel), horizon).tolist()[0]


@pytest.mark.parametrize(
    ("values", "season", "expected"),
    [
        pytest.param([1, 2, 3, 4, 5, 6], 3, [4, 5, 6, 4, 5], id="whole"),
        pytest.param([1, 2, 3, 4, NAN, 6], 3, [4, 2, 6, 4, 2], id="gap-filled-a-season-before"),
        pytest.param([NAN, 2, 3, NAN, 5, 6], 3, [6, 5, 6, 6, 5], id="never-seen-is-the-newest"),
        pytest.param([1, 2, 3, 4, 5, NAN], 3, [4, 5, 3, 4, 5], id="newest-missing"),
        pytest.param([7, 8], 3, [8, 7, 8, 8, 7], id="shorter-than-a-season"),
        pytest.param([1, 2, 3], 1, [3, 3, 3, 3, 3], id="no-season"),
    ],
)
def test_the_seasonal_naive_repeats_the_newest_known_season(values, season, expected):
    assert forecast_naively(evaluation.seasonal_naive, values, season) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2, 3], 3), ([1, 2, NAN], 2), ([1, NAN, NAN], 1)],
)
def test_the_naive_repeats_the_newest_known_value(values, expected):
    assert forecast_naively(evaluation.naive, values, 4, horizon=3) == [expected] * 3


def test_naive_forecasts_of_nothing_are_nan():
    assert np.isnan(forecast_naively(evaluation.naive, [NAN, NAN], 2)).all()
    assert np.isnan(forecast_naively(evaluation.seasonal_naive, [NAN, NAN], 2)).all()


@pytest.mark.parametrize("method", [evaluation.naive, evaluation.seasonal_naive])
def test_naive_forecasts_do_not_see_beyond_their_cutoff(method):
    panel = make_panel()
    cut = from_series(
        {name: panel.series(i)[:21] for i, name in enumerate("abc")}, freq="1", season=4
    )
    there = method(panel, Windows(np.arange(3), np.full(3, 21)), 4)
    np.testing.assert_array_equal(there, method(cut, windows.newest(cut), 4))


def test_a_network_that_is_the_seasonal_naive_has_no_skill():
    panel = make_panel()
    born = make_bundle(panel, 36)
    test = windows.split(panel, 4, born.experiment.split).test
    tested = evaluation.backtest(Forecaster(born.experiment, born.evaluated), panel, test)
    assert tested.skill(SEASONAL_NAIVE) == 0
    assert tested.skill() == pytest.approx(0, abs=1e-6)
    assert list(tested.forecasts) == [FORESEQ, SEASONAL_NAIVE, NAIVE, DRIFT, LEVEL]
    expected = metrics.mae(tested.actual, evaluation.seasonal_naive(panel, test, 4)).mean()
    assert tested.scores()[SEASONAL_NAIVE].mae == pytest.approx(expected)
    assert tested.by_horizon()[FORESEQ].mae.shape == (4,)


def test_the_scale_of_mase_is_from_before_the_first_cutoff():
    panel = make_panel()
    born = make_bundle(panel, 36, "split.test_windows=2")
    test = windows.split(panel, 4, born.experiment.split).test
    tested = evaluation.backtest(Forecaster(born.experiment, born.evaluated), panel, test)
    assert tested.seasonal_error[1] == pytest.approx(
        metrics.seasonal_error(panel.series(1)[:32], panel.seen(1)[:32], 4)
    )


def test_unobserved_steps_are_not_judged():
    values = np.tile([1.0, 2.0, 3.0, 4.0], 10)
    values[-1] = NAN
    panel = from_series({"a": values}, freq="1", season=4)
    born = make_bundle(panel, 36)
    chosen = Windows(np.array([0]), np.array([36]))
    tested = evaluation.backtest(Forecaster(born.experiment, born.evaluated), panel, chosen)
    assert np.isnan(tested.actual[0]).tolist() == [False, False, False, True]
    assert tested.scores()[SEASONAL_NAIVE].mae == 0


def test_the_table_of_series_begins_with_the_best():
    panel = make_panel()
    born = make_bundle(panel, 36, shake=0.3)
    chosen = Windows(np.array([0, 2]), np.array([36, 36]))
    tested = evaluation.backtest(Forecaster(born.experiment, born.evaluated), panel, chosen)
    table = evaluation.per_series(tested, panel)
    assert set(table["unique_id"]) == {"a", "c"}
    assert table["skill"].is_monotonic_decreasing
    row = table.set_index("unique_id").loc["c"]
    assert row["foreseq_mae"] == pytest.approx(
        np.abs(tested.actual[1] - tested.forecasts[FORESEQ][1]).mean()
    )


def test_the_gate_lets_pass_what_beats_the_seasonal_naive():
    decision = evaluation.decide(make_backtest([4.0, 4.0]), None, GateConfig())
    assert decision.published
    assert (
        decision.scores["challenger"],
        decision.scores["seasonal_naive"],
        decision.scores.get("champion"),
    ) == (1.0, 3.0, None)
    assert (decision.series, decision.windows, decision.steps) == (1, 1, 2)
    assert decision.reason == (
        "error 1.0000 vs seasonal naive 3.0000 (confidence > 99.9%; 1 series, 1 window,"
        " 2 observations)"
    )


@pytest.mark.parametrize(
    ("forecast", "why"),
    [
        pytest.param([2.0, 2.0], "error 3.0000 vs seasonal naive 3.0000", id="equal"),
        pytest.param([0.0, 0.0], "error 5.0000 vs seasonal naive 3.0000", id="worse"),
        pytest.param([NAN, NAN], "error inf vs seasonal naive 3.0000", id="nan"),
        pytest.param([4.0, NAN], "error inf vs seasonal naive 3.0000", id="half-a-nan"),
        pytest.param([4.0, np.inf], "error inf vs seasonal naive 3.0000", id="infinite"),
    ],
)
def test_the_gate_stops_what_does_not_beat_the_seasonal_naive(forecast, why):
    decision = evaluation.decide(make_backtest(forecast), None, GateConfig())
    assert not decision.published
    assert decision.reason.startswith(f"{why} is not a significant improvement of 2.0%")
    assert "confidence 0.0%, required 95.0%" in decision.reason


@pytest.mark.parametrize("simple", [NAIVE, LEVEL])
def test_the_gate_stops_what_beats_the_seasonal_naive_but_not_the_simplest(simple):
    challenger = make_backtest([4.0, 4.0])
    challenger.forecasts[simple] = challenger.actual
    decision = evaluation.decide(challenger, None, GateConfig())
    assert not decision.published
    assert " 0.0000 is not a significant improvement" in decision.reason


def test_the_gate_stops_what_cannot_be_judged():
    unseen = make_backtest([4.0, 4.0], actual=(NAN, NAN))
    assert not evaluation.decide(unseen, None, GateConfig()).published


def test_the_gate_wants_the_skill_that_was_asked_for():
    challenger = make_backtest([4.0, 4.0])  # skill 2/3
    assert evaluation.decide(challenger, None, GateConfig(min_skill=0.66)).published
    assert not evaluation.decide(challenger, None, GateConfig(min_skill=0.67)).published


@pytest.mark.parametrize(
    ("champion", "margin", "published"),
    [
        pytest.param([3.0, 4.0], 0.0, True, id="better"),
        pytest.param([4.0, 4.0], 0.0, False, id="equal-is-not-better"),
        pytest.param([4.0, 5.0], 0.0, False, id="worse"),
        pytest.param([3.0, 4.0], 0.4, False, id="better-within-the-margin"),
        pytest.param([NAN, NAN], 0.0, True, id="champion-without-an-answer"),
    ],
)
def test_the_gate_lets_the_challenger_take_the_champions_place_only_when_better(
    champion, margin, published
):
    decision = evaluation.decide(
        make_backtest([4.0, 4.0]), make_backtest(champion), GateConfig(margin=margin)
    )
    assert decision.published is published
    assert decision.scores["champion"] == pytest.approx(make_backtest(champion).error(FORESEQ))


def test_a_challenger_is_judged_on_its_test_windows():
    panel = make_panel()
    decision, tested = evaluation.judge(make_bundle(panel, 36), None, panel)
    assert tested.windows.cutoff.tolist() == [36] * 3
    assert not decision.published


def test_challenger_and_champion_are_compared_on_windows_fresh_to_both():
    panel = make_panel()
    challenger = make_bundle(panel, 40, "split.test_windows=2")  # cutoffs 32 and 36
    champion = make_bundle(panel, 40, shake=50.0)  # its evaluated weights saw 36 steps
    decision, tested = evaluation.judge(challenger, champion, panel)
    fresh = tested.on(tested.windows.cutoff == 36, 4)
    assert decision.scores["challenger"] == pytest.approx(fresh.error(FORESEQ))
    assert decision.scores["seasonal_naive"] == pytest.approx(fresh.error(SEASONAL_NAIVE))
    assert decision.scores["champion"] > 10 * decision.scores["challenger"]


def test_a_champion_that_has_seen_nothing_new_is_asked_with_its_newest_weights():
    panel = make_panel()
    challenger = make_bundle(panel, 40)
    old = make_bundle(panel, 20, shake=50.0)
    state = State([[w * 0 for w in old.final.members[0]]], old.final.seen)
    champion = Bundle(old.experiment, old.origin, evaluated=old.evaluated, final=state)
    decision, tested = evaluation.judge(challenger, champion, panel)
    assert decision.scores["champion"] == pytest.approx(tested.error(SEASONAL_NAIVE), rel=1e-5)


def test_without_a_window_that_the_champion_has_not_seen_it_stays():
    panel = make_panel()
    saw_all = State(make_bundle(panel, 40).final.members, Seen(panel.ids, np.full(3, 39)))
    champion = make_bundle(panel, 40)
    champion = Bundle(champion.experiment, champion.origin, evaluated=saw_all, final=saw_all)
    decision, _ = evaluation.judge(make_bundle(panel, 40), champion, panel)
    assert not decision.published
    assert "bring newer data" in decision.reason


def test_series_unknown_to_the_champion_are_fresh():
    panel = make_panel()
    saw_other = Seen(np.array(["A", "b2"]), np.array([99, 99]))
    state = State(make_bundle(panel, 40).final.members, saw_other)
    plain = make_bundle(panel, 40)
    champion = Bundle(plain.experiment, plain.origin, evaluated=state, final=state)
    decision, tested = evaluation.judge(make_bundle(panel, 40), champion, panel)
    assert decision.scores["champion"] == pytest.approx(tested.error(FORESEQ))


def test_a_champion_of_another_frequency_or_season_stays():
    panel, days = make_panel(), make_panel(freq="D", season=7)
    for rival in (make_bundle(days, 36, "network.patch=1"), make_bundle(make_panel(season=2), 36)):
        decision, _ = evaluation.judge(make_bundle(panel, 36), rival, panel)
        assert not decision.published
        assert "another name" in decision.reason


def test_horizons_of_different_length_are_compared_where_both_answer():
    panel = make_panel()
    champion = make_bundle(panel, 36, "dataset.horizon=2")
    decision, tested = evaluation.judge(make_bundle(panel, 36), champion, panel)
    shared = tested.on(np.ones(3, bool), 2)
    assert decision.scores["challenger"] == pytest.approx(shared.error(FORESEQ))
    assert decision.scores["champion"] == pytest.approx(shared.error(FORESEQ))


def test_an_unseen_backtest_leaves_out_what_was_trained_on():
    panel = make_panel()
    tested = evaluation.unseen_backtest(make_bundle(panel, 40, "split.test_windows=2"), panel)
    assert tested.windows.cutoff.tolist() == [36] * 3
    with pytest.raises(DataRefused, match="bring newer data"):
        evaluation.unseen_backtest(make_bundle(panel, 44), panel)


def test_forecasters_of_the_same_steps_season_and_horizon_forecast_alike():
    plain = make_bundle(make_panel(), 36)
    assert evaluation.forecast_alike(plain, make_bundle(make_panel(), 20, "training.seed=9"))
    assert not evaluation.forecast_alike(plain, make_bundle(make_panel(season=2), 36))
    assert not evaluation.forecast_alike(plain, make_bundle(make_panel(), 36, "dataset.horizon=5"))
