"""Of two that publish at the same time the better one is champion, in either order."""

import multiprocessing
import random
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from foreseq.config import build_experiment
from foreseq.experiment import recipe
from foreseq.ingest.store import ingest
from foreseq.pipelines.flows.publish import decide
from foreseq.selection.choose import by_rules
from foreseq.series import panel
from foreseq.tracking import forecaster, registry, store

ROUNDS = 50

FIELDS = {
    "dataset": {"name": "race", "source": "race.csv", "horizon": 5, "season": 7},
    "network": {
        "cells": {"units": [8]},
        "context": 28,
        "patch": 7,
        "naive_lags": [7, 1],
        "log": False,
    },
    "training": {
        "validations": 4,
        "learning_rate": 2e-3,
        "members": 1,
        "refit": False,
        "batch_size": 64,
        "synthetic": 0.0,
    },
    "split": {"test_windows": 3},
}


@pytest.fixture
def challengers(tmp_path, monkeypatch, rng):
    """Return the runs of a worse and of a better forecaster, and the panel's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}")
    steps = np.arange(140)
    with Path("race.csv").open("w", encoding="utf-8") as file:
        file.write("unique_id,ds,y\n")
        for name in range(24):
            phase = rng.uniform(0, 2 * np.pi)
            values = 10 + 0.05 * steps + 2 * np.sin(2 * np.pi * steps / 7 + phase)
            values += rng.normal(0, 0.7, size=len(steps))
            file.writelines(
                f"s{name:02},{step},{y}\n" for step, y in zip(steps, values, strict=True)
            )
    ids = []
    for max_steps in (200, 800):
        experiment = build_experiment(FIELDS, [f"training.max_steps={max_steps}"])
        ingested = ingest(experiment.dataset, tmp_path / "series")
        loaded = panel.load(ingested.folder)
        chosen = by_rules(experiment, loaded)
        with forecaster.begin(chosen.experiment, loaded) as run:
            made = recipe.fit(chosen.experiment, loaded, chosen.split).bundle
            forecaster.log_bundle(run, made)
        ids.append(run.id)
    return [*ids, ingested.folder]


def publish_at(start: float, run_id: str, folder: Path) -> bool:
    """Publish at a given time; return whether the gate approved."""
    time.sleep(max(0.0, start - time.time()))
    return decide.fn(run_id, folder).decision.published


@pytest.mark.slow
def test_of_two_publishers_at_once_the_better_one_ends_as_champion(challengers):
    worse, better, folder = challengers
    jitter = random.Random(1)  # noqa: S311 no secret
    client = store.open_store()
    versions = [registry.register(run_id, "race") for run_id in (worse, better)]
    published = []
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as two:
        for warm in [True, *[False] * ROUNDS]:  # the first one warms up
            start = time.time() + 0.1
            starts = [start + jitter.uniform(0, 0.3) for _ in versions]
            results = two.map(publish_at, starts, [worse, better], [folder, folder])
            published.append(tuple(results))
            assert registry.champion("race") == versions[1]
            assert registry.previous("race") in (None, versions[0])
            if not warm:
                assert published[-1][1]
            for alias in (registry.CHAMPION, registry.PREVIOUS):
                client.delete_registered_model_alias("race", alias)
    assert {(True, True), (False, True)} <= set(published)
