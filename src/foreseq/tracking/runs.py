"""Runs: begun, written to, ended however the work ended."""

import json
import math
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# isort: split -- the store settles what MLflow reads from the environment when it is imported
from foreseq.ingest.table import Repairs
from foreseq.tracking import store

# isort: split
import pandas as pd
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from foreseq import evaluation, report
from foreseq.config import ResolvedExperiment
from foreseq.durable import files
from foreseq.evaluation import Backtest, Decision, Rivals
from foreseq.forecasting import bundle
from foreseq.selection.rules import Choice
from foreseq.selection.search import Candidate
from foreseq.series.panel import Panel
from foreseq.tracking import facts, measures, model
from foreseq.tracking.links import REPORT
from foreseq.tracking.measures import Measure
from foreseq.training.fitting import Progress

ROWS = 1000
"""Most rows of the table of series, and most metrics in one message, that MLflow takes well."""
WORK = "work"
"""Tag of a run: what stands for its data, config and code together."""


@dataclass(frozen=True)
class Run:
    """A run to write to, under way or done."""

    id: str
    name: str
    """For people, such as `gru-128x128 ctx336 seed1`."""
    model: str
    """The MLflow experiment, named as the model in the registry."""

    def report(self, stage: str, progress: Progress) -> None:
        """Log one look at the training; what `experiment.conduct` wants to be given.

        Args:
            stage: `fit`, or another whose name then stands before the metrics'.
            progress: The first member's curves are `training/loss` and `training/validation`,
                those of the others `training/member2/loss` and so on.
        """
        folder = "training/" if stage == "fit" else f"training/{stage}/"
        folder += f"member{progress.member + 1}/" if progress.member else ""
        look = progress.point
        self._log(
            [
                metric_of(f"{folder}{name}", value, look.step)
                for name, value in (("loss", look.loss), ("validation", look.validation))
            ]
        )

    def save_choices(self, choices: Sequence[Choice], repairs: Repairs | None = None) -> None:
        """Log what was chosen from the data (choices.json) and mended in it (repairs.json)."""
        self._save([choice._asdict() for choice in choices], "choices.json")
        if repairs is not None:
            self._save(asdict(repairs), "repairs.json")

    def save_candidates(self, candidates: Sequence[Candidate]) -> None:
        """Log the short trainings that the search made, as a table (candidates.json)."""
        if candidates:
            rows = [{**each._asdict(), "value": str(each.value)} for each in candidates]
            table = pd.DataFrame(rows).astype({"field": object, "value": object})
            store.open_store().log_table(self.id, table, "candidates.json")

    def save_backtest(self, result: Backtest, panel: Panel) -> None:
        """Log every forecaster's measures, those by steps ahead, and the table of the series.

        Ours are `test/mase` and so on, the others' `versus/seasonal_naive/mase`. Of many series the
        table holds some, evenly taken from the best to the worst.
        """
        self._log_of_model(measures.of_backtest(result))
        self._save_table(evaluation.per_series(result, panel), "per_series.json")

    def save_rivals(self, rivals: Rivals, panel: Panel) -> None:
        """Log what classical methods made of some test windows, and foreseq of the same ones.

        Theirs are `versus/ets/mase` and so on, ours on the same windows `versus/foreseq/mase`.
        """
        if rivals.tested is not None:
            self._log_of_model(measures.of_rivals(rivals))
            self._save_table(evaluation.per_series(rivals.tested, panel), "classics.json")

    def save_figure(self, figure: Figure, file: str) -> None:
        """Log a picture at the run's root: forecast.png, horizon.png, curves.png."""
        store.open_store().log_figure(self.id, figure, file)

    def save_report(self, page: str) -> None:
        """Log the page that tells how far the forecasts can be trusted, report.html."""
        store.open_store().log_text(self.id, page, REPORT)

    def save_bundle(self, folder: Path) -> None:
        """Log a saved bundle as a model that plain MLflow can load.

        Raises:
            BundleRefused: If it is not as it was written.
        """
        logged = model.log(self.id, folder)
        tags = {store.BUNDLE_TAG: bundle.digest(folder), store.MODEL_TAG: logged}
        store.open_store().log_batch(self.id, tags=tags_of(tags))

    def save_decision(self, decision: Decision, version: str) -> None:
        """Log what the gate said of a version; the run may be long done.

        Its page is decision.html, its numbers decision.json; the report tells it, too.
        """
        client = store.open_store()
        client.log_text(self.id, report.decision_page(version, decision), "decision.html")
        if REPORT in {file.path for file in client.list_artifacts(self.id)}:
            with TemporaryDirectory() as scratch:
                page = Path(client.download_artifacts(self.id, REPORT, scratch))
                told = report.with_decision(page.read_text(encoding="utf-8"), decision)
            self.save_report(told)
        self._save_decision(decision)

    def _save_decision(self, decision: Decision) -> None:
        told = {name: _known(value) for name, value in decision._asdict().items()}
        self._save(told, "decision.json")
        verdict = "published" if decision.published else "kept out"
        tags = {"gate": verdict, "gate.reason": decision.reason}
        store.open_store().log_batch(self.id, tags=tags_of(tags))

    def save_number(self, name: str, value: float) -> None:
        """Log one metric."""
        self._log([metric_of(name, value)])

    def tag(self, tags: dict[str, str]) -> None:
        """Set tags."""
        store.open_store().log_batch(self.id, tags=tags_of(tags))

    def save_text(self, text: str, file: str) -> None:
        """Log a text file at the run's root."""
        store.open_store().log_text(self.id, text, file)

    def _log_of_model(self, found: Sequence[Measure]) -> None:
        """Log metrics of the run and, once its bundle is saved, of the model in it."""
        model_id = store.get_run(self.id).data.tags.get(store.MODEL_TAG)
        self._log([metric_of(*each, model_id=model_id) for each in found])

    def _save_table(self, table: pd.DataFrame, file: str) -> None:
        shown = table.iloc[:: -(-len(table) // ROWS) or 1].reset_index(drop=True)
        shown = shown.astype({"unique_id": object})  # MLflow trips over the text type of pandas 3
        store.open_store().log_table(self.id, shown, file)

    def _log(self, metrics: Sequence[Metric]) -> None:
        """Log what is known: of NaN there is nothing to compare."""
        known = [metric for metric in metrics if not math.isnan(metric.value)]
        for first in range(0, len(known), ROWS):
            store.open_store().log_batch(self.id, metrics=known[first : first + ROWS])

    def _save(self, told: Any, file: str) -> None:
        text = json.dumps(told, indent=2, default=str)
        store.open_store().log_text(self.id, text + "\n", file)


@contextmanager
def run(
    experiment: ResolvedExperiment,
    panel: Panel,
    *,
    name: str = "",
    tags: dict[str, str] | None = None,
    work: str = "",
) -> Iterator[Run]:
    """Yield a run that ends as the block does: FINISHED, FAILED, or KILLED by Ctrl-C.

    Runs that a process of this machine left open when it died are closed first, as KILLED.

    Args:
        experiment: With every choice settled; becomes the parameters.
        panel: What is learned from; named by its fingerprint.
        name: For people; empty: what the experiment says of itself.
        tags: More of them.
        work: What `done` will find it by.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    close_the_dead()
    name = name or facts.run_name(experiment)
    created = client.create_run(
        _experiment_id(client, experiment.model),
        tags={**facts.tags(experiment), **({WORK: work} if work else {}), **(tags or {})},
        run_name=name,
    )
    begun = Run(created.info.run_id, name, experiment.model)
    try:
        client.log_batch(
            begun.id, params=[Param(*field) for field in facts.parameters(experiment).items()]
        )
        client.log_inputs(begun.id, [facts.dataset(experiment, panel)])
        yield begun
    except Exception as error:
        client.set_tag(begun.id, "error", f"{type(error).__name__}: {error}"[:500])
        client.set_terminated(begun.id, "FAILED")
        raise
    except BaseException:
        client.set_terminated(begun.id, "KILLED")
        raise
    client.set_terminated(begun.id, "FINISHED")


def done(model: str, work: str) -> str | None:
    """Return the newest run that finished this very work and has its forecaster; None: none has.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    place = client.get_experiment_by_name(model)
    if place is None:
        return None
    wanted = f"attributes.status = 'FINISHED' and tags.{WORK} = '{work}'"
    found = client.search_runs([place.experiment_id], wanted, order_by=["start_time DESC"])
    return next((run.info.run_id for run in found if store.BUNDLE_TAG in run.data.tags), None)


def find(run_id: str) -> Run:
    """Return a run of the store, to write more to it.

    Raises:
        ConfigError: If there is none of that id.
    """
    found = store.get_run(run_id)
    model = store.open_store().get_experiment(found.info.experiment_id).name
    return Run(run_id, found.info.run_name, model)


def trained_on(fingerprint: str) -> list[str]:
    """Return what was trained on the data of a fingerprint: model and name of each run.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    models = {each.experiment_id: each.name for each in client.search_experiments()}
    digest = fingerprint[: facts.LONGEST_DIGEST]
    known = client.search_runs(
        [*models],
        f"datasets.digest = '{digest}' and datasets.context = '{facts.TRAINING}'",
        order_by=["start_time"],
    )
    return [f"{models[run.info.experiment_id]} {run.info.run_name}" for run in known]


def codes(run_id: str, experiment: ResolvedExperiment) -> tuple[str, str]:
    """Return which code made a run, and which would make it now."""
    return facts.code(store.get_run(run_id).data.tags), facts.code(facts.tags(experiment))


def metric_of(name: str, value: float, step: int = 0, *, model_id: str | None = None) -> Metric:
    """Return a number as MLflow takes it, as of now."""
    return Metric(name, float(value), int(time.time() * 1000), step, model_id=model_id)


def _known(value: Any) -> Any:
    """Return None for NaN and infinity, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def tags_of(tags: dict[str, str]) -> list[RunTag]:
    """Return words as MLflow takes them."""
    return [RunTag(name, value) for name, value in tags.items()]


def _experiment_id(client: MlflowClient, model: str) -> str:
    """Return the id of a model's experiment, created or brought back if need be."""
    found = client.get_experiment_by_name(model)
    if found is None:
        try:
            return str(client.create_experiment(model, store.artifact_location(model)))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return _experiment_id(client, model)  # another process was faster
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def close_the_dead() -> None:
    """Close, as KILLED, the runs of this machine whose process is gone.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    everywhere = [experiment.experiment_id for experiment in client.search_experiments()]
    mine = f"attributes.status = 'RUNNING' and tags.host = '{socket.gethostname()}'"
    for left in client.search_runs(everywhere, mine):
        tags = left.data.tags
        if not _is_alive(int(tags.get("pid", 0)), tags.get("process", "")):
            client.set_terminated(left.info.run_id, "KILLED")


def _is_alive(pid: int, process: str) -> bool:
    if pid == os.getpid():
        return process == facts.PROCESS
    return files.is_alive(pid)
