from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from foreseq.config import ResolvedCells, ResolvedNetwork
from foreseq.evaluation import baselines
from foreseq.network import build, outputs, predict
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.series.windows import Windows
from foreseq.training import network_weights

HORIZON, SEASON = 6, 4
DECODERS = ("direct", "segment", "recursive")
NAIVE = (baselines.naive, baselines.seasonal_naive)


def make_network(*, dates=0, seed=1, cutoffs=1, **choices):
    """Return an untrained network: its head is zero, so it gives the naive forecast."""
    fields = {
        "cells": ResolvedCells(units=(8,)),
        "context": 16,
        "patch": 4,
        "log": False,
        "naive_lags": (SEASON,),
        "recent_inputs": 8,
        "decoder": "direct",
        "calendar": dates > 0,
        "covariates": [],
        "level_adjustment": False,
        "shrunken_trend": False,
        "output_domain": "real",
    }
    config = ResolvedNetwork(**(fields | choices))
    return build.forecaster(
        config, horizon=HORIZON, season=SEASON, dates=dates, seed=seed, cutoffs=cutoffs
    )


def shaken(model, seed=1):
    """Return the network with other weights, none of them zero."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(np.array(variable) + rng.normal(0, 0.2, variable.shape))
    return model


def make_panel(series=30, length=40, *, level=20.0, scale=1.0):
    rng = np.random.default_rng(1)
    values = rng.gamma(9, 1, size=(series, length)) + level
    names = [f"s{number:03}" for number in range(series)]
    return from_series(dict(zip(names, scale * values, strict=True)), freq="1", season=SEASON)


@pytest.fixture(scope="module", params=DECODERS)
def shaken_network(request):
    return shaken(make_network(decoder=request.param))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("log", [False, True], ids=["plain", "log"])
@pytest.mark.parametrize(
    ("naive_lags", "method"),
    [((SEASON,), baselines.seasonal_naive), ((1,), baselines.naive)],
)
def test_an_untrained_network_gives_the_naive_forecast(naive_lags, method, log, decoder):
    panel = make_panel()
    chosen = windows.newest(panel)
    untrained = make_network(naive_lags=naive_lags, log=log, decoder=decoder)
    forecasts = predict.predict(untrained, panel, chosen)
    np.testing.assert_allclose(forecasts[..., 0], method(panel, chosen, HORIZON), rtol=2e-6)


def test_without_a_baseline_a_network_is_born_as_the_mean_of_the_newest_season():
    panel = make_panel()
    forecasts = predict.predict(make_network(naive_lags=()), panel, windows.newest(panel))
    means = [panel.series(i)[-SEASON:].mean() for i in range(panel.n_series)]
    np.testing.assert_allclose(forecasts[..., 0], np.repeat(means, HORIZON).reshape(-1, HORIZON))


def below_newest(model):
    """Return how far forecasts are below the newest of four seasons, each 10 above the last."""
    season = np.array([5.0, 9.0, 1.0, 7.0])
    rising = np.concatenate([season + 10 * year for year in range(4)])
    panel = from_series({"a": rising}, freq="1", season=SEASON)
    forecasts = predict.predict(model, panel, windows.newest(panel))
    newest = baselines.seasonal_naive(panel, windows.newest(panel), HORIZON)
    return (newest - forecasts[..., 0])[:, :SEASON]


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    ("adjustment", "below"),
    [(True, 0), (False, 10), ("learned", 10 / (1 + np.exp(2)))],
    ids=["wholly", "not", "mostly"],
)
def test_earlier_seasons_can_be_weighed_at_the_level_of_the_newest(decoder, adjustment, below):
    untrained = make_network(naive_lags=(4, 8, 12), decoder=decoder, level_adjustment=adjustment)
    np.testing.assert_allclose(below_newest(untrained), below, atol=1e-3)


@pytest.mark.parametrize(("lean", "below"), [(30, 0), (-30, 10)], ids=["wholly", "not"])
def test_how_far_earlier_seasons_are_moved_can_be_learned(lean, below):
    learner = make_network(naive_lags=(4, 8, 12), level_adjustment="learned")
    shares = learner.get_layer("shares").bias
    shares.assign(np.full(shares.shape, lean))
    np.testing.assert_allclose(below_newest(learner), below, atol=1e-3)


def trend_of(values, *, decoder="direct"):
    """Return the forecast of an untrained network for a series, minus its last value."""
    panel = from_series({"a": values}, freq="1", season=1)
    untrained = make_network(naive_lags=(1,), shrunken_trend=True, decoder=decoder, patch=2)
    forecasts = predict.predict(untrained, panel, windows.newest(panel))
    return forecasts[0, :, 0] - panel.values[-1]


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_last_value_continues_the_certain_part_of_its_trend(decoder):
    changes = np.tile([1.5, 2.5], 12)  # around 2 by 0.5, and the last two horizons hold 12 of them
    variance = 12 * 0.5**2 / (12 - 3) / 12
    certain = 1 - 3**2 * variance / 2**2
    trend = trend_of(10 + np.cumsum(changes), decoder=decoder)
    np.testing.assert_allclose(trend, 2 * certain * np.arange(1, HORIZON + 1), rtol=1e-3)


def test_a_trend_within_three_standard_errors_is_noise():
    changes = np.tile([5.0, -4.0, 3.0, -2.0], 6)
    np.testing.assert_allclose(trend_of(10 + np.cumsum(changes)), 0, atol=1e-4)


def test_a_line_goes_on_whatever_is_missing_of_it():
    line = 3.0 * np.arange(24)
    line[[-3, -6, -7]] = np.nan
    np.testing.assert_allclose(trend_of(line), 3.0 * np.arange(1, HORIZON + 1), rtol=1e-3)


def test_few_known_steps_do_not_make_a_trend_certain():
    np.testing.assert_allclose(trend_of([1.0, 2.0, 3.1, 4.0]), 0, atol=1e-4)


def test_a_missing_newest_season_leaves_the_level_of_what_was_seen():
    panel = from_series({"a": [5.0, 7.0] * 6 + [np.nan] * 4}, freq="1", season=SEASON)
    forecasts = predict.predict(make_network(), panel, windows.newest(panel))
    np.testing.assert_allclose(forecasts, 6.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("scale", "level"), [("mean", 6.0), ("last", 4.0), ("robust", 5.0)], ids=str
)
def test_the_level_is_taken_as_the_scale_says(scale, level):
    """Without naive lags, an untrained network forecasts its level."""
    season = {
        "mean": [5.0, 5.0, 11.0, 3.0],
        "last": [5.0, 11.0, 4.0, np.nan],
        "robust": [1.0, 5.0, 5.0, 90.0],
    }
    panel = from_series({"a": [8.0] * 12 + season[scale]}, freq="1", season=SEASON)
    forecasts = predict.predict(
        make_network(naive_lags=(), scale=scale), panel, windows.newest(panel)
    )
    np.testing.assert_allclose(forecasts, level, rtol=1e-6)


@pytest.mark.parametrize("scale", ["mean", "last", "robust"])
def test_forecasts_are_in_the_unit_of_the_data_for_every_scale(scale):
    model = shaken(make_network(scale=scale))
    panel, larger = make_panel(), make_panel(scale=1000)
    chosen = windows.newest(panel)
    expected = 1000 * predict.predict(model, panel, chosen)
    np.testing.assert_allclose(predict.predict(model, larger, chosen), expected, rtol=1e-4)


@pytest.mark.parametrize("log", [False, True])
def test_with_a_fixed_scale_in_the_unit_of_the_data_forecasts_are_in_it(log):
    model, of_larger = (
        make_network(scale="fixed", log=log, fixed_scale=(25.0 * unit, 28.0 * unit, 31.0 * unit))
        for unit in (1, 1000)
    )
    of_larger.set_weights(shaken(model).get_weights())
    panel, larger = make_panel(), make_panel(scale=1000)
    chosen = windows.newest(panel)
    expected = 1000 * predict.predict(model, panel, chosen)
    np.testing.assert_allclose(predict.predict(of_larger, larger, chosen), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"fixed_scale": (20.0,)}, "three quartiles"),
        ({"fixed_scale": (20.0, 20.0, 20.0)}, "ascending"),
        ({"fixed_scale": ()}, "only a single series has"),
        ({"fixed_scale": (0.0, 1.0, 2.0), "log": True}, "must be above zero with network.log"),
    ],
)
def test_a_fixed_scale_needs_quartiles_that_differ(fields, reason):
    with pytest.raises(ValidationError, match=reason):
        make_network(scale="fixed", **fields)


def test_forecasts_are_in_the_unit_of_the_data(shaken_network):
    panel, larger = make_panel(), make_panel(scale=1000)
    chosen = windows.newest(panel)
    np.testing.assert_allclose(
        predict.predict(shaken_network, larger, chosen),
        1000 * predict.predict(shaken_network, panel, chosen),
        rtol=1e-5,
    )


def test_forecasts_rise_with_the_level_of_the_data(shaken_network):
    panel, higher = make_panel(), make_panel(level=30)
    chosen = windows.newest(panel)
    np.testing.assert_allclose(
        predict.predict(shaken_network, higher, chosen),
        10 + predict.predict(shaken_network, panel, chosen),
        atol=0.01,
    )


def test_a_forecast_does_not_depend_on_what_else_is_forecast(shaken_network):
    panel = make_panel(20, 60)
    series, cutoff = np.divmod(np.arange(700), 35)
    chosen = Windows(series, cutoff + 20)
    together = predict.predict(shaken_network, panel, chosen)
    order = np.random.default_rng(1).permutation(700)
    assert predict.predict(shaken_network, panel, chosen.take(order)).tobytes() == (
        together[order].tobytes()
    )
    for row in (0, 333, 699):
        alone = predict.predict(shaken_network, panel, chosen.take(np.array([row])))
        assert alone.tobytes() == together[[row]].tobytes()


def test_no_windows_have_no_answers(shaken_network):
    none = Windows(np.array([], np.int64), np.array([], np.int64))
    assert predict.predict(shaken_network, make_panel(), none).shape == (0, HORIZON, 1)


def test_a_window_without_an_observation_still_gets_finite_numbers(shaken_network):
    panel = from_series({"a": [np.nan] * 20}, freq="1", season=SEASON)
    forecasts = predict.predict(shaken_network, panel, windows.newest(panel))
    assert np.isfinite(forecasts).all()


def test_quantiles_ascend_even_where_the_network_crosses_them():
    model = shaken(make_network(quantiles=(0.1, 0.5, 0.9)))
    panel = make_panel()
    forecasts = predict.predict(model, panel, windows.newest(panel))
    raw = model.predict_on_batch(predict.inputs(model, panel, windows.newest(panel))._asdict())
    assert (np.diff(raw) < 0).any()
    assert (np.diff(forecasts) >= 0).all()


@pytest.mark.parametrize("quantiles", [(), (0.5,), (0.1, 0.5), (0.5, 0.7, 0.9), (0.2, 0.5, 0.9)])
def test_the_middle_is_the_median_wherever_it_stands(quantiles):
    forecasts = np.array([quantiles or (0.5,)])
    assert outputs.median_output(forecasts, quantiles).tolist() == [0.5]


@pytest.mark.parametrize("decoder", DECODERS)
def test_dates_of_the_future_are_part_of_the_answer(decoder):
    model = shaken(make_network(dates=2, decoder=decoder))
    panel = make_panel()
    batch = windows.gather(panel, windows.newest(panel), 16, HORIZON, dates=False)
    rng = np.random.default_rng(1)
    calendar = rng.normal(size=(panel.n_series, 16 + HORIZON, 2)).astype(np.float32)
    altered = batch._replace(calendar=calendar)._asdict()
    other = batch._replace(calendar=np.concatenate([calendar[:, :-1], calendar[:, :1]], 1))
    changed = model.predict_on_batch(altered) != model.predict_on_batch(other._asdict())
    assert changed[..., -1, :].all()
    assert not changed[..., :-1, :].any()


@pytest.mark.parametrize("kind", ["simple", "lstm", "gru"])
def test_same_seed_same_weights_and_other_seed_other_weights(kind):
    cells = ResolvedCells(kind=kind, units=(8, 8))
    first, again, other = (
        network_weights.get_weights(make_network(cells=cells, seed=seed)) for seed in (1, 1, 2)
    )
    assert all(one.tobytes() == two.tobytes() for one, two in zip(first, again, strict=True))
    assert any(one.tobytes() != two.tobytes() for one, two in zip(first, other, strict=True))


def test_several_lags_begin_with_equal_weights():
    panel = make_panel()
    chosen = windows.newest(panel)
    forecasts = predict.predict(make_network(naive_lags=(1, SEASON)), panel, chosen)
    both = [method(panel, chosen, HORIZON) for method in NAIVE]
    np.testing.assert_allclose(forecasts[..., 0], np.mean(both, axis=0), rtol=2e-6)


def test_a_lag_that_was_not_observed_weighs_nothing():
    panel = from_series({"a": [5.0, 7.0, 6.0, 9.0] * 4 + [np.nan]}, freq="1", season=SEASON)
    forecasts = predict.predict(make_network(naive_lags=(1, SEASON)), panel, windows.newest(panel))
    np.testing.assert_allclose(forecasts[0, :3, 0], [7.0, 6.0, 9.0], rtol=1e-6)


def test_a_recursion_reads_its_own_answer_and_segments_do_not():
    """The forecast of the first patch reaches the second only where it is fed back."""
    panel = make_panel()
    chosen = windows.newest(panel)
    reached = {}
    for decoder in ("segment", "recursive"):
        model = shaken(make_network(decoder=decoder, patch=2))
        before = predict.predict(model, panel, chosen)
        bias = model.get_layer("horizon").bias
        bias.assign(np.array(bias) + np.array([0.5, 0.0]))  # the first step of every patch
        change = predict.predict(model, panel, chosen) - before
        reached[decoder] = bool((np.abs(change[:, 3::2]) > 1e-3).any())
    assert reached == {"segment": False, "recursive": True}


PASSES = [("direct", "gru"), ("direct", "lstm"), ("segment", "gru"), ("segment", "simple")]
"""Decoders and cells that forecast from several cutoffs in one pass."""


def one_pass(decoder, kind, panel, cutoff, *, cutoffs=3):
    """Return the forecasts of one pass at each cutoff of the windows that end at `cutoff`."""
    fields = {
        "decoder": decoder,
        "cells": ResolvedCells(kind=kind, units=(8, 8)),
        "naive_lags": (1, 4),
    }
    many, one = shaken(make_network(cutoffs=cutoffs, **fields)), shaken(make_network(**fields))
    chosen = Windows(np.arange(panel.n_series), np.full(panel.n_series, cutoff))
    forecasts = many.predict_on_batch(predict.inputs(many, panel, chosen)._asdict())
    return one, forecasts[:, :, 0]  # (windows, cutoffs, horizon, outputs)


@pytest.mark.parametrize(("decoder", "kind"), PASSES)
def test_the_earliest_cutoff_of_a_pass_is_forecast_as_if_it_were_alone(decoder, kind):
    panel = make_panel()
    one, forecasts = one_pass(decoder, kind, panel, 40)
    alone = predict.predict(one, panel, Windows(np.arange(30), np.full(30, 32)))
    np.testing.assert_allclose(forecasts[:, 0], alone, rtol=1e-5)
    assert np.isfinite(forecasts).all()


@pytest.mark.parametrize(("decoder", "kind"), PASSES)
def test_no_cutoff_of_a_pass_sees_what_came_after_it(decoder, kind):
    panel = make_panel()
    _, before = one_pass(decoder, kind, panel, 40)
    panel.values.reshape(30, 40)[:, 36:] *= 5  # after the second of the cutoffs 32, 36 and 40
    _, after = one_pass(decoder, kind, panel, 40)
    assert before[:, :2].tobytes() == after[:, :2].tobytes()
    assert (before[:, 2] != after[:, 2]).any(axis=(1, 2)).all()


def test_cutoffs_before_the_first_observation_disturb_none_that_come_later():
    panel = make_panel(length=9)
    one, forecasts = one_pass("direct", "gru", panel, 9, cutoffs=6)  # the earliest at -11
    alone = predict.predict(one, panel, Windows(np.arange(30), np.full(30, 1)))
    np.testing.assert_allclose(forecasts[:, 3], alone, rtol=1e-5)


def make_joint(panel, **choices):
    return shaken(make_network(multivariate=tuple(panel.ids.tolist()), **choices))


@pytest.mark.parametrize("decoder", DECODERS)
def test_series_that_are_read_together_are_born_as_their_baselines(decoder):
    panel = make_panel(4)
    untrained = make_network(multivariate=tuple(panel.ids.tolist()), decoder=decoder)
    chosen = Windows(np.array([0, 1, 2, 3, 2]), np.array([40, 31, 40, 25, 31]))
    expected = baselines.seasonal_naive(panel, chosen, HORIZON)
    np.testing.assert_allclose(
        predict.predict(untrained, panel, chosen)[..., 0], expected, rtol=2e-6
    )


@pytest.mark.parametrize("decoder", DECODERS)
def test_series_that_are_read_together_see_the_past_of_all_and_the_future_of_none(decoder):
    panel = make_panel(4)
    joint = make_joint(panel, decoder=decoder)
    chosen = Windows(np.arange(4), np.full(4, 30))
    before = predict.predict(joint, panel, chosen)
    panel.values[panel.offsets[1] + 30 : panel.offsets[2]] *= 9
    assert predict.predict(joint, panel, chosen).tobytes() == before.tobytes()
    panel.values[panel.offsets[1] + 29] *= 9
    assert (predict.predict(joint, panel, chosen) != before).any(axis=(1, 2)).all()


@pytest.mark.parametrize("decoder", DECODERS)
def test_each_of_several_series_keeps_its_own_unit(decoder):
    panel = make_panel(4)
    joint, chosen = make_joint(panel, decoder=decoder), windows.newest(panel)
    before = predict.predict(joint, panel, chosen)
    panel.values[panel.offsets[1] : panel.offsets[2]] *= 1000
    unit = np.array([1, 1000, 1, 1])[:, None, None]
    np.testing.assert_allclose(predict.predict(joint, panel, chosen), unit * before, rtol=1e-4)


def test_a_pass_over_several_series_forecasts_all_of_them_from_every_cutoff():
    panel = make_panel(3)
    names = tuple(panel.ids.tolist())
    many, one = (shaken(make_network(multivariate=names, cutoffs=cutoffs)) for cutoffs in (2, 1))
    chosen = Windows(np.arange(3), np.full(3, 40))
    forecasts = many.predict_on_batch(predict.inputs(many, panel, chosen)._asdict())
    assert forecasts.shape == (3, 2, 3, HORIZON, 1)
    alone = predict.predict(one, panel, Windows(np.arange(3), np.full(3, 36)))
    np.testing.assert_allclose(forecasts[0, 0], alone, rtol=1e-5)


def test_an_open_choice_is_refused():
    with pytest.raises(ValidationError, match="context"):
        make_network(context=None)


UNITS = (1e-30, 1e-12, 1e-9, 1e-6, 1e6, 1e12, 1e30, 1e37, 1e100)


@pytest.mark.parametrize("scale", ["mean", "last", "robust"])
@pytest.mark.parametrize("log", [False, True], ids=["plain", "log"])
def test_forecasts_do_not_depend_on_the_unit_of_the_data(log, scale):
    trend = {} if log else {"shrunken_trend": True, "naive_lags": (1, SEASON)}
    model = shaken(make_network(log=log, scale=scale, **trend))
    panel = make_panel(level=0.0)
    expected = predict.predict(model, panel, windows.newest(panel))
    for unit in UNITS:
        other = replace(panel, values=unit * panel.values)
        forecasts = predict.predict(model, other, windows.newest(other)) / unit
        assert np.abs(forecasts / expected - 1).max() < 1e-5, unit


@pytest.mark.parametrize("offset", [1e3, -1e6, 1e9, 1e12])
def test_a_high_level_takes_no_digits(offset):
    model = shaken(make_network(naive_lags=(1, SEASON)))
    panel = make_panel(level=0.0)
    expected = predict.predict(model, panel, windows.newest(panel))
    other = replace(panel, values=panel.values + offset)
    forecasts = predict.predict(model, other, windows.newest(other)) - offset
    np.testing.assert_allclose(forecasts, expected, rtol=1e-4, atol=1e-4 + 1e-12 * abs(offset))


@pytest.mark.parametrize("log", [False, True], ids=["plain", "log"])
def test_an_absurd_value_is_no_observation(log):
    model, panel = shaken(make_network(log=log)), make_panel()
    absurd, unseen = np.array(panel.values), np.array(panel.observed)
    absurd[panel.offsets[1:] - 3], unseen[panel.offsets[1:] - 3] = 3.4e38, False
    with_it = replace(panel, values=absurd)
    without = replace(panel, observed=unseen)
    chosen = windows.newest(panel)
    expected = predict.predict(model, without, chosen)
    assert predict.predict(model, with_it, chosen).tobytes() == expected.tobytes()


def test_on_logarithms_a_zero_is_no_observation():
    model, panel = shaken(make_network(log=True)), make_panel()
    zero, unseen = np.array(panel.values), np.array(panel.observed)
    zero[panel.offsets[1:] - 2], unseen[panel.offsets[1:] - 2] = 0.0, False
    chosen = windows.newest(panel)
    expected = predict.predict(model, replace(panel, observed=unseen), chosen)
    assert predict.predict(model, replace(panel, values=zero), chosen).tobytes() == (
        expected.tobytes()
    )


@pytest.mark.parametrize("level", [0.0, 1e-300, 3.3, 1e30])
def test_a_series_at_rest_is_forecast_at_rest(level):
    model = shaken(make_network(naive_lags=(1, SEASON), shrunken_trend=True))
    panel = from_series({"a": [7 * level] * 8 + [level] * 40}, freq="1", season=SEASON)
    forecasts = predict.predict(model, panel, windows.newest(panel))
    np.testing.assert_allclose(forecasts, level, rtol=1e-3)
