"""The flow that lets the gate decide, and moves the aliases."""

from dataclasses import dataclass
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from foreseq import evaluation
from foreseq.errors import NotPublished
from foreseq.evaluation import Decision
from foreseq.forecasting import bundle
from foreseq.pipelines.flows.forecast import history_of
from foreseq.pipelines.runtime import console
from foreseq.series import panel
from foreseq.tracking import registry, runs
from foreseq.tracking.registry import Version


@dataclass(frozen=True)
class Published:
    """What the gate said about a run."""

    version: Version
    """Of the challenger."""
    decision: Decision
    skill: float
    """Of the challenger over the seasonal naive, on all test windows."""
    answers: Version
    """What forecasts now: the champion, or the challenger where no champion fits these data."""


@task(cache_policy=NO_CACHE)
def decide(run_id: str, folder: Path) -> Published:
    """Score challenger and champion on the same windows; publish the winner.

    Of those that decide at once one is first; the others compare again, with that one.
    """
    while True:
        try:
            return _decide(run_id, folder)
        except NotPublished as error:
            console.say(f"gate     {error}")


def _decide(run_id: str, folder: Path) -> Published:
    """Do so, against the champion of this moment.

    Raises:
        NotPublished: If another one became champion meanwhile.
    """
    series = panel.load(folder)
    run = runs.find(run_id)
    version = registry.register(run_id, run.model)
    champion = registry.champion(run.model)
    challenger = bundle.load(registry.fetch(version))
    if champion is not None and champion.digest == version.digest:
        decision, tested = evaluation.judge(challenger, None, series)
        decision = decision._replace(published=True, reason=f"is the champion already: {champion}")
        return Published(champion, decision, tested.skill(), answers=champion)
    rival = None if champion is None else bundle.load(registry.fetch(champion))
    decision, tested = evaluation.judge(challenger, rival, series)
    run.save_decision(decision, str(version))
    answers = version
    if decision.published:
        registry.promote(version, expected=champion)
    elif (
        champion
        and rival
        and evaluation.forecast_alike(rival, challenger)
        and not evaluation.is_ahead(rival, series)  # else it knows the answers
    ):
        answers = champion
    return Published(version, decision, tested.skill(), answers)


@flow
def publish(run_id: str, folder: Path | None = None) -> Published:
    """Publish a run's forecaster if it beats the seasonal naive and the champion.

    Args:
        run_id: Of the training.
        folder: The panel to judge on; None: what the forecaster's source holds now.
    """
    if folder is None:
        version = registry.register(run_id, runs.find(run_id).model)
        folder = history_of(version, None).folder
    published = decide(run_id, folder)
    decision = published.decision
    verdict = "published" if decision.published else "not published"
    create_markdown_artifact(
        key="gate",
        markdown=(
            f"**{published.version}: {verdict}**\n\n{decision.reason}\n\n"
            "| forecaster | error |\n|---|---|\n"
            f"| challenger | {decision.challenger:.4f} |\n"
            f"| seasonal naive | {decision.seasonal_naive:.4f} |\n"
            + (f"| champion | {decision.champion:.4f} |\n" if decision.champion else "")
            + f"\nThe challenger is better than each rival, {decision.confidence:.1%} sure, on"
            f" {decision.series} series, {decision.windows} windows, {decision.steps} observations."
        ),
        description="What the gate decided, and on which numbers",
    )
    console.say(f"gate     {published.version} {verdict}: {decision.reason}")
    return published
