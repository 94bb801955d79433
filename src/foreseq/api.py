"""The public API: `Forecaster` and `load`, for frames in memory.

Everything else can be had from Python as well: this module only puts the steps in order, as
`foreseq run` does, and returns frames of the kind it was given. One of the longer modules: a third
of it is docstrings, and one class is one page of documentation.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from foreseq.config import ExperimentConfig, ResolvedExperiment, build_experiment
from foreseq.config.loading import set_fields
from foreseq.durable import manifest
from foreseq.errors import ConfigError, NotFitted
from foreseq.evaluation import covariate_importance
from foreseq.evaluation.backtest import Backtest, score_table
from foreseq.experiment import recipe
from foreseq.experiment.zero_shot import zero_shot
from foreseq.forecasting import bundle as bundles
from foreseq.forecasting import ensemble
from foreseq.forecasting.bundle import Bundle
from foreseq.ingest import frames
from foreseq.ingest.table import to_panel
from foreseq.report import notebook, pictures
from foreseq.report.findings import Training
from foreseq.selection.choose import choose
from foreseq.series.panel import Panel, to_frame
from foreseq.series.windows import Windows

__all__ = ["Forecaster", "load"]

REGISTRY = "models:/"
FIELDS = {
    "horizon": "dataset.horizon",
    "freq": "dataset.freq",
    "season": "dataset.season",
    "quantiles": "intervals.levels",
    "time_budget": "auto.time_budget",
    "seed": "training.seed",
    "name": "dataset.name",
    "covariates": "dataset.covariates",
    "id_col": "dataset.columns.unique_id",
    "time_col": "dataset.columns.ds",
    "target_col": "dataset.columns.y",
}
"""Arguments of `Forecaster` and the config fields that they set."""


class Forecaster:
    """A forecaster of many time series: one recurrent network, or an ensemble, for all of them.

    `fit` chooses the network and its training from the data, within the time budget, trains it,
    tests it on the newest steps, and then trains on with everything. All choices can be set; see
    the fields in `configs/README.md`.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": range(60), "y": [1.0, 5.0, 3.0] * 20})
        >>> model = Forecaster(horizon=3, time_budget=0, **{"training.max_steps": 1}).fit(df)
        >>> model.predict()[["ds", "y_hat"]].round().values.tolist()
        [[60.0, 1.0], [61.0, 5.0], [62.0, 3.0]]
    """

    def __init__(  # noqa: PLR0913 - the few choices that matter, each an argument
        self,
        horizon: int | None = None,
        *,
        freq: str | int | None = None,
        season: int | None = None,
        quantiles: Sequence[float] | None = None,
        time_budget: str | float | None = None,
        seed: int | None = None,
        name: str | None = None,
        covariates: Mapping[str, Sequence[str]] | str | None = None,
        id_col: str = "unique_id",
        time_col: str = "ds",
        target_col: str = "y",
        config: Mapping[str, Any] | None = None,
        experiment: ExperimentConfig | None = None,
        verbose: bool = False,
        **overrides: Any,
    ) -> None:
        """Check and keep the choices; nothing is trained yet.

        Args:
            horizon: Time steps to forecast. Required, unless `config` or `experiment` has it.
            freq: Pandas alias (`h`, `D`, `MS`), or the difference of integer steps. None: inferred.
            season: Time steps after which the pattern repeats; 1: no season. None: inferred.
            quantiles: Levels between 0 and 1, ascending, 0.5 among them; they are calibrated on
                windows held back. Empty: point forecasts. None: 0.1, 0.5 and 0.9.
            time_budget: For search and training: seconds, or `90s`, `10m`, `1h`. 0: rules instead
                of a search, and a single network. None: 10 minutes.
            seed: The same data, choices and seed give the same forecasts on one machine, as far as
                the time budget does not decide. None: 1.
            name: Of the data and the model. None: `panel`.
            covariates: Columns beside y by role, `{"past": [...], "future": [...], "static":
                [...]}`; `none`: y alone. None: every further column, static if constant within each
                series, future if it is filled in beyond the last y, else past.
            id_col: Column that says which series a row belongs to.
            time_col: Column of times, or of integer steps.
            target_col: Column of values.
            config: Other fields, nested or by dotted name: `{"network.cells.kind": "lstm"}`.
            experiment: A whole experiment, which the other arguments change.
            verbose: Say on standard error what is chosen and how training goes.
            **overrides: As `config`, by dotted name.

        Raises:
            ConfigError: If a field is unknown or out of bounds.
        """
        arguments = {k: v for k, v in locals().items() if k not in ("self", "overrides")}
        self._params: dict[str, Any] = arguments | overrides
        self._overrides = overrides
        self._config = self._build()
        self._training: Training | None = None
        self._bundle: Bundle | None = None
        self._style: frames.Style | None = None
        self._version = self._config.model
        self._backtests: dict[tuple[int, int | None], Backtest] = {}

    def fit(self, df: Any, X_df: Any = None, static_df: Any = None) -> "Forecaster":  # noqa: N803
        """Choose what is open, train, test, and train on with everything; return self.

        Args:
            df: A row per series and time: columns `unique_id, ds, y`, those named at construction,
                or others where nothing else can be meant, such as `shop, date, visitors`; a frame
                of pandas, polars, pyarrow or another library that narwhals reads. Rows may be in
                any order; gaps and empty values are left unobserved. Further columns are
                covariates, see `covariates`.
            X_df: What is known ahead: rows after those of `df`, without y. Columns that it fills
                are read ahead by the network.
            static_df: Features of the series: one row each.

        Raises:
            DataRefused: If a column is missing or a row breaks a rule.
            SeriesTooShort: If no series is long enough to train, validate and test.
        """
        self._reset()
        table, self._style = frames.read(df, self._config.dataset)
        table = frames.join(table, X_df, static_df, self._config.dataset, self._style.columns)
        panel, repairs = to_panel(table, self._config.dataset)
        for note in repairs.covariates:
            self._say(f"covariate {note}")
        chosen = choose(self._config, panel, report=lambda trial: self._say(f"tried {trial}"))
        for choice in chosen.choices:
            self._say(f"chosen {choice.field}={choice.value}: {choice.reason}")
        panel = replace(panel, season=chosen.experiment.dataset.season)
        outcome = recipe.fit(chosen.experiment, panel, chosen.split, report=self._say_progress)
        self._training = Training(self._config.model, panel, repairs, chosen, *outcome)
        self._bundle = outcome.bundle
        return self

    def predict(
        self,
        df: Any = None,
        X_df: Any = None,  # noqa: N803 - as Nixtla's libraries and scikit-learn call it
        static_df: Any = None,
        *,
        quantiles: Sequence[float] | None = None,
        sample_paths: int = 0,
    ) -> Any:
        """Return the `horizon` steps after the last observation of every series.

        Before `fit`, the pretrained network forecasts, without any training: in seconds, and for
        histories of any length.

        Args:
            df: Histories, as in `fit`; their series need not have been trained on. None: the
                training data.
            X_df: What is known ahead, as in `fit`. What is not given counts as unknown.
            static_df: Features of the series, as in `fit`.
            quantiles: Levels of the columns, between the lowest and highest calibrated one; others
                than these are interpolated. None: the calibrated levels.
            sample_paths: Simulated trajectories of each series, a column `sample1`, `sample2`, ...
                each, for intervals of sums and other functions of several steps.

        Returns:
            A frame of the kind of `df` or of the training data, a row per series and step:
            `unique_id, ds, y_hat, q10, q50, q90, cutoff`. `y_hat` is the median, `cutoff` the time
            of the last observation; all values are in the units of the data.

        Raises:
            NotFitted: If there are neither a fitted model nor histories.
            DataRefused: If a column is missing, a row breaks a rule, or a series has no observation
                that the network could read.
            ConfigError: If a quantile lies outside the calibrated ones, or there is no pretrained
                network for the season.
        """
        forecaster, panel, style = self._forecaster(df, X_df, static_df)
        table = ensemble.from_panel(
            forecaster,
            panel,
            version=self._version,
            quantiles=None if quantiles is None else tuple(quantiles),
            sample_paths=sample_paths,
        )
        return frames.write(table.drop(columns="model_version"), style)

    def cross_validation(
        self, df: Any = None, *, n_windows: int = 1, step_size: int | None = None
    ) -> Any:
        """Return forecasts of the newest windows by a network that has not been trained on them.

        The network is trained once, on what came before the first window, with the choices of this
        model: as Nixtla's `refit=False`. The choices were made with the training data, whose older
        windows served for validation; the test windows of `fit` did not.

        Args:
            df: Data, as in `fit`. None: the training data.
            n_windows: Windows of each series.
            step_size: Time steps from one cutoff to the next. None: the horizon.

        Returns:
            A frame of the kind of the data, a row per window and step:
            `unique_id, ds, cutoff, y, y_hat, q10, q50, q90`; `y` is NaN where nothing was observed.

        Raises:
            NotFitted: If there is no fitted model, or no data.
            SeriesTooShort: If too little is left to train and validate on before the windows.
        """
        panel, style = self._histories(df)
        key = (n_windows, step_size)
        tested = self._backtests.get(key) if df is None else None
        if tested is None:
            tested = recipe.cross_validate(
                self.resolved, panel, n_windows, step_size, report=self._say_progress
            )
        if df is None:
            self._backtests[key] = tested
        table = ensemble.table(
            panel, tested.windows, tested.quantiles, tested.levels, version=self._version
        )
        table.insert(1, "y", tested.actual.ravel())
        first = ["unique_id", "ds", "cutoff", "y", "y_hat"]
        rest = [name for name in table if name not in (*first, "model_version")]
        return frames.write(table[first + rest], style)

    def scores(self) -> pd.DataFrame:
        """Return mean errors of this model and of naive forecasts on the test windows of `fit`.

        Returns:
            A row per forecaster: `mase` (absolute error divided by that of the seasonal naive in
            the past), `smape` (percent), `mae` and `rmse` (units of the data), `crps` (weighted
            quantile loss) and `skill` (share of the other's MASE that this model avoids).

        Raises:
            NotFitted: If it was not trained here: a saved model keeps no test.
        """
        return score_table(self._trained("scores").backtest)

    def covariate_importance(self, repeats: int = 10) -> pd.DataFrame:
        """Return by how much the test error of `fit` grows without each covariate.

        Args:
            repeats: Times that each column is shuffled.

        Returns:
            A row per covariate and step ahead (0: all steps): `covariate`, `role`, `step`, `mase`,
            `mase_without`, and `low` to `high`, the latter's interval over repetitions. The row
            `all` is without any. The most important first.

        Raises:
            NotFitted: If it was not trained here: a saved model keeps no test.
        """
        trained = self._trained("test")
        chosen = trained.backtest.windows
        return covariate_importance.of_bundle(trained.bundle, trained.panel, chosen, repeats)

    @property
    def choices(self) -> pd.DataFrame:
        """What was chosen from the data, a row per config field: `field, value, reason`."""
        return pd.DataFrame(self._trained("choices").chosen.choices, dtype=object)

    @property
    def resolved(self) -> ResolvedExperiment:
        """The config with every choice made."""
        return self._fitted().experiment

    def report(self, path: str | Path) -> Path:
        """Write the report of the training as one HTML file, and return its path.

        It compares with ETS, Theta and ARIMA where `foreseq[statistical]` is installed, which may
        take half a minute.
        """
        path = Path(path)
        path.write_text(
            notebook.report(self._trained("report"), f"{self!r}.fit(df)"), encoding="utf-8"
        )
        return path

    def plot(self, unique_id: Any = None, df: Any = None) -> Figure:
        """Draw the newest past of one series and its forecast.

        Args:
            unique_id: Which series. None: the first.
            df: Histories, as in `predict`; before `fit` the pretrained network forecasts them.
                None: the training data.

        Raises:
            ConfigError: If there is no such series.
        """
        forecaster, panel, _ = self._forecaster(df)
        wanted = panel.ids[0] if unique_id is None else str(unique_id)
        rows = np.flatnonzero(panel.ids == wanted)
        if not rows.size:
            some = ", ".join(panel.ids[:10].tolist())
            raise ConfigError(f"there is no series {wanted!r}; there are {some}")
        window = Windows(rows, panel.lengths[rows])
        forecast = forecaster(panel, window)
        return pictures.future_figure(panel, int(rows[0]), forecast, forecaster.levels)

    def save(self, folder: str | Path) -> Path:
        """Save the fitted model as a bundle: config and weights, without the data; return its path.

        Args:
            folder: New, empty, or an older bundle, which is replaced.

        Raises:
            ConfigError: If the folder holds something else.
        """
        fitted, folder = self._fitted(), Path(folder)
        if folder.exists() and not _is_bundle(folder) and not _is_empty(folder):
            raise ConfigError(f"{folder}: holds other files than a bundle; name a new folder")
        return bundles.save(fitted, folder)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments of construction, as scikit-learn's estimators do."""
        del deep
        return dict(self._params)

    def set_params(self, **params: Any) -> "Forecaster":
        """Change arguments of construction; the model is then no longer fitted. Returns self."""
        self.__init__(**{**self._params, **params})  # type: ignore[misc]
        return self

    def __repr__(self) -> str:
        """Return the call that constructs it, defaults left out."""
        plain = Forecaster(1).get_params() | {"horizon": None}
        given = {k: v for k, v in self._params.items() if k not in plain or v != plain[k]}
        if self._params["experiment"]:
            given["experiment"] = self._config.model
        words = [f"{k}={v!r}" for k, v in given.items() if "." not in k]
        dotted = {k: v for k, v in given.items() if "." in k}
        return f"Forecaster({', '.join([*words, *([f'**{dotted}'] if dotted else [])])})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: verdict, scores, a forecast, and the choices folded."""
        if self._training is None:
            return f"<code>{repr(self).replace('<', '&lt;')}</code>"
        return notebook.summary(self._training, self.plot(), repr(self))

    def _build(self) -> ExperimentConfig:
        """Return the experiment of the arguments."""
        start = self._params["experiment"]
        fields = start.model_dump(mode="json", exclude_unset=True) if start else {"dataset": {}}
        fields = set_fields(fields, self._params["config"] or {})
        fields = set_fields(fields, self._overrides)
        defaults = {"id_col": "unique_id", "time_col": "ds", "target_col": "y"}
        given = {
            field: self._params[argument]
            for argument, field in FIELDS.items()
            if self._params[argument] not in (None, defaults.get(argument))
        }
        return build_experiment(set_fields(fields, given), origin="Forecaster")

    def _reset(self) -> None:
        self._training = self._bundle = self._style = None
        self._backtests = {}
        self.__dict__.pop("_ensemble", None)

    def _fitted(self) -> Bundle:
        if self._bundle is None:
            raise NotFitted("this Forecaster is not fitted; call fit(df) first")
        return self._bundle

    def _trained(self, wanted: str) -> Training:
        self._fitted()
        if self._training is None:
            raise NotFitted(f"a loaded Forecaster has no {wanted}: they stay with the training")
        return self._training

    @cached_property
    def _ensemble(self) -> ensemble.Ensemble:
        fitted = self._fitted()
        return ensemble.Ensemble(fitted.experiment, fitted.final)

    def _forecaster(
        self,
        df: Any,
        X_df: Any = None,  # noqa: N803
        static_df: Any = None,
    ) -> tuple[ensemble.Ensemble, Panel, frames.Style]:
        """Return what forecasts, and the histories: before `fit` the pretrained network."""
        if self._bundle is not None or df is None:
            panel, style = self._histories(df, X_df, static_df)
            return self._ensemble, panel, style
        frame, style = frames.read(df, self._config.dataset)
        panel, _ = to_panel(frame, self._config.dataset)
        pretrained, _ = zero_shot(self._config, panel)
        return ensemble.Ensemble(pretrained.experiment, pretrained.final), panel, style

    def _histories(
        self,
        df: Any,
        X_df: Any = None,  # noqa: N803
        static_df: Any = None,
    ) -> tuple[Panel, frames.Style]:
        """Return the panel of a frame, or that of the training, and the kind of frame."""
        dataset = self._fitted().experiment.dataset
        if df is not None:
            table, style = frames.read(df, dataset)
        elif self._training is None or self._style is None:
            raise NotFitted("a loaded Forecaster keeps no data; pass the histories as df")
        else:
            panel, style = self._training.panel, self._style
            if X_df is None and static_df is None:
                return panel, style
            table = to_frame(panel)
        table = frames.join(table, X_df, static_df, dataset, style.columns)
        return to_panel(table, dataset)[0], style

    def _say(self, line: str) -> None:
        if self._params["verbose"]:
            sys.stderr.write(f"{line}\n")

    def _say_progress(self, stage: str, progress: Any) -> None:
        self._say(f"{stage} {progress}")


def load(source: str | Path) -> Forecaster:
    """Return a fitted model: one that was saved, or one from the MLflow registry.

    Args:
        source: Folder of a bundle; or `NAME@champion`, `NAME@previous`, `NAME/3`, also with
            `models:/` before it, of the registry that `MLFLOW_TRACKING_URI` names, or else
            `mlruns/mlflow.db`.

    Raises:
        BundleRefused: If the bundle is damaged or not one of a forecaster.
        ConfigError: If there is no such folder, or nothing registered under that name.
    """
    name, version = str(source), None
    if not Path(source).is_dir() and (name.startswith(REGISTRY) or "@" in name):
        from foreseq.tracking import registry  # noqa: PLC0415 - MLflow takes seconds to import

        version = registry.resolve(name.removeprefix(REGISTRY))
        source = registry.fetch(version)
    elif not Path(source).is_dir():
        raise ConfigError(
            f"{source}: no such folder; write a registered model as NAME@champion or models:/NAME/3"
        )
    fitted = bundles.load(Path(source))
    model = Forecaster(experiment=ExperimentConfig.model_validate(fitted.experiment.model_dump()))
    model._bundle = fitted
    model._version = str(version or Path(source).name)
    return model


def _is_bundle(folder: Path) -> bool:
    return (folder / manifest.MANIFEST).is_file()


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
