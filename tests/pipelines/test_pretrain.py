"""`foreseq pretrain`, and forecasts with what it made."""

import json

import pandas as pd
import pytest

from foreseq.tracking import store


def test_a_file_is_forecast_at_once_without_stores(inside, shop, place):
    ran = inside("forecast", "--data", shop.name, "--horizon", "7", "--output", "out", "--json")
    result = json.loads(ran.stdout.splitlines()[-1])
    assert (ran.returncode, result["series"], result["horizon"]) == (0, 4, 7)
    assert result["model_version"] == "pretrained/season-7"
    assert len(pd.read_parquet(place / "out")) == 28
    assert not (place / "mlruns").exists()
    assert not (place / "data").exists()


def test_forecasts_without_stores_go_into_a_file_or_a_database_as_well(inside, shop, place):
    words = ("forecast", "--data", shop.name, "--horizon", "7", "--table", "sales")
    ran = inside(*words, "--output", "sqlite:///nights.db", "--json")
    assert (ran.returncode, len(pd.read_sql("sales", f"sqlite:///{place}/nights.db"))) == (0, 28)
    where = json.loads(ran.stdout.splitlines()[-1])["forecast"]
    assert where == "table sales of sqlite:///nights.db"
    assert f"forecast 4 series x 7 steps in {where}" in ran.stderr
    before = shop.read_text()
    ran = inside(*words, "--output", shop.name)
    assert (ran.returncode, shop.read_text()) == (2, before), "the data are no forecasts"
    assert not (place / "data").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give --model with or without --input, or --data and --horizon"),
        (("--data", "shop.csv"), "--data needs --horizon"),
        (("--model", "a", "--data", "shop.csv"), "a model has its own horizon"),
    ],
)
def test_a_forecast_needs_a_model_or_data(inside, shop, words, message):
    ran = inside("forecast", *words, "--output", "out")
    assert (ran.returncode, message in ran.stderr) == (2, True)


def test_pretraining_is_tracked_and_writes_a_network(inside, place):
    ran = inside("pretrain", "--season", "1", "--steps", "4", "--output", "nets", "--json")
    assert ran.returncode == 0, ran.stderr
    assert {file.name for file in (place / "nets" / "season-1").iterdir()} == {
        "card.json",
        "manifest.json",
        "weights.npz",
    }
    (experiment,) = [
        one for one in store.open_store().search_experiments() if one.name == "pretrain"
    ]
    (run,) = store.open_store().search_runs([experiment.experiment_id])
    assert run.data.params["steps"] == "4"
    assert run.data.metrics["validation"] > 0
