"""The flow that makes the pretrained networks of the package, from synthetic series alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from foreseq.durable import resume
from foreseq.pipelines.runtime import console, environment
from foreseq.pipelines.runtime.flows import flow
from foreseq.tracking import pretraining as tracking
from foreseq.training import pretrained, pretraining
from foreseq.training.loop import CurvePoint
from foreseq.training.pretraining import Recipe


@dataclass(frozen=True)
class Pretrained:
    """A network as it was written."""

    run_id: str
    folder: Path
    validation: float
    """Quantile loss on synthetic series not trained on, in units of MASE."""


@task(cache_policy=NO_CACHE)
def learn(recipe: Recipe, output: Path) -> Pretrained:
    """Train one network from where an earlier process stopped, and write it."""
    name = recipe.family.name
    key = resume.cache_key(pretraining.experiment(recipe), f"without {recipe.without}")
    with (
        resume.claim(environment.data() / "unfinished", key) as folder,
        tracking.begin(recipe) as run,
    ):

        def report(point: CurvePoint) -> None:
            console.say(
                f"pretrain {name}: step {point.step} of {recipe.steps}, loss {point.loss:.4f},"
                f" validation {point.validation:.4f}"
            )
            tracking.log_point(run, point)

        fitted = pretraining.pretrain(recipe, checkpoint=folder / "network.npz", report=report)
        written = pretrained.save(
            recipe.family,
            pretraining.by_path(recipe, fitted.weights),
            pretraining.card(recipe, fitted),
            output,
        )
        run.log_text((written / pretrained.CARD).read_text(encoding="utf-8"), pretrained.CARD)
    return Pretrained(run.id, written, fitted.curve[-1].validation)


@flow()
def pretrain(recipes: Sequence[Recipe], output: Path) -> list[Pretrained]:
    """Make some networks, one after the other."""
    return [learn(recipe, output) for recipe in recipes]
