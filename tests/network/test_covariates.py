"""A network with covariates: what it begins with, what it must not see, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest

from foreseq.config import build_experiment, change
from foreseq.evaluation import contracts
from foreseq.evaluation.covariate_importance import importance
from foreseq.forecasting import bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.selection.choose import by_rules
from foreseq.series import windows
from foreseq.series.covariates import Column, Covariates
from foreseq.series.panel import from_series
from foreseq.training import fitting, model_cache, network_weights
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


@pytest.mark.parametrize("decoder", ["direct", "segment"])
def test_a_network_learns_what_a_column_known_ahead_tells(decoder):
    panel = make_panel()
    sets = ["training.max_steps=250", "training.learning_rate=0.01"]
    chosen = resolve(panel, "gru", decoder, *sets)
    task = Task(panel, chosen.split.train_ends, chosen.split.validation, 250)
    fitted = fitting.fit(task, chosen.experiment)
    state = bundle.state(panel, chosen.split.train_ends, fitted)
    forecast = Ensemble(chosen.experiment, state)
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
