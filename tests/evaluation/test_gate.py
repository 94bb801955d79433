"""The gate rejects noise and publishes skill."""

import numpy as np
import pytest

from foreseq.config import GateConfig, build_experiment
from foreseq.evaluation import gate
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import HISTORIC_MEDIAN, NAIVE, SEASONAL_NAIVE
from foreseq.experiment.recipe import train
from foreseq.forecasting.bundle import Bundle, Seen, State
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows

NAN = float("nan")
SEASON, HORIZON, SERIES, LENGTH = 7, 5, 24, 140

EXPERIMENT = build_experiment(
    {
        "dataset": {"source": "memory", "horizon": HORIZON, "freq": "1", "season": SEASON},
        "network": {
            "cells": {"units": [8]},
            "context": 28,
            "patch": 7,
            "naive_lags": [SEASON, 1],
            "log": False,
        },
        "auto": {"time_budget": 0},
        "training": {
            "max_steps": 240,
            "validations": 6,
            "learning_rate": 3e-3,
            "members": 1,
            "refit": False,
            "batch_size": 64,
        },
        "split": {"test_windows": 5},
    }
)


def random_walk(rng):
    return np.cumsum(rng.normal(size=(SERIES, LENGTH)), axis=1)


def white_noise(rng):
    return rng.normal(size=(SERIES, LENGTH))


def shuffled_labels(rng):
    return rng.permuted(trend_with_season(rng), axis=1)


def trend_with_season(rng):
    steps = np.arange(LENGTH)
    phase = rng.uniform(0, 2 * np.pi, size=(SERIES, 1))
    signal = 0.05 * steps + 2 * np.sin(2 * np.pi * steps / SEASON + phase)
    return 10 + signal + rng.normal(0, 0.7, size=(SERIES, LENGTH))


def decide(world, seed):
    values = world(np.random.default_rng(seed))
    panel = from_series(
        {f"s{i:02}": series for i, series in enumerate(values)}, freq="1", season=SEASON
    )
    return gate.judge(train(EXPERIMENT, panel).bundle, None, panel)[0]


def test_where_nothing_can_be_known_nothing_is_published():
    decision = decide(random_walk, seed=1)
    assert not decision.published
    assert "not a significant improvement" in decision.reason


def test_a_noisy_trend_with_season_is_published():
    decision = decide(trend_with_season, seed=1)
    assert decision.published, decision.reason
    assert (decision.series, decision.windows) == (SERIES, 5 * SERIES)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("world", [random_walk, white_noise, shuffled_labels])
def test_noise_is_never_published(world, seed):
    decision = decide(world, seed)
    assert not decision.published, decision.reason


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_skill_is_always_published(seed):
    decision = decide(trend_with_season, seed)
    assert decision.published, decision.reason


def make_backtest(forecast, *, actual=(4.0, 6.0), naive=(2.0, 2.0), windows=6):
    """Return like windows of two steps; the seasonal naive is wrong by 2 and 4."""
    one, truth, other = (
        np.tile(np.array(values, np.float64), (windows, 1)) for values in (forecast, actual, naive)
    )
    return Backtest(
        windows=Windows(np.zeros(windows, np.int64), 9 + 2 * np.arange(windows)),
        actual=truth,
        forecasts={FORESEQ: one, **dict.fromkeys((SEASONAL_NAIVE, NAIVE, HISTORIC_MEDIAN), other)},
        quantiles=one[..., None],
        seasonal_error=np.array([1.0]),
    )


def test_the_gate_lets_pass_what_beats_the_seasonal_naive():
    decision = gate.decide(make_backtest([4.0, 4.0]), None, GateConfig())
    assert decision.published
    assert (
        decision.scores["challenger"],
        decision.scores["seasonal_naive"],
        decision.scores.get("champion"),
    ) == (1.0, 3.0, None)
    assert (decision.series, decision.windows, decision.periods, decision.steps) == (1, 6, 6, 12)
    assert decision.reason == (
        "MASE 1.0000 is lower than the seasonal naive's 3.0000, with a confidence of 99.0%"
        " (1 series, 6 windows in 6 periods, 12 observations)"
    )


@pytest.mark.parametrize(
    ("forecast", "why"),
    [
        pytest.param([2.0, 2.0], "MASE 3.0000 vs seasonal naive 3.0000", id="equal"),
        pytest.param([0.0, 0.0], "MASE 5.0000 vs seasonal naive 3.0000", id="worse"),
        pytest.param([4.0, np.inf], "MASE inf vs seasonal naive 3.0000", id="infinite"),
    ],
)
def test_the_gate_stops_what_does_not_beat_the_seasonal_naive(forecast, why):
    decision = gate.decide(make_backtest(forecast), None, GateConfig())
    assert not decision.published
    assert decision.reason.startswith(f"{why} is not a significant improvement of 2% ")
    assert "confidence 0.0%, required 95%;" in decision.reason


@pytest.mark.parametrize("count", [1, 100])
def test_a_lower_error_at_a_single_time_is_not_proven(count):
    one = make_backtest([4.0, 4.0], windows=1)
    position = np.zeros(count, np.int64)
    once = one.on(position, 2)._replace(
        windows=Windows(np.arange(count), one.windows.cutoff[position]),
        seasonal_error=np.ones(count),
    )
    decision = gate.decide(once, None, GateConfig())
    assert not decision.published
    assert " is lower, but not proven: a single period of test windows " in decision.reason
    assert gate.decide(once, None, GateConfig(unproven="publish")).published
    worse = once._replace(forecasts=once.forecasts | {FORESEQ: np.zeros((count, 2))})
    assert not gate.decide(worse, None, GateConfig(unproven="publish")).published


def test_a_lower_error_on_too_few_periods_is_not_proven():
    mixed = make_backtest([4.0, 4.0])
    mixed.forecasts[FORESEQ][2] = 0.0  # worse in one of six windows
    decision = gate.decide(mixed, None, GateConfig())
    assert not decision.published
    assert " is lower, but not proven: confidence 9" in decision.reason
    decision = gate.decide(mixed, None, GateConfig(unproven="publish"))
    assert decision.published
    assert "lower, but not proven (confidence 9" in decision.reason


@pytest.mark.parametrize("missing", [[NAN, NAN], [4.0, NAN]])
def test_windows_without_a_forecast_are_left_out_for_all_and_named(missing):
    challenger = make_backtest([4.0, 4.0], windows=10)._replace(ids=("shop",))
    challenger.forecasts[FORESEQ][3] = missing
    champion = make_backtest([3.0, 4.0], windows=10)
    champion.forecasts[FORESEQ][7] = missing
    decision = gate.decide(challenger, champion, GateConfig())
    assert decision.published, decision.reason
    assert (decision.windows, decision.scores["champion"]) == (8, 1.5)
    assert decision.reason.endswith("; left out for want of a forecast: windows of series shop")


def test_too_many_windows_without_a_forecast_are_refused_by_name():
    challenger = make_backtest([4.0, 4.0], windows=10)._replace(ids=("shop",))
    challenger.forecasts[FORESEQ][:3] = NAN
    decision = gate.decide(challenger, None, GateConfig())
    assert not decision.published
    assert decision.reason == (
        "3 of 10 test windows have no forecast, at most 20% may lack one: series shop"
    )


@pytest.mark.parametrize("simple", [NAIVE, HISTORIC_MEDIAN])
def test_the_gate_stops_what_beats_the_seasonal_naive_but_not_the_simplest(simple):
    challenger = make_backtest([4.0, 4.0])
    challenger.forecasts[simple] = challenger.actual
    decision = gate.decide(challenger, None, GateConfig())
    assert not decision.published
    assert " 0.0000 is not a significant improvement" in decision.reason


def test_without_a_mase_the_gate_compares_and_names_the_mae():
    challenger = make_backtest([4.0, 4.0])._replace(seasonal_error=np.array([0.0]))
    reason = gate.decide(challenger, None, GateConfig()).reason
    assert reason.startswith("MAE 1.0000 is lower than the seasonal naive's 3.0000")


def test_the_gate_stops_what_cannot_be_judged():
    unseen = make_backtest([4.0, 4.0], actual=(NAN, NAN))
    assert not gate.decide(unseen, None, GateConfig()).published


def test_the_gate_wants_the_skill_that_was_asked_for():
    challenger = make_backtest([4.0, 4.0])  # skill 2/3
    assert gate.decide(challenger, None, GateConfig(min_skill=0.66)).published
    assert not gate.decide(challenger, None, GateConfig(min_skill=0.67)).published


@pytest.mark.parametrize(
    ("champion", "margin", "published"),
    [
        pytest.param([3.0, 4.0], 0.0, True, id="better"),
        pytest.param([4.0, 4.0], 0.0, False, id="equal-is-not-better"),
        pytest.param([4.0, 5.0], 0.0, False, id="worse"),
        pytest.param([3.0, 4.0], 0.4, False, id="better-within-the-margin"),
        pytest.param([NAN, NAN], 0.0, True, id="champion-without-a-forecast"),
    ],
)
def test_the_gate_lets_the_challenger_take_the_champions_place_only_when_better(
    champion, margin, published
):
    decision = gate.decide(
        make_backtest([4.0, 4.0]), make_backtest(champion), GateConfig(margin=margin)
    )
    assert decision.published is published
    assert decision.scores["champion"] == pytest.approx(make_backtest(champion).error(FORESEQ))


def test_a_challenger_is_judged_on_its_test_windows(make_panel, make_bundle):
    panel = make_panel()
    decision, tested = gate.judge(make_bundle(panel, 36), None, panel)
    assert tested.windows.cutoff.tolist() == [36] * 3
    assert not decision.published


def test_challenger_and_champion_are_compared_on_windows_fresh_to_both(make_panel, make_bundle):
    panel = make_panel()
    challenger = make_bundle(panel, 40, "split.test_windows=2")  # cutoffs 32 and 36
    champion = make_bundle(panel, 40, shake=50.0)  # its evaluated weights saw 36 steps
    decision, tested = gate.judge(challenger, champion, panel)
    fresh = tested.on(tested.windows.cutoff == 36, 4)
    assert decision.scores["challenger"] == pytest.approx(fresh.error(FORESEQ))
    assert decision.scores["seasonal_naive"] == pytest.approx(fresh.error(SEASONAL_NAIVE))
    assert decision.scores["champion"] > 10 * decision.scores["challenger"]


def test_a_champion_that_has_seen_nothing_new_forecasts_with_its_newest_weights(
    make_panel, make_bundle
):
    panel = make_panel()
    challenger = make_bundle(panel, 40)
    old = make_bundle(panel, 20, shake=50.0)
    state = State([[w * 0 for w in old.final.members[0]]], old.final.seen)
    champion = Bundle(old.experiment, old.origin, evaluated=old.evaluated, final=state)
    decision, tested = gate.judge(challenger, champion, panel)
    assert decision.scores["champion"] == pytest.approx(tested.error(SEASONAL_NAIVE), rel=1e-5)


def test_without_a_window_that_the_champion_has_not_seen_it_stays(make_panel, make_bundle):
    panel = make_panel()
    saw_all = State(make_bundle(panel, 40).final.members, Seen(panel.ids, np.full(3, 39)))
    champion = make_bundle(panel, 40)
    champion = Bundle(champion.experiment, champion.origin, evaluated=saw_all, final=saw_all)
    decision, _ = gate.judge(make_bundle(panel, 40), champion, panel)
    assert not decision.published
    assert "bring newer data" in decision.reason


def test_series_unknown_to_the_champion_are_fresh(make_panel, make_bundle):
    panel = make_panel()
    saw_other = Seen(np.array(["A", "b2"]), np.array([99, 99]))
    state = State(make_bundle(panel, 40).final.members, saw_other)
    plain = make_bundle(panel, 40)
    champion = Bundle(plain.experiment, plain.origin, evaluated=state, final=state)
    decision, tested = gate.judge(make_bundle(panel, 40), champion, panel)
    assert decision.scores["champion"] == pytest.approx(tested.error(FORESEQ))


def test_a_champion_of_another_frequency_or_season_stays(make_panel, make_bundle):
    panel, days = make_panel(), make_panel(freq="D", season=7)
    for champion in (
        make_bundle(days, 36, "network.patch=1"),
        make_bundle(make_panel(season=2), 36),
    ):
        decision, _ = gate.judge(make_bundle(panel, 36), champion, panel)
        assert not decision.published
        assert "another name" in decision.reason


def test_horizons_of_different_length_are_compared_where_both_answer(make_panel, make_bundle):
    panel = make_panel()
    champion = make_bundle(panel, 36, "dataset.horizon=2")
    decision, tested = gate.judge(make_bundle(panel, 36), champion, panel)
    shared = tested.on(np.ones(3, bool), 2)
    assert decision.scores["challenger"] == pytest.approx(shared.error(FORESEQ))
    assert decision.scores["champion"] == pytest.approx(shared.error(FORESEQ))


def test_forecasters_of_the_same_steps_season_and_horizon_forecast_alike(make_panel, make_bundle):
    plain = make_bundle(make_panel(), 36)
    assert gate.forecast_alike(plain, make_bundle(make_panel(), 20, "training.seed=9"))
    assert not gate.forecast_alike(plain, make_bundle(make_panel(season=2), 36))
    assert not gate.forecast_alike(plain, make_bundle(make_panel(), 36, "dataset.horizon=5"))
