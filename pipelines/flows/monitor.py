"""The flow that checks past forecasts, and retrains or recalibrates if asked to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from foreseq.config import ExperimentConfig, Retrain, history_dataset
from foreseq.errors import BundleRefused, ConfigError, DataRefused
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Seen
from foreseq.ingest.store import Ingested
from foreseq.monitoring import check as checks
from foreseq.monitoring import decisions
from foreseq.monitoring.check import Places
from foreseq.monitoring.decisions import Decided
from foreseq.monitoring.recalibration import recalibrate
from foreseq.pipelines.flows.forecast import history_of
from foreseq.pipelines.flows.publish import publish
from foreseq.pipelines.flows.train import train
from foreseq.pipelines.runtime import console, environment
from foreseq.pipelines.runtime.flows import flow
from foreseq.series import panel
from foreseq.tracking import check_runs, registry
from foreseq.tracking.check_runs import About
from foreseq.tracking.registry import ModelVersion


@dataclass(frozen=True)
class Monitored:
    """The decision of a check, and where its results are."""

    decided: Decided
    about: About
    run_id: str
    """Of the check, in MLflow."""
    page: Path
    measures: dict[str, float | None]
    """Live and expected."""


@task(cache_policy=NO_CACHE)
def check(version: ModelVersion, ingested: Ingested, places: Places) -> Monitored:
    """Check the past forecasts of a version; write page, scores, decision and an MLflow run."""
    champion = bundle.load(registry.fetch(version))
    newest = panel.load(ingested.folder, champion.experiment.dataset.season)
    checked = checks.check(str(version), champion, newest, places, seen_by)
    console.say(f"monitor  {checked}")
    dataset, evidence = champion.experiment.dataset, checked.decided.evidence
    about = About(version.name, dataset, ingested.fingerprint, evidence)
    run_id = check_runs.track(about, checked.assessment, checked.pictures, checked.page)
    return Monitored(checked.decided, about, run_id, checked.page, checked.assessment.measures())


@task(cache_policy=NO_CACHE)
def remember(monitored: Monitored, decided: Decided) -> None:
    """Write what was done about a check next to its page, and into its MLflow run."""
    checks.remember(monitored.page.parent, decided)
    check_runs.conclude(monitored.run_id, decided, monitored.page)


@task(cache_policy=NO_CACHE)
def refit_intervals(version: ModelVersion, folder: Path, about: About, until: str) -> str | None:
    """Return the run of a forecaster with new intervals; None if they are not better."""
    try:
        fitted = bundle.load(registry.fetch(version))
        made = recalibrate(fitted, panel.load(folder, fitted.experiment.dataset.season))
    except DataRefused as error:
        console.say(f"not recalibrated: {error}")
        return None
    console.say(f"recalibrated: {made}")
    return check_runs.save_recalibrated(about, str(version), until, made)


@flow()
def monitor(
    model: str,
    history: Mapping[str, Any] | None = None,
    forecasts: Path | None = None,
    retrain: Retrain = "never",
) -> Monitored:
    """Check the past forecasts of a model against actuals; recalibrate or retrain on evidence.

    Args:
        model: `NAME@champion`, `NAME/3` or `NAME`.
        history: Fields of the dataset that differ from the model's, such as `source`; None: none.
        forecasts: Folder of folders of forecasts, where results are written as well; None: all
            forecasts under the data folder, with the results in `forecasts/NAME`.
        retrain: `auto` carries out what the evidence calls for, once; `never` only reports it.
    """
    version = registry.resolve(model)
    places = checks.places(environment.data() / "forecasts", version.name, forecasts)
    unfinished = decisions.unfinished(places.results)
    if unfinished and retrain == "auto" and version == registry.champion(version.name):
        version = registry.resolve(unfinished)  # whose successor may be champion by now
    ingested = history_of(version, history)
    monitored = check(version, ingested, places)
    decided = monitored.decided
    console.say(f"decision {decided.action} {version}: {decided.reason}")
    if decided.acted:
        remember(monitored, decided)  # a killed process may not have logged it to MLflow
        console.say(f"done     before, on the same evidence: {decided.outcome}")
    elif retrain == "auto" and decided.action != "keep":
        remember(monitored, decided.model_copy(update={"outcome": decisions.STARTED}))
        act = retrained if decided.action == "retrain" else recalibrated
        published, outcome = act(version, ingested, monitored, history)
        result = {"acted": True, "published": published, "outcome": outcome}
        decided = decided.model_copy(update=result)
        remember(monitored, decided)
        console.say(f"done     {outcome}")
    create_markdown_artifact(
        key="monitor",
        markdown=f"**{version}: {decided.action}**\n\n{decided.reason}\n\n{decided.outcome}",
        description="Decision on a forecaster from its past forecasts, and what was done about it",
    )
    console.say(f"page     {monitored.page}")
    return replace(monitored, decided=decided)


def retrained(
    version: ModelVersion,
    ingested: Ingested,
    _monitored: Monitored,
    history: Mapping[str, Any] | None,
) -> tuple[bool, str]:
    """Train the same experiment on the newest data; the gate decides whether to publish it."""
    published = publish(train(as_before(version, history), ingested).run_id, ingested.folder)
    if published.decision.published:
        return True, f"{published.version} is champion: trained on the newest data"
    return False, f"{published.version} was rejected: {published.decision.reason}"


def recalibrated(
    version: ModelVersion,
    ingested: Ingested,
    monitored: Monitored,
    _history: Mapping[str, Any] | None,
) -> tuple[bool, str]:
    """Fit the intervals again, and publish them if they are better on newer actuals."""
    until = monitored.decided.until
    run_id = refit_intervals(version, ingested.folder, monitored.about, until)
    if run_id is None:
        return False, f"{version} keeps its intervals: new ones are not shown to be better"
    fresh = registry.register(run_id, version.name)
    registry.promote(fresh, expected=version)
    return True, f"{fresh} is champion: {version} with intervals fitted on the newest data"


def as_before(version: ModelVersion, history: Mapping[str, Any] | None) -> ExperimentConfig:
    """Return the experiment of a version, on data from another source if one is given."""
    experiment = bundle.load(registry.fetch(version)).experiment
    own = {name: getattr(experiment.dataset, name) for name in ("name", "update", "as_of")}
    dataset = history_dataset(experiment.dataset, {**(history or {}), **own})
    return experiment.model_copy(update={"name": version.name, "dataset": dataset})


def seen_by(name: str) -> Seen | None:
    """Return what a version was trained on; None if it is not registered any more."""
    try:
        return bundle.load(registry.fetch(registry.resolve(name))).final.seen
    except (ConfigError, BundleRefused):
        return None
