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
from foreseq.evaluation.backtest import FORESEQ, Backtest, per_series
from foreseq.evaluation.comparison import Comparison
from foreseq.evaluation.decision import Decision
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle
from foreseq.ingest.repairs import Repairs
from foreseq.report import pictures
from foreseq.report.findings import Findings
from foreseq.report.html import number
from foreseq.report.leaderboard import Leaderboard
from foreseq.report.page import decision_page, report_page, summarize, with_decision
from foreseq.selection.rules import Choice
from foreseq.selection.search import Candidate
from foreseq.series import calendar
from foreseq.series.panel import Panel, select, to_frame
from foreseq.tracking import registry, store
from foreseq.tracking import run as runs
from foreseq.tracking.model import Wrapping
from foreseq.tracking.registry import ModelVersion
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
FIRST = ("test/mase", "test/skill", "test/crps")
"""Metrics by which a newcomer sees how good a run is."""
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
        columns=FIRST,
    )
    with runs.begin(start) as run:
        yield run


def run_name(experiment: ResolvedExperiment) -> str:
    """Return the name of a run, such as `airline gru-128x128 x5` for five members."""
    cells, members = experiment.network.cells, experiment.training.members
    width = "x".join(map(str, cells.units))
    many = f" x{members}" if members > 1 else ""
    return f"{experiment.model} {cells.kind}-{width}{many}"


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
    """Log our measures, everyone's error by steps ahead, and the table of series.

    Ours are `test/mase` and so on, the others' `versus/seasonal_naive/mase`. The result becomes
    part of the run's name.
    """
    run.log_metrics(measures(backtest), of_model=True)
    run.log_table(per_series(backtest, panel), "per_series.json")
    run.rename(f"{run.name} {backtest.measure} {number(backtest.error(FORESEQ))}")


def log_comparison(run: Run, comparison: Comparison, panel: Panel) -> None:
    """Log the statistical baselines on some test windows, and foreseq on the same ones.

    Their errors are `versus/ets/mase` and so on, ours on the same windows `versus/foreseq/mase`.
    """
    if comparison.backtest is not None:
        run.log_metrics(comparison_measures(comparison), of_model=True)
        run.log_table(per_series(comparison.backtest, panel), "statistical_baselines.json")


def log_findings(run: Run, findings: Findings, board: Leaderboard) -> None:
    """Log what people read first: the leaderboard, the pictures, the report and a note."""
    run.log_table(board.table(), "leaderboard.json")
    if len(findings.importance):
        run.log_table(findings.importance, "covariate_importance.json")
    figures = pictures.draw(findings)
    for file, figure in figures.items():
        run.log_figure(figure, file)
    run.log_text(report_page(findings, figures), REPORT)
    run.log_note(note(findings, board))


def note(findings: Findings, board: Leaderboard) -> str:
    """Return the description of a run in Markdown: how good it is, and what it reads."""
    panel, backtest = findings.panel, findings.backtest
    steps = backtest.actual.shape[1]
    return (
        f"{summarize(backtest, findings.comparison)}\n\n{board.markdown()}\n<br>\n\n"
        f"Trained on {panel.n_series:,} series of frequency {panel.freq}. Reads rows"
        f" `unique_id, ds, y`; returns the next {steps} steps of each series."
    )


def log_bundle(run: Run, fitted: Bundle, panel: Panel | None = None) -> None:
    """Log a forecaster as a model that plain MLflow can load and serve.

    Args:
        run: The run.
        fitted: The forecaster.
        panel: Its data, of which an example is kept beside it; None: none is.
    """
    example = None if panel is None else _example(fitted.experiment, panel)
    with TemporaryDirectory() as scratch:
        folder = bundle.save(fitted, Path(scratch) / "bundle")
        integers = panel is not None and panel.id_type
        ids = DataType.long if integers else DataType.string
        run.log_bundle(folder, Wrapping(NAME, CODE, _signature(fitted, ids), example))


def log_decision(run: Run, decision: Decision, version: ModelVersion) -> None:
    """Log the gate's decision on a version, in files, the report and the descriptions."""
    client = store.open_store()
    run.log_text(decision_page(str(version), decision), "decision.html")
    if REPORT in {file.path for file in client.list_artifacts(run.id)}:
        with TemporaryDirectory() as scratch:
            page = Path(client.download_artifacts(run.id, REPORT, scratch))
            text = with_decision(page.read_text(encoding="utf-8"), decision)
        run.log_text(text, REPORT)
    run.log_decision(decision)
    registry.describe(version)


def measures(backtest: Backtest) -> list[Measure]:
    """Return the measures on all test windows: ours in `test/`, the others' in `versus/`."""
    ours = backtest.scores()[FORESEQ]._asdict()
    return [
        Measure("test/mase", ours["mase"]),
        Measure("test/skill", backtest.skill()),
        Measure("test/crps", backtest.crps()),
        *(Measure(f"test/{name}", ours[name]) for name in ("mae", "rmse", "smape")),
        *(
            Measure(f"test/{name}_{100 * interval.level:g}", getattr(interval, name))
            for interval in backtest.intervals()
            for name in ("coverage", "width")
        ),
        *_against(backtest, [name for name in backtest.forecasts if name != FORESEQ]),
        *(
            Measure(f"{_folder(name)}/mase_by_horizon", value, step)
            for name, errors in backtest.by_horizon().items()
            for step, value in enumerate(errors.mase.tolist(), start=1)
        ),
    ]


def comparison_measures(comparison: Comparison) -> list[Measure]:
    """Return the statistical baselines' errors, ours on the same windows as `versus/foreseq/`."""
    tested = comparison.backtest
    if tested is None:
        return []
    return [
        *_against(tested, comparison.names),
        Measure(f"versus/{FORESEQ}/{tested.measure.lower()}", tested.error(FORESEQ)),
        Measure("versus/windows", tested.windows.count),
    ]


def _against(backtest: Backtest, others: Sequence[str]) -> list[Measure]:
    """Return the errors of other forecasters, and our skill over each."""
    measure = backtest.measure.lower()
    errors = [Measure(f"versus/{name}/{measure}", backtest.error(name)) for name in others]
    skills = [Measure(f"test/skill_over_{name}", backtest.skill(over=name)) for name in others]
    return [*skills, *errors]


def _folder(forecaster: str) -> str:
    return "test" if forecaster == FORESEQ else f"versus/{forecaster}"


def _example(experiment: ResolvedExperiment, panel: Panel) -> pd.DataFrame:
    """Return rows of the first series, as many as the network reads; of all if it reads all.

    Times are texts, as in the JSON that a server takes.
    """
    some = select(panel, range(panel.n_series if experiment.network.multivariate else 1))
    table = to_frame(some)
    lengths = dict(zip(some.ids.tolist(), some.lengths.tolist(), strict=True))
    ahead = table.groupby("unique_id", sort=False).cumcount() - table["unique_id"].map(lengths)
    newest = table.loc[ahead >= -experiment.network.context].reset_index(drop=True)
    return newest if calendar.is_integer(panel.freq) else newest.assign(ds=newest["ds"].astype(str))


def _signature(fitted: Bundle, ids: DataType) -> ModelSignature:
    """Return the columns in and out.

    What comes in may be of any type, as our own reading of it is stricter and says more: MLflow
    refuses integers for a double, text for a time, and categories for text.
    """
    is_integer = calendar.is_integer(str(fitted.experiment.dataset.freq))
    time = DataType.long if is_integer else DataType.datetime
    levels = (f"q{100 * level:g}" for level in fitted.levels)
    future = [
        ColSpec(ids, "unique_id"),
        ColSpec(time, "ds"),
        *(ColSpec(DataType.double, name) for name in ("y_hat", *levels)),
        ColSpec(time, "cutoff"),
        ColSpec(DataType.string, "model_version"),
    ]
    past = [ColSpec(_ANY, name) for name in ("unique_id", "ds", "y")]
    reads = fitted.experiment.network.covariates  # rows after the last y hold what is known ahead
    past += [ColSpec(_ANY, column.name, required=False) for column in reads]
    return ModelSignature(inputs=Schema([*past]), outputs=Schema([*future]))
