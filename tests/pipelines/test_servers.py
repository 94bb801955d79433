"""The same commands against real servers: MLflow and Prefect as processes, on PostgreSQL if there.

What compose.yaml starts in containers is started here as plain processes.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from mlflow import MlflowClient

from foreseq.forecasting import writer
from foreseq.pipelines.runtime.server import answers
from foreseq.series import examples

BIN = Path(sys.executable).parent
PATIENCE = 240
OUTAGE = 30
"""Seconds that MLflow is away."""
QUICK = ("auto.time_budget=0", "training.validations=4", "network.cells.units=[8]",
         "statistical_baselines.windows=1",
         "gate.min_skill=-9", "gate.confidence=0.5")  # fmt: skip

pytestmark = pytest.mark.slow


@dataclass
class Servers:
    """What is running, and how to take it away and bring it back."""

    settings: dict[str, str]
    run: list[str]
    """Words of the command that the page gives as the example."""
    mlflow: "Server"
    postgres: "Server | None"


class Server:
    """A process that answers at an address."""

    def __init__(self, words: list[str | Path], answers: Callable[[], bool], **how: object) -> None:
        """Start it, and wait until it answers."""
        self.words, self.answers, self.how = words, answers, how
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 our own words
            self.words, start_new_session=True, stderr=subprocess.STDOUT, **self.how
        )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self.process.poll() is None, f"{self.words} ended"
            assert time.monotonic() < deadline, f"{self.words} does not answer"
            time.sleep(0.3)

    def stop(self, how: int = signal.SIGKILL) -> None:
        os.killpg(self.process.pid, how)
        self.process.wait(timeout=60)


@contextmanager
def running(*words: str | Path, **how: object) -> Iterator[Server]:
    server = Server(list(words), **how)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="module")
def servers(blocks, free_port, tmp_path_factory) -> Iterator[Servers]:
    """Type what the page says, at ports that are free, on the database that is there."""
    place = tmp_path_factory.mktemp("servers")
    (text,) = blocks("Servers", "sh")
    with ExitStack() as stack:
        postgres, url = stack.enter_context(database(free_port()))
        store = f"postgresql://{url}/mlflow" if postgres else f"sqlite:///{place}/mlflow.db"
        here = {"postgresql://foreseq@localhost/mlflow": store}
        here |= {port: str(free_port()) for port in ("5000", "4200")}
        for old, new in here.items():
            text = text.replace(old, new)
        typed = {words[0]: words[1:] for words in map(shlex.split, text.splitlines())}
        named = dict(word.split("=", 1) for word in typed["export"])
        settings = os.environ | {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes, not 10
            "PREFECT_HOME": str(place / "prefect"),
        }
        if postgres:
            database_of_prefect = f"postgresql+asyncpg://{url}/prefect"
            settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database_of_prefect
        log = stack.enter_context((place / "log.txt").open("wb"))
        how = {"cwd": place, "env": settings, "stdout": log}
        health = f"{named['MLFLOW_TRACKING_URI']}/health"
        mlflow = stack.enter_context(
            running(BIN / "mlflow", *typed["mlflow"], answers=lambda: answers(health), **how)
        )
        ready = f"{named['PREFECT_API_URL']}/health"
        stack.enter_context(
            running(BIN / "prefect", *typed["prefect"], answers=lambda: answers(ready), **how)
        )
        yield Servers(os.environ | named, typed["foreseq"], mlflow, postgres)


@contextmanager
def database(port: int) -> Iterator[tuple[Server | None, str]]:
    """Start PostgreSQL, where it and its driver are installed, with a database for each server."""
    found = shutil.which("initdb") or next(
        iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None
    )
    try:
        import psycopg2  # noqa: PLC0415 an extra
    except ImportError:
        found = None
    if found is None:
        yield None, ""
        return
    programs = Path(found).resolve().parent
    user = {"user": "postgres"} if os.geteuid() == 0 else {}  # it refuses to run as root
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, "postgres")
        data = f"{folder}/data"
        subprocess.run(  # noqa: S603 our own words
            [programs / "initdb", "-A", "trust", "-U", "foreseq", "-D", data],
            check=True, stdout=subprocess.DEVNULL, cwd=folder, **user,
        )  # fmt: skip

        def is_ready() -> bool:
            try:
                psycopg2.connect(
                    host="127.0.0.1", port=port, user="foreseq", dbname="postgres"
                ).close()
            except psycopg2.OperationalError:
                return False
            return True

        with running(
            str(programs / "postgres"), "-D", data, "-p", str(port), "-k", folder,
            answers=is_ready, cwd=folder, stdout=subprocess.DEVNULL, **user,
        ) as postgres:  # fmt: skip
            for name in ("mlflow", "prefect"):
                subprocess.run(  # noqa: S603 our own words
                    [programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "foreseq",
                     name],
                    check=True,
                )  # fmt: skip
            yield postgres, f"foreseq@127.0.0.1:{port}"


@pytest.fixture(scope="module")
def shop(servers, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("shop")
    examples.write(place / "my.csv", series=4, freq="D", length=200, seed=1)
    return place


def start(servers: Servers, place: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 our own command
        [BIN / "foreseq", *words],
        cwd=place,
        env=servers.settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def foreseq(servers: Servers, place: Path, *words: str) -> dict:
    blocks, said = (process := start(servers, place, *words, "--json")).communicate()
    assert process.returncode == 0, said
    return json.loads(blocks.splitlines()[-1])


def run(servers: Servers, steps: int, seed: int = 1) -> list[str]:
    sets = [*QUICK, f"training.max_steps={steps}", f"training.seed={seed}"]
    return [*servers.run, "--output", "out", *(word for each in sets for word in ("--set", each))]


@pytest.fixture(scope="module")
def ran(servers, shop) -> dict:
    return foreseq(servers, shop, *run(servers, steps=40))


def test_the_whole_road_leads_over_the_servers(servers, shop, ran):
    assert ran["published"]
    assert (shop / "out" / "_SUCCESS").exists()
    assert not (shop / "mlruns" / "mlflow.db").exists()
    assert not (shop / ".state" / "prefect").exists()
    client = MlflowClient(servers.settings["MLFLOW_TRACKING_URI"])
    assert client.get_model_version_by_alias("my", "champion").version == "1"
    assert {"run", "ingest", "train", "publish"} <= flows_completed(servers)


def test_another_machine_forecasts_with_what_was_published(servers, shop, ran, tmp_path):
    shutil.copy(shop / "my.csv", tmp_path)
    words = ("forecast", "--model", "my@champion", "--input", "my.csv", "--output", "out")
    blocks = foreseq(servers, tmp_path, *words)
    assert blocks["model_version"] == ran["version"]
    assert writer.read(tmp_path / "out").equals(writer.read(shop / "out"))


def test_mlflow_away_for_half_a_minute_and_a_restarted_database_cost_no_result(
    servers, shop, ran, wait_for
):
    client = MlflowClient(servers.settings["MLFLOW_TRACKING_URI"])
    process = start(servers, shop, *run(servers, steps=1500, seed=2), "--json")
    wait_for(lambda: "RUNNING" in states(client), "the training is tracked")
    servers.mlflow.stop()
    if servers.postgres:
        servers.postgres.stop(signal.SIGINT)  # fast shutdown
        servers.postgres.start()
    time.sleep(OUTAGE)
    servers.mlflow.start()
    blocks, said = process.communicate(timeout=PATIENCE)
    assert process.returncode in (0, 4), said
    assert json.loads(blocks.splitlines()[-1])["version"] == "my/2"
    assert len(client.search_model_versions("name = 'my'")) == 2
    assert states(client) == ["FINISHED"] * 2


def states(client: MlflowClient) -> list[str]:
    everywhere = [each.experiment_id for each in client.search_experiments()]
    return [found.info.status for found in client.search_runs(everywhere)]


def flows_completed(servers: Servers) -> set[str]:
    def ask(what: str, blocks: dict) -> list[dict]:
        request = Request(  # noqa: S310 our own server
            f"{servers.settings['PREFECT_API_URL']}/{what}/filter",
            data=json.dumps(blocks).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=30) as answer:  # noqa: S310 our own server
            return json.load(answer)

    names = {each["id"]: each["name"] for each in ask("flows", {})}
    done = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    return {names[each["flow_id"]] for each in ask("flow_runs", done)}
