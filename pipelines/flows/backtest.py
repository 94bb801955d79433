"""The flow that scores a registered forecaster on windows it has not seen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from foreseq.evaluation.backtest import unseen_backtest
from foreseq.evaluation.comparison import compare
from foreseq.forecasting import bundle
from foreseq.metrics import Scores
from foreseq.pipelines.flows.forecast import history_of
from foreseq.pipelines.runtime import console
from foreseq.pipelines.runtime.flows import flow
from foreseq.series import panel
from foreseq.tracking import registry


@task(cache_policy=NO_CACHE)
def score(bundle_folder: Path, folder: Path) -> dict[str, Scores]:
    """Backtest on unseen test windows, statistical baselines on some of them."""
    fitted = bundle.load(bundle_folder)
    history = panel.load(folder, fitted.experiment.dataset.season)
    tested = unseen_backtest(fitted, history)
    comparison = compare(tested, history, fitted.experiment)
    if comparison.backtest is None:
        console.say(f"compared {comparison.sample}")
        return tested.scores()
    console.say(f"compared {', '.join(comparison.names)}: {comparison.sample}")
    scores = comparison.backtest.scores()
    return tested.scores() | {name: scores[name] for name in comparison.names}


@flow()
def backtest(model: str, history: Mapping[str, Any] | None) -> dict[str, Scores]:
    """Score a forecaster and the naive ones; return the measures by name."""
    version = registry.resolve(model)
    ingested = history_of(version, history)
    scores = score(registry.fetch(version), ingested.folder)
    for name, own in scores.items():
        console.say(f"{name:<15} MASE {own.mase:.4f}  sMAPE {own.smape:.3f}  MAE {own.mae:.5g}")
    return scores
