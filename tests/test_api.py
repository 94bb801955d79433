"""The public API, on a panel small enough to be trained in a second."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

import foreseq
from foreseq import Forecaster, load
from foreseq.config import build_experiment
from foreseq.errors import ConfigError, DataRefused, NotFitted, SeriesTooShort

HORIZON, STEPS = 7, 120
TINY = {"training.max_steps": 10, "network.cells.units": (8,)}
FORESEQ = Path(sys.executable).with_name("foreseq")


def frame():
    """Return three daily series with a weekly season and noise."""
    rng = np.random.default_rng(1)
    steps = np.arange(STEPS)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "unique_id": name,
                    "ds": pd.date_range("2024-01-01", periods=STEPS),
                    "y": 50 + 10 * np.sin(2 * np.pi * (steps + shift) / 7) + rng.normal(size=STEPS),
                }
            )
            for shift, name in enumerate("abc")
        ],
        ignore_index=True,
    )


def tiny(**arguments):
    return Forecaster(HORIZON, time_budget=0, **{**TINY, **arguments})


@pytest.fixture(scope="module")
def model():
    return tiny().fit(frame())


def test_importing_the_package_loads_nothing_heavy_and_takes_no_time():
    script = (
        "import sys, time; start = time.perf_counter(); import foreseq;"
        "print(time.perf_counter() - start);"
        "print([m for m in ('numpy', 'pandas', 'pydantic', 'keras', 'mlflow') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    seconds, heavy = ran.stdout.splitlines()
    assert float(seconds) < 0.3
    assert heavy == "[]"
    assert not ran.stderr


def test_training_needs_neither_prefect_nor_mlflow_and_says_nothing():
    script = (
        "import sys, pandas as pd; from foreseq import Forecaster\n"
        "df = pd.DataFrame({'unique_id': 'a', 'ds': range(60), 'y': [1.0, 5.0, 3.0] * 20})\n"
        "Forecaster(3, time_budget=0, **{'training.max_steps': 1}).fit(df).predict()\n"
        "print([name for name in ('prefect', 'mlflow') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout == "[]\n"
    assert not ran.stderr


def test_all_and_the_namespace_agree():
    assert dir(foreseq) == sorted(foreseq.__all__)
    assert all(getattr(foreseq, name) for name in foreseq.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        foreseq.nothing  # noqa: B018


def test_a_forecast_has_a_row_per_series_and_step(model):
    forecast = model.predict()
    assert list(forecast) == ["unique_id", "ds", "y_hat", "q10", "q50", "q90", "cutoff"]
    assert len(forecast) == 3 * HORIZON
    assert forecast["ds"].min() == pd.Timestamp("2024-04-30")
    assert (forecast["cutoff"] == pd.Timestamp("2024-04-29")).all()
    assert (forecast["q10"] <= forecast["q50"]).all()
    assert (forecast["q50"] <= forecast["q90"]).all()
    assert (forecast["y_hat"] == forecast["q50"]).all()


def as_polars(table):
    return pl.from_pandas(table).with_columns(pl.col("ds").cast(pl.Date))


@pytest.mark.parametrize(
    ("convert", "kind"),
    [(as_polars, pl.DataFrame), (pa.Table.from_pandas, pa.Table)],
    ids=["polars", "pyarrow"],
)
def test_the_kind_of_frame_that_is_given_is_returned(model, convert, kind):
    forecast = model.predict(convert(frame()))
    assert isinstance(forecast, kind)
    table = forecast.to_pandas()
    table["ds"] = table["ds"].astype("datetime64[ns]")
    assert table["y_hat"].tolist() == model.predict()["y_hat"].tolist()
    assert table["ds"].tolist() == model.predict()["ds"].tolist()


def test_polars_trains_as_pandas_does_and_dates_stay_dates(model):
    trained = tiny().fit(as_polars(frame()).lazy())
    forecast = trained.predict()
    assert forecast.schema["ds"] == forecast.schema["cutoff"] == pl.Date
    assert forecast["y_hat"].to_list() == model.predict()["y_hat"].tolist()
    assert trained.cross_validation().columns[:5] == ["unique_id", "ds", "cutoff", "y", "y_hat"]


def test_columns_keep_the_names_and_types_that_a_user_gives_them(model):
    names = {"unique_id": "shop", "ds": "day", "y": "sales"}
    numbered = frame().replace({"unique_id": {"a": 1, "b": 2, "c": 3}}).rename(columns=names)
    numbered["shop"] = numbered["shop"].astype("int64")
    trained = tiny(id_col="shop", time_col="day", target_col="sales").fit(numbered)
    assert list(trained.predict())[:3] == ["shop", "day", "y_hat"]
    assert trained.predict()["shop"].unique().tolist() == [1, 2, 3]
    assert "sales" in trained.cross_validation()
    assert trained.predict()["y_hat"].tolist() == model.predict()["y_hat"].tolist()


def test_a_frame_without_ids_is_one_series():
    single = frame().query("unique_id == 'a'").drop(columns="unique_id")
    assert tiny(name="shop").fit(single).predict()["unique_id"].unique().tolist() == ["shop"]


def test_a_series_never_seen_in_training_is_forecast(model):
    new = frame().query("unique_id == 'a'").assign(unique_id="new", y=lambda table: 2 * table["y"])
    forecast = model.predict(new)
    assert forecast["unique_id"].unique().tolist() == ["new"]
    old = model.predict().query("unique_id == 'a'")
    np.testing.assert_allclose(forecast["y_hat"], 2 * old["y_hat"], rtol=0.02)


def test_other_quantiles_lie_between_the_calibrated_ones(model):
    known, between = model.predict(), model.predict(quantiles=[0.1, 0.3])
    assert list(between) == ["unique_id", "ds", "y_hat", "q10", "q30", "cutoff"]
    np.testing.assert_allclose(between["q10"], known["q10"])
    np.testing.assert_allclose(between["y_hat"], known["y_hat"])
    assert ((known["q10"] < between["q30"]) & (between["q30"] < known["q50"])).all()
    with pytest.raises(
        ConfigError, match=r"0\.95 must lie between .* pass quantiles= to Forecaste"
    ):
        model.predict(quantiles=[0.95])


def test_quantiles_asked_for_at_construction_are_calibrated():
    trained = tiny(quantiles=[0.05, 0.5, 0.95]).fit(frame())
    assert list(trained.predict())[3:6] == ["q5", "q50", "q95"]


def test_sample_paths_are_columns_around_the_forecast(model):
    forecast = model.predict(sample_paths=50)
    paths = forecast.iloc[:, -50:]
    assert forecast.shape == (3 * HORIZON, 7 + 50)
    inside = (paths.ge(forecast["q10"], axis=0) & paths.le(forecast["q90"], axis=0)).mean(axis=1)
    np.testing.assert_allclose(inside, 0.8, atol=0.02)


def test_cross_validation_forecasts_windows_it_was_not_trained_on(model):
    table = model.cross_validation(n_windows=3, step_size=2)
    assert list(table) == ["unique_id", "ds", "cutoff", "y", "y_hat", "q10", "q50", "q90"]
    days = table["cutoff"].drop_duplicates().dt.strftime("%m-%d").tolist()
    assert days == ["04-18", "04-20", "04-22"]
    merged = table.merge(frame(), on=["unique_id", "ds"])
    assert (merged["y_x"] == merged["y_y"]).all()
    changed = frame().assign(y=lambda t: t["y"].where(t["ds"] <= "2024-04-18", -1000.0))
    other = tiny().fit(frame()).cross_validation(changed, n_windows=3, step_size=2)
    first = table["cutoff"] == "2024-04-18"
    assert other[first]["y_hat"].tolist() == table[first]["y_hat"].tolist()


def test_cross_validation_refuses_more_windows_than_the_data_have(model):
    with pytest.raises(SeriesTooShort, match="to train, validate and test"):
        model.cross_validation(n_windows=30)


def test_scores_and_choices_are_tables(model):
    scores = model.scores()
    assert list(scores) == ["mase", "smape", "mae", "rmse", "crps", "skill"]
    assert {"foreseq", "seasonal_naive", "naive"} <= set(scores.index)
    assert scores.loc["foreseq", "skill"] == 0
    assert list(model.choices) == ["field", "value", "reason"]
    assert "network.context" in model.choices["field"].tolist()


def test_a_report_is_one_file_with_the_verdict_of_the_gate(model, tmp_path):
    page = model.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "data:image/png" in page
    assert "http://" not in page
    assert "challenger" in page


def test_a_plot_is_a_figure_of_one_series(model):
    figure = model.plot("b")
    assert isinstance(figure, Figure)
    assert figure.axes[0].get_title(loc="left") == "b"
    with pytest.raises(ConfigError, match="there is no series 'x'; there are a, b, c"):
        model.plot("x")


def test_a_saved_model_forecasts_the_same(model, tmp_path):
    folder = model.save(tmp_path / "shop.bundle")
    loaded = load(folder)
    pd.testing.assert_frame_equal(loaded.predict(frame()), model.predict())
    assert model.save(folder) == folder  # a bundle is replaced
    with pytest.raises(NotFitted, match="keeps no data"):
        loaded.predict()
    with pytest.raises(NotFitted, match="scores"):
        loaded.scores()


def test_before_it_is_fitted_a_pretrained_network_forecasts():
    df = frame()
    forecast = Forecaster(HORIZON, season=7).predict(df, quantiles=[0.2, 0.8])
    assert list(forecast) == ["unique_id", "ds", "y_hat", "q20", "q80", "cutoff"]
    assert len(forecast) == HORIZON * df.unique_id.nunique()
    assert forecast.y_hat.notna().all()
    figure = Forecaster(HORIZON, season=7).plot("b", df)
    assert figure.axes[0].get_title(loc="left") == "b"


def test_saving_replaces_nothing_but_a_bundle(model, tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="other files"):
        model.save(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_what_is_asked_too_early_or_wrongly_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(NotFitted, match=r"call fit\(df\) first"):
        Forecaster(3).predict()
    with pytest.raises(DataRefused, match=r"'y' is needed, found the columns .* target_col="):
        tiny().fit(frame().rename(columns={"y": "sales"}).assign(price=1))
    with pytest.raises(DataRefused, match=r"found list; convert it"):
        tiny().fit([1, 2, 3])
    with pytest.raises(SeriesTooShort, match="shorter horizon"):
        Forecaster(100, time_budget=0).fit(frame())
    with pytest.raises(ConfigError, match=r"did you mean training\.max_steps"):
        Forecaster(3, **{"training.max_step": 5})
    with pytest.raises(ConfigError, match="horizon: is required"):
        Forecaster()
    with pytest.raises(ConfigError, match="no such folder"):
        load(tmp_path / "nothing")


def test_parameters_are_those_of_scikit_learn():
    model = Forecaster(3, config={"network": {"cells": {"kind": "lstm"}}}, seed=2)
    assert model.get_params()["seed"] == 2
    assert repr(Forecaster(**model.get_params())) == repr(model)
    assert repr(model.set_params(seed=5, horizon=4)) == (
        "Forecaster(horizon=4, seed=5, config={'network': {'cells': {'kind': 'lstm'}}})"
    )
    assert model._config.network.cells.kind == "lstm"
    assert model._config.training.seed == 5


def test_an_experiment_can_be_given_whole(model):
    fields = {"dataset": {"horizon": HORIZON}, "auto": {"time_budget": 0}}
    experiment = build_experiment(fields, ["training.max_steps=10", "network.cells.units=[8]"])
    trained = Forecaster(experiment=experiment).fit(frame())
    assert trained.predict()["y_hat"].tolist() == model.predict()["y_hat"].tolist()


def test_a_notebook_shows_verdict_scores_picture_and_choices(model):
    html = model._repr_html_()
    for part in ("seasonal naive", "MASE", "data:image/png", "<details>", "network.context"):
        assert part in html
    assert Forecaster(3)._repr_html_() == "<code>Forecaster(horizon=3)</code>"


def test_progress_is_said_on_demand(capsys):
    tiny(verbose=True).fit(frame())
    assert "chosen network.context" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_line_trains_the_same_and_its_model_can_be_loaded(
    model, api, tmp_path, monkeypatch
):
    frame().to_csv(tmp_path / "shop.csv", index=False)
    words = "run --data shop.csv --horizon 7 --time-budget 0s --output night"
    fields = TINY | {"gate.confidence": 0.5, "gate.min_skill": -9.0}  # ten steps teach little
    sets = [f"--set={k}={list(v) if isinstance(v, tuple) else v}" for k, v in fields.items()]
    subprocess.run(  # noqa: S603 our own command
        [FORESEQ, *words.split(), *sets],
        cwd=tmp_path,
        env=os.environ | {"PREFECT_API_URL": api},
        check=True,
        capture_output=True,
        timeout=300,
    )
    written = pd.read_parquet(tmp_path / "night")
    monkeypatch.chdir(tmp_path)
    names = ["y_hat", "q10", "q90"]
    assert written[names].to_numpy().tolist() == model.predict()[names].to_numpy().tolist()
    for name in ("models:/shop/1", "shop@champion"):
        loaded = load(name)
        assert loaded.predict(frame())["y_hat"].tolist() == model.predict()["y_hat"].tolist()


def shops(steps=60, ahead=3):
    """Return two series that a promotion known ahead doubles, and what is known ahead."""
    rng = np.random.default_rng(1)
    rows = []
    for name in ("a", "b"):
        promo = rng.random(steps + ahead) < 0.3
        y = 10 * (1 + promo) + rng.normal(0, 0.1, steps + ahead)
        times = pd.date_range("2024-01-01", periods=steps + ahead)
        rows.append(pd.DataFrame({"unique_id": name, "ds": times, "y": y, "promo": promo}))
    whole = pd.concat(rows)
    later = whole["ds"] > whole["ds"].max() - pd.Timedelta(days=ahead)
    return whole[~later], whole[later].drop(columns="y")


def test_a_forecaster_reads_covariates_and_says_what_they_are_worth(tmp_path):
    history, ahead = shops()
    sets = {"training.max_steps": 20, "training.start": "random", "network.cells.units": [4]}
    model = Forecaster(horizon=3, time_budget=0, **sets).fit(history, X_df=ahead)
    assert [one.name for one in model.resolved.network.covariates] == ["promo"]
    assert model.resolved.dataset.covariates.future == ("promo",)
    known = model.predict(X_df=ahead)
    pd.testing.assert_frame_equal(known, model.predict(history, ahead))
    changed = model.predict(X_df=ahead.assign(promo=~ahead["promo"]))
    assert (known["y_hat"] != changed["y_hat"]).all()
    assert np.isfinite(model.predict(history)["y_hat"]).all()  # none is known ahead
    assert set(model.covariate_importance(repeats=2)["covariate"]) == {"all", "promo"}
    again = load(model.save(tmp_path / "bundle"))
    pd.testing.assert_frame_equal(again.predict(history, ahead), known)


def test_what_should_be_known_ahead_may_be_required():
    history, ahead = shops()
    model = Forecaster(
        horizon=3,
        time_budget=0,
        covariates={"future": ["promo"]},
        **{"training.max_steps": 1, "network.cells.units": [4], "training.start": "random"},
        **{"dataset.unknown_ahead": "refuse"},
    ).fit(history)
    with pytest.raises(DataRefused, match="covariate promo must be known 3 steps ahead"):
        model.predict(X_df=ahead[ahead["ds"] < ahead["ds"].max()])
    assert len(model.predict(X_df=ahead)) == 6


def test_a_covariate_that_the_data_lack_is_refused_by_name():
    history, _ = shops()
    model = Forecaster(horizon=3, time_budget=0, covariates={"future": ["price"]})
    with pytest.raises(ConfigError, match="names price, which the data lack"):
        model.fit(history)
