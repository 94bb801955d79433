"""The flow that judges past forecasts, and acts on what it finds where it is asked to."""

from dataclasses import dataclass, replace
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from foreseq import monitoring
from foreseq.config import DatasetConfig, ExperimentConfig, Retrain
from foreseq.errors import BundleRefused, ConfigError, DataRefused
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Seen
from foreseq.ingest.store import Ingested
from foreseq.monitoring import Decided, Places, decision_log
from foreseq.monitoring.recalibration import recalibrate
from foreseq.pipelines.flows.forecast import history_of
from foreseq.pipelines.flows.publish import publish
from foreseq.pipelines.flows.train import train
from foreseq.pipelines.runtime import console, environment
from foreseq.series import panel
from foreseq.tracking import check_runs, registry
from foreseq.tracking.check_runs import About
from foreseq.tracking.registry import ModelVersion


@dataclass(frozen=True)
class Looked:
    """What a look at past forecasts found."""

    decided: Decided
    about: About
    run_id: str
    """Of the look, in MLflow."""
    page: Path
    measures: dict[str, float | None]
    """Live and promised."""


@task(cache_policy=NO_CACHE)
def look(version: ModelVersion, ingested: Ingested, places: Places) -> Looked:
    """Judge what has come of the forecasts; write the ledger, the page and an MLflow run."""
    champion, series = bundle.load(registry.fetch(version)), panel.load(ingested.folder)
    seen = monitoring.look(str(version), champion, series, places, seen_by)
    found, judged = seen.arrivals, seen.judged
    console.say(
        f"ledger   {found.folders} folders of forecasts, {int(found.sums['count'].sum()):,} actuals"
        f" have arrived; {found.repeated:,} forecasts of a series came twice, {found.unfair:,} were"
        f" of steps trained on, {len(found.damaged)} folders are not whole"
    )
    dataset = champion.experiment.dataset
    about = About(version.name, dataset, ingested.fingerprint, seen.decided.evidence)
    run_id = check_runs.track(about, judged, seen.pictures, seen.page)
    return Looked(seen.decided, about, run_id, seen.page, judged.measures())


@task(cache_policy=NO_CACHE)
def write_down(looked: Looked, decided: Decided) -> None:
    """Write what was done about a look into the ledger and into its MLflow run."""
    monitoring.remember(looked.page.parent, decided)
    check_runs.conclude(looked.run_id, decided, looked.page)


@task(cache_policy=NO_CACHE)
def refit_intervals(version: ModelVersion, folder: Path, about: About, until: str) -> str | None:
    """Return the run of a forecaster with intervals fitted anew; None: they are no better."""
    try:
        made = recalibrate(bundle.load(registry.fetch(version)), panel.load(folder))
    except DataRefused as error:
        console.say(f"refitted nothing: {error}")
        return None
    console.say(f"refitted {made}")
    return check_runs.save_recalibrated(about, str(version), until, made) if made.better else None


@flow
def monitor(
    model: str,
    history: DatasetConfig | None = None,
    forecasts: Path | None = None,
    retrain: Retrain = "never",
) -> Looked:
    """Judge the past forecasts of a model by what came; recalibrate or retrain on evidence.

    Args:
        model: `NAME@champion`, `NAME/3` or `NAME`.
        history: Where the actuals are; None: where the model's own data came from.
        forecasts: Folder of folders of forecasts, which keeps the ledger; None: all forecasts
            under the data folder, with the ledger in `forecasts/NAME`.
        retrain: `auto` carries out what the evidence asks for, once; `never` only says it.
    """
    version = registry.resolve(model)
    everywhere = environment.data() / "forecasts"
    ours = (forecasts or everywhere / version.name) / monitoring.LEDGER
    places = Places(forecasts or everywhere, ours)
    begun = decision_log.begun(places.ledger)
    if begun and retrain == "auto" and version == registry.champion(version.name):
        version = registry.resolve(begun)  # whose successor may be champion by now
    ingested = history_of(version, history)
    looked = look(version, ingested, places)
    decided = looked.decided
    console.say(f"decision {decided.action} {version}: {decided.reason}")
    if decided.acted:
        write_down(looked, decided)  # MLflow may not have heard of it yet
        console.say(f"done     before, on the same evidence: {decided.outcome}")
    elif retrain == "auto" and decided.action != "keep":
        write_down(looked, decided.model_copy(update={"outcome": decision_log.BEGUN}))
        acting = retrained if decided.action == "retrain" else recalibrated
        published, outcome = acting(version, ingested, looked, history)
        told = {"acted": True, "published": published, "outcome": outcome}
        decided = decided.model_copy(update=told)
        write_down(looked, decided)
        console.say(f"done     {outcome}")
    create_markdown_artifact(
        key="monitor",
        markdown=f"**{version}: {decided.action}**\n\n{decided.reason}\n\n{decided.outcome}",
        description="What past forecasts say of a forecaster, and what was done about it",
    )
    console.say(f"page     {looked.page}")
    return replace(looked, decided=decided)


def retrained(
    version: ModelVersion, ingested: Ingested, _looked: Looked, history: DatasetConfig | None
) -> tuple[bool, str]:
    """Train the same experiment on the newest data, and let the gate decide."""
    published = publish(train(as_before(version, history), ingested).run_id, ingested.folder)
    if published.decision.published:
        return True, f"{published.version} is champion: trained on what has arrived"
    return False, f"{published.version} was rejected: {published.decision.reason}"


def recalibrated(
    version: ModelVersion, ingested: Ingested, looked: Looked, _history: DatasetConfig | None
) -> tuple[bool, str]:
    """Fit the intervals anew, and publish them if they are better on newer actuals."""
    run_id = refit_intervals(version, ingested.folder, looked.about, looked.decided.until)
    if run_id is None:
        return False, f"the intervals of {version} stay: newer ones are not shown to be better"
    fresh = registry.register(run_id, version.name)
    registry.promote(fresh, expected=version)
    return True, f"{fresh} is champion: {version} with intervals fitted on what has arrived"


def as_before(version: ModelVersion, history: DatasetConfig | None) -> ExperimentConfig:
    """Return the experiment of a version, on data that may lie elsewhere."""
    told = bundle.load(registry.fetch(version)).experiment
    source = told.dataset.source if history is None else history.source
    dataset = told.dataset.model_copy(update={"source": source})
    return told.model_copy(update={"name": version.name, "dataset": dataset})


def seen_by(name: str) -> Seen | None:
    """Return what a version was trained on; None if it is not registered any more."""
    try:
        return bundle.load(registry.fetch(registry.resolve(name))).final.seen
    except (ConfigError, BundleRefused):
        return None
