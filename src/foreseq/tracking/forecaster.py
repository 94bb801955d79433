"""Runs that train a forecaster: what they are named, and what is logged of them.

Every run has the same metrics and the same files at its root, so that MLflow's compare views line
them up. MLflow groups charts by what precedes a name's last slash, in alphabetical order: ours
(`test/`) come first, then the curves of `training/`, then the others' (`versus/NAME/`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType

from foreseq.config import ResolvedExperiment
from foreseq.config.dataset import without_secrets
from foreseq.evaluation.backtest import FORESEQ, Backtest, Interval, per_series
from foreseq.evaluation.comparison import Comparison
from foreseq.evaluation.decision import Decision
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle
from foreseq.ingest.repairs import Repairs
from foreseq.report.page import decision_page, with_decision
from foreseq.selection.rules import Choice
from foreseq.selection.search import Candidate
from foreseq.series import calendar
from foreseq.series.panel import Panel
from foreseq.tracking import run as runs
from foreseq.tracking import store
from foreseq.tracking.model import Wrapping
from foreseq.tracking.run import CACHE_KEY, Measure, Run, Start
from foreseq.tracking.store import REPORT
from foreseq.training.fitting import Progress

LONGEST_PARAMETER = 500
"""Letters of a parameter: beyond, it is no help in comparing runs."""
NOT_PARAMETERS = (
    "name",
    "gate",
    "statistical_baselines",
    "monitor",
    "dataset.name",
    "dataset.layout",
    "dataset.columns",
    "dataset.covariates",
    "dataset.csv",
    "dataset.update",
    "training.jit",
    "training.workers",
)
"""Fields that are never parameters: they name the run, or cannot change what it learns, beyond the
last digits."""
ALWAYS_PARAMETERS = (
    "network.cells.kind",
    "network.cells.units",
    "network.decoder",
    "training.learning_rate",
    "training.seed",
)
"""Fields that are parameters of every run, default or not."""
POINT = ("mae", "rmse", "smape", "mase")
INTERVAL = ("coverage", "width", "score")
SHARED = f"versus/{FORESEQ}"
NAME, CODE = "forecaster", Path(__file__).with_name("pyfunc.py")

_ANY: AnyType = AnyType()  # type: ignore[no-untyped-call]


@contextmanager
def begin(
    experiment: ResolvedExperiment,
    panel: Panel,
    *,
    name: str = "",
    tags: dict[str, str] | None = None,
    cache_key: str = "",
) -> Iterator[Run]:
    """Yield the run of a training, see `run.begin`.

    Args:
        experiment: Becomes the parameters.
        panel: The data, named by their fingerprint.
        name: For people; empty: `run_name`.
        tags: More of them.
        cache_key: What `run.finished` will find it by.

    Raises:
        ConfigError: If the store cannot be used.
    """
    dataset = experiment.dataset
    profile = {"series": panel.n_series, "steps": len(panel.values), "freq": panel.freq}
    start = Start(
        model=experiment.model,
        name=name or run_name(experiment),
        parameters=parameters(experiment),
        dataset=runs.dataset(
            dataset.name, dataset.source, panel.fingerprint(), runs.TRAINING, profile
        ),
        tags={
            "data": dataset.name,
            "cells": experiment.network.cells.kind,
            "horizon": str(dataset.horizon),
            **({CACHE_KEY: cache_key} if cache_key else {}),
            **(tags or {}),
        },
    )
    with runs.begin(start) as run:
        yield run


def run_name(experiment: ResolvedExperiment) -> str:
    """Return the name of a run, such as `gru-128x128 ctx336 seed1 x5` for five members."""
    cells, members = experiment.network.cells, experiment.training.members
    width = "x".join(map(str, cells.units))
    parts = [f"{cells.kind}-{width}", f"ctx{experiment.network.context}"]
    parts += [f"seed{experiment.training.seed}", *([f"x{members}"] if members > 1 else [])]
    return " ".join(parts)


def parameters(experiment: ResolvedExperiment) -> dict[str, str]:
    """Return what runs are compared by, dotted as in the config.

    These are `ALWAYS_PARAMETERS` and whatever is not the default; every choice is in the model's
    `config.json`.
    """
    fields = runs.flat(experiment.model_dump(mode="json"))
    fields["dataset.source"] = without_secrets(experiment.dataset.source)
    names = [column.name for column in experiment.network.covariates]
    fields["network.covariates"] = ", ".join(names)[:LONGEST_PARAMETER]
    changed = runs.flat(experiment.model_dump(mode="json", exclude_defaults=True))
    chosen = {
        name: value
        for name, value in fields.items()
        if name in changed or name in ALWAYS_PARAMETERS
    }
    return runs.without(chosen, NOT_PARAMETERS)


def log_progress(run: Run, stage: str, progress: Progress) -> None:
    """Log one validation of a training.

    Args:
        run: The run of the training.
        stage: `fit`, or another, whose name then stands before the metrics'.
        progress: The first member's curves are `training/loss` and `training/validation`, those of
            the others `training/member2/loss` and so on.
    """
    folder = "training/" if stage == "fit" else f"training/{stage}/"
    folder += f"member{progress.member + 1}/" if progress.member else ""
    step, loss, validation = progress.point
    run.log_metrics(
        [
            Measure(f"{folder}loss", loss, step),
            Measure(f"{folder}validation", validation, step),
        ]
    )


def log_choices(
    run: Run,
    choices: Sequence[Choice],
    repairs: Repairs | None = None,
    candidates: Sequence[Candidate] = (),
) -> None:
    """Log choices (choices.json), repairs (repairs.json) and short trainings (candidates.json)."""
    run.log_json([choice._asdict() for choice in choices], "choices.json")
    if repairs is not None:
        run.log_json(asdict(repairs), "repairs.json")
    if candidates:
        rows = [{**one._asdict(), "value": str(one.value)} for one in candidates]
        run.log_table(pd.DataFrame(rows), "candidates.json")


def log_backtest(run: Run, backtest: Backtest, panel: Panel) -> None:
    """Log every forecaster's measures, those by steps ahead, and the table of series.

    Ours are `test/mase` and so on, the others' `versus/seasonal_naive/mase`.
    """
    run.log_metrics(measures(backtest), of_model=True)
    run.log_table(per_series(backtest, panel), "per_series.json")


def log_comparison(run: Run, comparison: Comparison, panel: Panel) -> None:
    """Log the statistical baselines on some test windows, and foreseq on the same ones.

    Theirs are `versus/ets/mase` and so on, ours on the same windows `versus/foreseq/mase`.
    """
    if comparison.backtest is not None:
        run.log_metrics(comparison_measures(comparison), of_model=True)
        run.log_table(per_series(comparison.backtest, panel), "statistical_baselines.json")


def log_bundle(run: Run, fitted: Bundle) -> None:
    """Log a forecaster as a model that plain MLflow can load."""
    with TemporaryDirectory() as scratch:
        folder = bundle.save(fitted, Path(scratch) / "bundle")
        run.log_bundle(folder, Wrapping(NAME, CODE, _signature(fitted)))


def log_decision(run: Run, decision: Decision, version: str) -> None:
    """Log the gate's decision on a version: decision.json, decision.html, and in the report."""
    client = store.open_store()
    run.log_text(decision_page(version, decision), "decision.html")
    if REPORT in {file.path for file in client.list_artifacts(run.id)}:
        with TemporaryDirectory() as scratch:
            page = Path(client.download_artifacts(run.id, REPORT, scratch))
            text = with_decision(page.read_text(encoding="utf-8"), decision)
        run.log_text(text, REPORT)
    run.log_decision(decision)


def measures(backtest: Backtest) -> list[Measure]:
    """Return the measures on all test windows: ours in `test/`, the others' in `versus/`."""
    return [
        *_points(backtest, "test"),
        *(
            Measure(f"{_folder(name, 'test')}/mase_by_horizon", value, step)
            for name, errors in backtest.by_horizon().items()
            for step, value in enumerate(errors.mase.tolist(), start=1)
        ),
        *_intervals(backtest.intervals(), "test"),
        *_skills(backtest),
        Measure("test/crps", backtest.crps()),
        Measure("test/skill", backtest.skill()),
    ]


def comparison_measures(comparison: Comparison) -> list[Measure]:
    """Return the statistical baselines' measures, ours on the same windows as `versus/foreseq/`."""
    tested = comparison.backtest
    if tested is None:
        return []
    methods = tested._replace(
        forecasts={
            name: forecast
            for name, forecast in tested.forecasts.items()
            if name == FORESEQ or name in comparison.quantiles
        }
    )
    return [
        *_points(methods, SHARED),
        *(
            measure
            for name, intervals in comparison.intervals().items()
            for measure in _intervals(intervals, _folder(name, SHARED))
        ),
        *_skills(methods),
        *(Measure(f"versus/{name}/failures", n) for name, n in comparison.failures.items()),
        Measure("versus/windows", tested.windows.count),
    ]


def _points(backtest: Backtest, ours: str) -> list[Measure]:
    return [
        Measure(f"{_folder(name, ours)}/{measure}", getattr(scores, measure))
        for name, scores in backtest.scores().items()
        for measure in POINT
    ]


def _intervals(intervals: list[Interval], folder: str) -> list[Measure]:
    return [
        Measure(f"{folder}/{measure}_{100 * interval.level:g}", getattr(interval, measure))
        for interval in intervals
        for measure in INTERVAL
    ]


def _skills(backtest: Backtest) -> list[Measure]:
    others = [name for name in backtest.forecasts if name != FORESEQ]
    skills = [Measure(f"test/skill_over_{name}", backtest.skill(over=name)) for name in others]
    return skills + [Measure(f"test/wins_over_{name}", backtest.win_rate(name)) for name in others]


def _folder(forecaster: str, ours: str) -> str:
    return ours if forecaster == FORESEQ else f"versus/{forecaster}"


def _signature(fitted: Bundle) -> ModelSignature:
    """Return the columns in and out.

    What comes in may be of any type, as our own reading of it is stricter and says more: MLflow
    refuses integers for a double, text for a time, and categories for text.
    """
    is_integer = calendar.is_integer(str(fitted.experiment.dataset.freq))
    time = DataType.long if is_integer else DataType.datetime
    levels = (f"q{100 * level:g}" for level in fitted.levels)
    future = [
        ColSpec(DataType.string, "unique_id"),
        ColSpec(time, "ds"),
        *(ColSpec(DataType.double, name) for name in ("y_hat", *levels)),
        ColSpec(time, "cutoff"),
        ColSpec(DataType.string, "model_version"),
    ]
    past = [ColSpec(_ANY, name) for name in ("unique_id", "ds", "y")]
    reads = fitted.experiment.network.covariates  # rows after the last y hold what is known ahead
    past += [ColSpec(_ANY, column.name, required=False) for column in reads]
    return ModelSignature(inputs=Schema([*past]), outputs=Schema([*future]))
