"""A tracked run can be made again, and where it cannot one is result why."""

import json

import pandas as pd
import pytest

QUICK = (
    "auto.time_budget=0",
    "training.max_steps=20",
    "training.validations=2",
    "network.cells.units=[6]",
    "statistical_baselines.windows=0",
)


@pytest.fixture
def trained(inside, shop):
    """Train on the shop; return the run's id."""
    words = [word for field in QUICK for word in ("--set", field)]
    ran = inside("train", "--data", str(shop), "--horizon", "7", "--json", *words)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])["run_id"]


def test_the_same_data_and_code_give_the_same_weights_and_other_data_are_refused(
    inside, shop, trained
):
    again = inside("reproduce", trained, "--json")
    assert again.returncode == 0, again.stderr
    result = json.loads(again.stdout.splitlines()[-1])
    assert result["alike"]
    assert [part["name"] for part in result["parts"]] == ["tested", "final", "calibration"]
    assert all(part["then"] == part["now"] for part in result["parts"])

    table = pd.read_csv(shop)
    table.loc[5, "y"] += 1
    table.to_csv(shop, index=False)
    refused = inside("reproduce", trained)
    assert refused.returncode == 3
    assert "shop.csv: the data of" in refused.stderr
    assert "the source has changed" in refused.stderr

    shop.unlink()
    assert inside("reproduce", trained).returncode == 3


def test_a_run_that_is_not_there_is_refused(inside):
    ran = inside("reproduce", "nosuchrun")
    assert ran.returncode == 2
    assert "no such run" in ran.stderr
