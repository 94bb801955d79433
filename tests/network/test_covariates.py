"""A network with covariates: what it begins with, what it must not see, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest

from foreseq.config import Covariate, build_experiment, change
from foreseq.evaluation import contracts
from foreseq.evaluation.covariate_importance import importance
from foreseq.forecasting import bundle
from foreseq.forecasting.ensemble import Ensemble, calibrate, require_known
from foreseq.selection.choose import by_rules
from foreseq.series import windows
from foreseq.series.covariates import Column, Covariates
from foreseq.series.panel import from_series, select
from foreseq.training import batches, fitting, model_cache, network_weights
from foreseq.training.fitting import Task

HORIZON, SEASON, LENGTH, SERIES = 6, 4, 120, 6
KINDS = [("gru", "direct"), ("gru", "segment"), ("lstm", "recursive"), ("lstm", "direct")]


def make_panel(seed=1):
    """Return series that a promotion known ahead doubles, with a column of each other role."""
    rng = np.random.default_rng(seed)
    rows = LENGTH + HORIZON
    promo = (rng.random((SERIES, rows)) < 0.3).astype(float)
    series = {
        f"s{n}": (10 + n) * (1 + promo[n, :LENGTH]) + rng.normal(0, 0.1, LENGTH)
        for n in range(SERIES)
    }
    panel = from_series(series, freq="1", season=SEASON)
    columns = (
        Column("noise", "past"),
        Column("promo", "future"),
        Column("mood", "future", ("bad", "good")),
        Column("kind", "static", ("a", "b")),
    )
    values = np.column_stack(
        [rng.normal(size=SERIES * rows), promo.ravel(), rng.integers(0, 2, SERIES * rows)]
    )
    static = np.arange(SERIES)[:, None] % 2
    beside = Covariates(columns, values, rows * np.arange(SERIES + 1), static.astype(float))
    return replace(panel, covariates=beside)


def resolve(panel, kind="gru", decoder="direct", *sets):
    fields = {"dataset": {"horizon": HORIZON, "season": SEASON}, "auto": {"time_budget": 0}}
    overrides = [
        f"network.cells.kind={kind}", f"network.decoder={decoder}", "network.cells.units=[16]",
        "network.patch=2", "network.context=16", "training.start=random", "training.synthetic=0",
        "training.cutoffs_per_window=1", *sets,
    ]  # fmt: skip
    return by_rules(build_experiment(fields, overrides), panel)


def shaken(experiment, panel):
    """Return a forecaster whose weights are all other than zero."""
    rng = np.random.default_rng(1)
    weights = [
        weight + rng.normal(0, 0.2, weight.shape).astype(np.float32)
        for weight in network_weights.get_weights(model_cache.build(experiment))
    ]
    fitted = bundle.State([weights], bundle.Seen(panel.ids, panel.starts))
    return Ensemble(experiment, fitted)


def fitted_on(panel, steps, *sets):
    """Return a forecaster with intervals, and the windows it was trained on."""
    sets = [f"training.max_steps={steps}", "training.learning_rate=0.01", *sets]
    chosen = resolve(panel, "gru", "direct", *sets)
    task = Task(panel, chosen.split.train_ends, chosen.split.validation, steps)
    state = bundle.state(panel, chosen.split.train_ends, fitting.fit(task, chosen.experiment))
    intervals = calibrate(Ensemble(chosen.experiment, state), panel, chosen.split.validation)
    return Ensemble(chosen.experiment, state._replace(calibration=intervals)), chosen


@pytest.mark.parametrize(("kind", "decoder"), KINDS)
def test_an_untrained_network_forecasts_as_if_there_were_no_covariates(kind, decoder):
    panel = make_panel()
    experiment = resolve(panel, kind, decoder).experiment
    assert len(experiment.network.covariates) == 4
    without = change(experiment, {"network.covariates": []})
    forecasts = []
    for one in (experiment, without):
        weights = network_weights.get_weights(model_cache.build(one))
        fitted = bundle.State([weights], bundle.Seen(panel.ids, panel.starts))
        forecasts.append(Ensemble(one, fitted)(panel, windows.newest(panel)))
    np.testing.assert_allclose(forecasts[0], forecasts[1], rtol=1e-6)


@pytest.mark.parametrize(("kind", "decoder"), KINDS)
def test_nothing_is_read_before_its_time(kind, decoder):
    panel = make_panel()
    chosen = resolve(panel, kind, decoder)
    forecast = shaken(chosen.experiment, panel)
    test = chosen.split.test
    other = contracts.altered(panel, test.take(slice(None, None, test.count)), HORIZON)
    first = test.take(slice(0, 1))
    assert contracts.same_rows(forecast(panel, first), forecast(other, first)).all()
    without = replace(panel, covariates=None)
    assert not contracts.same_rows(forecast(panel, first), forecast(without, first)).any()


def test_series_that_are_read_together_bring_all_their_covariates():
    panel = make_panel()
    experiment = resolve(panel, "gru", "direct", "network.multivariate=all").experiment
    forecast = shaken(experiment, panel)
    promo = np.array(panel.covariates.values)
    promo[: LENGTH + HORIZON, 1] = 1 - promo[: LENGTH + HORIZON, 1]
    other = replace(panel, covariates=replace(panel.covariates, values=promo))
    newest = windows.newest(panel)
    assert not contracts.same_rows(forecast(panel, newest), forecast(other, newest)).any()


@pytest.mark.parametrize("decoder", ["direct", pytest.param("segment", marks=pytest.mark.slow)])
def test_a_network_learns_what_a_column_known_ahead_tells(decoder):
    panel = make_panel()
    forecast, chosen = fitted_on(panel, 250, f"network.decoder={decoder}")
    actual = windows.futures(panel, chosen.split.test, HORIZON)

    def error(data):
        return np.abs(forecast.point(data, chosen.split.test) - actual).mean()

    unknown = np.array(panel.covariates.values)
    unknown[:, 1] = np.nan
    blind = replace(panel, covariates=replace(panel.covariates, values=unknown))
    assert error(panel) < 0.5 * error(blind)
    worth = importance(forecast, panel, chosen.split.test, repeats=3)
    mean = worth[worth["step"] == 0].set_index("covariate")
    assert mean.index[:2].sort_values().tolist() == ["all", "promo"]
    assert mean.loc["promo", "mase_without"] > 1.5 * mean.loc["noise", "mase_without"]
    assert mean.loc["noise", "mase_without"] == pytest.approx(mean["mase"].iloc[0], rel=0.2)
    assert worth["step"].max() == HORIZON
    assert error(blind) < 1.5 * np.abs(actual - np.median(actual)).mean()


def two_kinds(series=24):
    """Return series that vary around 20 or around 60, as a static column tells."""
    rng = np.random.default_rng(1)
    kinds = np.arange(series) % 2
    values = {f"s{n:02}": 20 + 40 * kinds[n] + rng.normal(0, 2, 80) for n in range(series)}
    panel = from_series(values, freq="1", season=SEASON)
    rows = panel.offsets + HORIZON * np.arange(series + 1)
    nothing = np.empty((rows[-1], 0))
    static = Covariates(
        (Column("kind", "static", ("a", "b")),), nothing, rows, kinds[:, None] * 1.0
    )
    return replace(panel, covariates=static)


def test_a_series_without_any_y_is_forecast_from_what_is_known_beside_it():
    panel = two_kinds()
    forecast, chosen = fitted_on(panel, 250, "intervals.levels=[0.1,0.5,0.9]")
    low, middle, high = chosen.experiment.network.cold_start
    assert low < 25 < middle < 55 < high
    unseen = replace(panel, observed=np.zeros_like(panel.observed))
    test = chosen.split.test
    bounds, actual = forecast(unseen, test), windows.futures(panel, test, HORIZON)
    assert np.abs(bounds[..., 1] - actual).mean() < 8 < 0.5 * np.abs(middle - actual).mean()
    assert 0.7 < ((bounds[..., 0] <= actual) & (actual <= bounds[..., 2])).mean() < 0.95
    assert "y is not known of 24 series" in require_known(forecast, unseen)
    alone = Ensemble(
        change(chosen.experiment, {"network.cold_start": []}),
        bundle.State(forecast.members, bundle.Seen(panel.ids, panel.starts)),
    )
    assert set(alone.skipped(unseen, test)) == set(range(test.count))


def test_a_series_with_a_past_does_not_depend_on_what_a_cold_start_needs():
    panel = two_kinds(6)
    experiment = resolve(panel).experiment
    assert experiment.network.starts_cold
    other = change(experiment, {"network.cold_start": [1, 2, 30]})
    newest = windows.newest(panel)
    both = [shaken(one, panel)(panel, newest) for one in (experiment, other)]
    assert contracts.same_rows(*both).all()
    young = replace(panel, observed=np.arange(len(panel.observed)) % 80 == 79)
    both = [shaken(one, panel)(young, newest) for one in (experiment, other)]
    assert not contracts.same_rows(*both).any()


@pytest.mark.parametrize("without", ["other series", "what is known ahead"])
def test_there_is_no_cold_start_without(without):
    panel = two_kinds(6)
    if without == "other series":
        panel = select(panel, np.array([0]))
    else:
        past = (Column("kind", "past", ("a", "b")),)
        beside = panel.covariates
        values = np.arange(beside.offsets[-1])[:, None] % 2.0
        panel = replace(
            panel, covariates=Covariates(past, values, beside.offsets, np.empty((6, 0)))
        )
    assert resolve(panel).experiment.network.cold_start == ()


def test_windows_are_forgotten_from_their_start_and_static_columns_never():
    reads = (
        Covariate(name="promo", role="future"),
        Covariate(name="kind", role="static", categories=("a",)),
    )
    ones = {name: np.ones((4000, 20, 1)) for name in ("past", "observed")}
    beside = {name: np.ones((4000, 26, 2)) for name in ("covariates", "covariates_known")}
    inputs = {**ones, **beside}
    batches.forget(inputs, reads, 4, np.random.default_rng(1))
    kept = inputs["observed"].sum(axis=(1, 2))
    assert set(kept) == {0, 1, 2, 3, 4, 20}
    assert (kept == 0).mean() == pytest.approx(batches.COLD, abs=0.02)
    assert (kept < 20).mean() == pytest.approx(batches.COLD + batches.YOUNG, abs=0.02)
    assert (np.diff(inputs["past"][..., 0]) >= 0).all()
    assert (inputs["covariates_known"][:, 20:] == 1).all()
    assert (inputs["covariates_known"][..., 1] == 1).all()
    assert (inputs["covariates"][kept > 0] == 1).all()
