"""The flow that publishes a version if the gate approves it."""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Generic, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE

from foreseq.errors import NotPublished
from foreseq.evaluation import gate
from foreseq.evaluation.decision import Decision
from foreseq.experiment.recipe import Outcome
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle
from foreseq.pipelines.flows.forecast import history_of
from foreseq.pipelines.runtime import artifacts, console
from foreseq.pipelines.runtime.flows import flow
from foreseq.series import panel as panels
from foreseq.tracking import forecaster, registry
from foreseq.tracking import run as runs
from foreseq.tracking.registry import ModelVersion

BundleT = TypeVar("BundleT")


@dataclass(frozen=True)
class Published(Generic[BundleT]):
    """The gate's decision on a run."""

    version: ModelVersion
    """Of the challenger."""
    decision: Decision
    serving: ModelVersion
    """To forecast with: the champion, or the challenger if no champion fits the data."""
    bundle: BundleT
    """Of the version that is serving."""
    skill: float = nan
    """Of the challenger over the seasonal naive, on all test windows."""


def contest(
    version: ModelVersion,
    challenger: BundleT,
    load: Callable[[Path], BundleT],
    judge: Callable[[BundleT | None], Decision],
    log: Callable[[Decision], None],
) -> tuple[Decision, ModelVersion | None, BundleT | None]:
    """Let the gate compare a challenger with the champion; promote the challenger if it wins.

    If another process replaces the champion meanwhile, the challenger is compared with the new one.

    Args:
        version: Of the challenger.
        challenger: Its bundle.
        load: Reads the champion's bundle.
        judge: Returns the decision against the bundle of a champion, or None if there is none.
        log: Logs the decision.

    Returns:
        The decision, and the champion before it with its bundle.
    """
    while True:
        champion = registry.champion(version.name)
        if champion is not None and champion.digest == version.digest:
            decision = judge(None)._replace(
                published=True, reason=f"is the champion already: {champion}"
            )
            return decision, champion, challenger
        other = None if champion is None else load(registry.fetch(champion))
        decision = judge(other)
        log(decision)
        if decision.published:
            try:
                registry.promote(version, expected=champion)
            except NotPublished as error:
                console.say(f"gate     {error}")
                continue
        return decision, champion, other


def report(version: ModelVersion, decision: Decision) -> None:
    """Print the decision, and keep a page on it as an artifact of the flow run."""
    console.say(f"gate     {version} {decision.verdict}: {decision.reason}")
    artifacts.training(version.run_id)


@task(name="publish", cache_policy=NO_CACHE)
def decide(run_id: str, folder: Path, outcome: Outcome | None = None) -> Published[Bundle]:
    """Score challenger and champion on the same windows; publish the winner.

    Args:
        run_id: Of the training.
        folder: The panel to judge on.
        outcome: Of the training, if it has just ended on this panel; else its bundle is loaded and
            backtested.
    """
    run = runs.find(run_id)
    version = registry.register(run_id, run.model)
    challenger = outcome.bundle if outcome else bundle.load(registry.fetch(version))
    panel = panels.load(folder, challenger.experiment.dataset.season)
    tested = outcome.backtest if outcome else None

    def judge(champion: Bundle | None) -> Decision:
        nonlocal tested
        decision, tested = gate.judge(challenger, champion, panel, tested)
        return decision

    def log(decision: Decision) -> None:
        forecaster.log_decision(run, decision, version)

    decision, champion, other = contest(version, challenger, bundle.load, judge, log)
    skill = tested.skill() if tested else nan
    if champion is not None and champion.digest == version.digest:
        return Published(champion, decision, champion, challenger, skill)
    if decision.published or champion is None or other is None:
        return Published(version, decision, version, challenger, skill)
    # a champion that was trained on later data knows the future of these
    if gate.forecast_alike(other, challenger) and not gate.is_ahead(other, panel):
        return Published(version, decision, champion, other, skill)
    return Published(version, decision, version, challenger, skill)


def publish_training(
    run_id: str, folder: Path, outcome: Outcome | None = None
) -> Published[Bundle]:
    """Let the gate decide on a training and report it; part of another flow."""
    published = decide(run_id, folder, outcome)
    report(published.version, published.decision)
    return published


@flow()
def publish(run_id: str, folder: Path | None = None) -> Published[Bundle]:
    """Publish a run's forecaster if it beats the baselines and the champion.

    Args:
        run_id: Of the training.
        folder: The panel to judge on; None: the present data of the forecaster's source.
    """
    if folder is None:
        version = registry.register(run_id, runs.find(run_id).model)
        folder = history_of(version, None).folder
    return publish_training(run_id, folder)
