"""Whoever is killed at any moment leaves nothing wrong: the next one ends as if undisturbed."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from foreseq.forecasting import writer
from foreseq.series import examples

POINTS = 30
MORTAL = Path(__file__).with_name("mortal.py")


@pytest.fixture(scope="module")
def mortal(api):
    """Return what runs all flows in a place, until a moment if there is one."""
    process = subprocess.Popen(  # noqa: S603 our own words
        [sys.executable, str(MORTAL)],
        env=os.environ | {"PREFECT_API_URL": api},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def live(place, **moment):
        process.stdin.write(json.dumps({"place": str(place), **moment}) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield live
    process.communicate(timeout=60)


@pytest.fixture(scope="module")
def undisturbed(mortal, tmp_path_factory):
    place = make_place(tmp_path_factory.mktemp("undisturbed"))
    took = mortal(place)
    assert took["ended"] == 0, (place / "log.txt").read_text()
    judged = pd.read_parquet(place / "forecasts" / "_monitoring" / "scores.parquet")
    assert judged["count"].sum() == 4 * 7
    return place, took


def make_place(place):
    place.mkdir(exist_ok=True)
    later = pd.read_csv(examples.write(place / "later.csv", series=4, freq="D", length=127, seed=1))
    later[later["ds"] < "2000-04-30"].to_csv(place / "shop.csv", index=False)
    return place


def outputs(place):
    """Return what a user has: panels and forecasts, byte by byte, and what is published."""
    written = {
        str(file.relative_to(place)): file.read_bytes()
        for folder in ("data/series", "forecasts")
        for file in (place / folder).rglob("*")
        if file.is_file()
    }
    client = MlflowClient(f"sqlite:///{place}/mlruns/mlflow.db")
    versions = {
        (version.name, version.version, version.tags["digest"])
        for version in client.search_model_versions()
    }
    aliases = client.get_registered_model("shop").aliases
    everywhere = [each.experiment_id for each in client.search_experiments()]
    states = [run.info.status for run in client.search_runs(everywhere)]
    return written, versions, aliases, states.count("RUNNING"), states.count("FINISHED")


def moments():
    """Draw a share of the touches or of the seconds of an undisturbed run, seeded."""
    drawn = random.Random(6)  # noqa: S311 no secret
    return [("seconds" if point % 3 == 2 else "touches", drawn.random()) for point in range(POINTS)]


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "share"), moments())
def test_after_kill_9_the_outputs_are_those_of_an_undisturbed_run(
    mortal, undisturbed, tmp_path, unit, share
):
    calm, took = undisturbed
    place = make_place(tmp_path / "0")
    moment = {"touch": int(share * took[unit])} if unit == "touches" else {unit: share * took[unit]}
    while (ended := mortal(place, **moment)["ended"]) == 0:  # it was quicker than the calm one
        moment = {"seconds": moment["seconds"] / 2}
        place = make_place(place.with_name(f"{place.name}0"))
    assert ended < 0, (place / "log.txt").read_text()
    april, calm_april = place / "forecasts" / "april", calm / "forecasts" / "april"
    if april.exists():
        assert writer.read_manifest(april) == writer.read_manifest(calm_april)
    assert mortal(place)["ended"] == 0, (place / "log.txt").read_text()
    assert outputs(place) == outputs(calm)
    known = (".state", ".lock", ".artifact.uploading")  # the last is MLflow's, of a run cut off
    assert not [file for file in place.rglob(".*") if not file.name.startswith(known)]
