import json
import time
from importlib.metadata import version

import pandas as pd
import pytest

from foreseq.pipelines.runtime import console

GOOD = "unique_id,ds,y\n" + "".join(f"a,2024-01-{day:02},{day % 7 + day}\n" for day in range(1, 32))


def test_help_answers_at_once(foreseq):
    foreseq("--help")  # warm
    start = time.perf_counter()
    ran = foreseq("--help")
    assert time.perf_counter() - start < 2  # half a second on a quiet machine
    assert ran.returncode == 0
    assert "forecast" in ran.stdout


def test_explore_writes_a_page_and_says_what_was_found(foreseq, tmp_path):
    (tmp_path / "shop.csv").write_text(GOOD.replace("unique_id,ds,y", "shop,day,sales"))
    page = tmp_path / "page.html"
    ran = foreseq("explore", tmp_path / "shop.csv", "--output", page, "--json")
    assert ran.returncode == 0, ran.stderr
    assert "read with ds from 'day', y from 'sales'" in ran.stderr
    assert json.loads(ran.stdout)["lines"]["outliers"] == "none found"
    assert "<svg" in page.read_text()


@pytest.mark.slow  # the README has it as well
def test_a_file_and_a_horizon_are_all_that_a_run_needs(inside, shop, place):
    fields = (
        "training.max_steps=100",
        "network.cells.units=[8]",
        "statistical_baselines.windows=0",
    )
    quick = [word for field in fields for word in ("--set", field)]
    short = ("--time-budget", "2s")
    ran = inside("run", "--data", "shop.csv", "--horizon", "14", *short, *quick, "--json")
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert {"run_id", "model", "version", "published", "skill", "forecast"} <= result.keys()
    assert result["model"] == "shop"
    table = pd.read_parquet(place / result["forecast"])
    assert len(table) == 4 * 14


def test_a_run_that_the_gate_rejects_ends_with_code_4(inside, shop, place):
    fields = ("auto.time_budget=0", "training.max_steps=5", "network.cells.units=[4]")
    strict = ("statistical_baselines.windows=0", "gate.min_skill=0.999")
    settings = [word for field in (*fields, *strict) for word in ("--set", field)]
    ran = inside("run", "--data", "shop.csv", "--horizon", "7", *settings, "--json")
    assert ran.returncode == 4, ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert result["published"] is False
    assert "is rejected" in ran.stderr.splitlines()[-1]
    assert f"by {result['version']}, which the gate rejected" in ran.stderr
    manifest = json.loads((place / result["forecast"] / "_manifest.json").read_text())
    assert manifest["verdict"] == "rejected"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unique_id,ds\na,2024-01-01\n", ("y", "unique_id, ds")),
        (GOOD.replace("a,2024-01-05,10", "a,2024-01-05,ten"), ("series a", "row 6", "ten")),
        (GOOD.replace("a,2024-01-05,10", "a,2024-01-05,inf"), ("series a", "row 6", "inf")),
        (GOOD + "a,2024-01-05,99\n", ("series a", "row 33", "duplicates")),
        ("", ("empty",)),
        ("unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,2\n", ("2 steps", "horizon")),
    ],
    ids=["missing column", "text", "inf", "conflicting duplicates", "empty", "short"],
)
def test_bad_data_are_refused_in_one_message(inside, place, text, words):
    (place / "bad.csv").write_text(text, encoding="utf-8")
    ran = inside("run", "--data", "bad.csv", "--horizon", "7", "--output", "out")
    assert ran.returncode == 3
    message = ran.stderr.strip().splitlines()[-1]
    assert message.startswith("foreseq: ")
    for word in words:
        assert word in message
    assert not (place / "out").exists()
    assert not list((place / "data").glob("forecasts/*"))


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (("run", "nosuch.yaml"), "nosuch.yaml"),
        (("run", "--data", "shop.csv"), "--horizon"),
        (("run", "--data", "shop.csv", "--horizon", "0"), "horizon"),
        (("run", "--set", "network.unknown=1"), "network.unknown"),
        (("run", "--time-budget", "soon"), "90s"),
        (("run", "--set", "training.max_steps"), "training.max_steps"),
        (("run", "--set", "network.cells.dropout=1.0"), "less than 1"),
        (("forecast", "--model", "nosuch@champion", "--output", "out"), "nosuch@champion"),
        (("rollback", "nosuch"), "nosuch"),
        (("ui", "--port", "80000"), "between 1 and 65535"),
    ],
    ids=" ".join,
)
def test_bad_usage_ends_with_code_2(inside, command, word):
    ran = inside(*command)
    assert ran.returncode == 2
    assert word in ran.stderr


def test_the_version_is_the_one_installed(inside):
    printed = inside("--version")
    assert printed.returncode == 0
    assert printed.stdout == f"foreseq {version('foreseq')}\n"


def test_two_commands_append_to_one_log(foreseq, place):
    log = place / console.LOG
    log.parent.mkdir()
    log.write_text("what another command wrote\n")
    assert foreseq("example-data", "shop.csv").returncode == 0
    assert foreseq("doctor").returncode == 0
    assert log.read_text().startswith("what another command wrote\n")


def test_the_doctor_lists_versions_and_folders(inside):
    ran = inside("doctor")
    assert ran.returncode == 0, ran.stderr
    for word in ("tensorflow", "prefect", "mlflow store", "data"):
        assert word in ran.stderr
