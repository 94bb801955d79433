"""The flow that scores a registered forecaster on windows it has not seen."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from foreseq.config import DatasetConfig
from foreseq.evaluation.backtest import unseen_backtest
from foreseq.evaluation.comparison import compare
from foreseq.forecasting import bundle
from foreseq.metrics import Scores
from foreseq.pipelines.flows.forecast import history_of
from foreseq.pipelines.runtime import console
from foreseq.series import panel
from foreseq.tracking import registry


@task(cache_policy=NO_CACHE)
def score(bundle_folder: Path, folder: Path) -> dict[str, Scores]:
    """Backtest on unseen test windows, statistical baselines on some of them."""
    fitted, series = bundle.load(bundle_folder), panel.load(folder)
    tested = unseen_backtest(fitted, series)
    comparison = compare(tested, series, fitted.experiment)
    if comparison.backtest is None:
        console.say(f"compared {comparison.sample}")
        return tested.scores()
    console.say(f"compared {', '.join(comparison.names)}: {comparison.sample}")
    scores = comparison.backtest.scores()
    return tested.scores() | {name: scores[name] for name in comparison.names}


@flow
def backtest(model: str, history: DatasetConfig | None) -> dict[str, Scores]:
    """Score a forecaster beside the naive ones; return the measures of each."""
    version = registry.resolve(model)
    ingested = history_of(version, history)
    scores = score(registry.fetch(version), ingested.folder)
    for name, each in scores.items():
        console.say(f"{name:<15} MASE {each.mase:.4f}  sMAPE {each.smape:.3f}  MAE {each.mae:.5g}")
    return scores
