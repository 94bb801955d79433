import json

import pytest
from mlflow.entities import ViewType

from foreseq.config import load_experiment
from foreseq.tracking import store

QUICK = (
    "--set",
    "training.max_steps=12",
    "--set",
    "training.validations=4",
    "--set",
    "training.batch_size=8",
)
SMALL = (
    "network.cells.units: {one_of: [[4], [6]]}\ntraining.learning_rate: {low: 0.001, high: 0.01}\n"
)


def runs_of(study):
    client = store.open_store()
    (experiment,) = (each for each in client.search_experiments() if each.name == "shop")
    found = client.search_runs(
        [experiment.experiment_id], f"tags.study = '{study}'", run_view_type=ViewType.ACTIVE_ONLY
    )
    trials = {run.data.tags.get("study.trial"): run for run in found}
    return trials.pop(None), trials


@pytest.fixture
def words(shop):
    """Return the arguments of a small study of the shop."""
    shop.with_name("space.yaml").write_text(SMALL)
    return ("tune", "--data", "shop.csv", "--horizon", "7", "--space", "space.yaml", *QUICK)


def test_a_study_is_a_run_with_its_trials_nested(shop, words, inside):
    done = inside(*words, "--trials", "2", "--study", "one", "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout.splitlines()[-1])
    parent, trials = runs_of("one")
    assert set(trials) == {"0", "1"}
    assert {run.data.tags["mlflow.parentRunId"] for run in trials.values()} == {parent.info.run_id}
    best = trials[str(printed["trial"])]
    assert best.data.metrics["tune/validation"] == pytest.approx(printed["validation"])
    assert parent.data.metrics["tune/validation"] == pytest.approx(printed["validation"])
    rate = printed["values"]["training.learning_rate"]
    assert best.data.params["training.learning_rate"] == str(rate)
    experiment = load_experiment(shop.with_name("one.yaml"))
    assert list(experiment.network.cells.units) == printed["values"]["network.cells.units"]


@pytest.mark.slow
def test_the_best_config_can_be_run(words, inside):
    assert inside(*words, "--trials", "2", "--output", "best.yaml").returncode == 0
    open_gate = ("--set", "auto.time_budget=0", "--set", "gate.min_skill=-9")
    ran = inside("run", "best.yaml", *open_gate, "--json")
    assert ran.returncode in {0, 4}, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["model"] == "shop"


@pytest.mark.slow
def test_a_study_goes_on_where_it_was(words, inside):
    for trials in ("1", "3"):
        assert inside(*words, "--trials", trials, "--study", "again").returncode == 0
    _, found = runs_of("again")
    assert set(found) == {"0", "1", "2"}


@pytest.mark.slow
def test_workers_share_a_study(words, foreseq):
    done = foreseq(*words, "--trials", "6", "--workers", "2", "--study", "two", "--json")
    assert done.returncode == 0, done.stderr
    _, trials = runs_of("two")
    assert set(trials) == {str(number) for number in range(6)}
    assert len({run.data.tags["pid"] for run in trials.values()}) == 2
    assert all(f"trial    {number}:" in done.stderr for number in range(6))


@pytest.mark.slow
def test_workers_of_a_cluster_share_a_study(words, foreseq, cluster):
    with cluster(threads_per_worker=2) as local:
        address = ("--dask", local.scheduler_address)
        done = foreseq(*words, "--trials", "6", *address, "--study", "far", "--json")
    assert done.returncode == 0, done.stderr
    _, trials = runs_of("far")
    assert set(trials) == {str(number) for number in range(6)}
    assert len({run.data.tags["pid"] for run in trials.values()}) == 2


@pytest.mark.slow
def test_without_a_cluster_none_is_waited_for(words, inside):
    done = inside(*words, "--trials", "1", "--dask", "tcp://127.0.0.1:1")
    assert done.returncode == 6
    assert "no cluster answers" in done.stderr


def test_a_study_needs_a_time_that_can_be_read(inside):
    done = inside("tune", "--time-budget", "soon")
    assert done.returncode == 2
    assert "write it as 90s, 10m or 1h" in done.stderr
