"""The flow that scores a registered forecaster on windows it has not seen."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from foreseq import evaluation
from foreseq.config import DatasetConfig
from foreseq.forecasting import bundle
from foreseq.metrics import Scores
from foreseq.pipelines.flows.forecast import history_of
from foreseq.pipelines.runtime import console
from foreseq.series import panel
from foreseq.tracking import registry


@task(cache_policy=NO_CACHE)
def score(bundle_folder: Path, folder: Path) -> dict[str, Scores]:
    """Backtest on the newest windows that are fair, classical methods on some of them."""
    fitted, series = bundle.load(bundle_folder), panel.load(folder)
    tested = evaluation.unseen_backtest(fitted, series)
    rivals = evaluation.rivals(tested, series, fitted.experiment)
    if rivals.tested is None:
        console.say(f"classics {rivals.told}")
        return tested.scores()
    console.say(f"classics {', '.join(rivals.names)}: on {rivals.told}")
    classical = rivals.tested.scores()
    return tested.scores() | {name: classical[name] for name in rivals.names}


@flow
def backtest(model: str, history: DatasetConfig | None) -> dict[str, Scores]:
    """Score a forecaster beside the naive ones; return the measures of each."""
    version = registry.resolve(model)
    ingested = history_of(version, history)
    scores = score(registry.fetch(version), ingested.folder)
    for name, each in scores.items():
        console.say(f"{name:<15} MASE {each.mase:.4f}  sMAPE {each.smape:.3f}  MAE {each.mae:.5g}")
    return scores
