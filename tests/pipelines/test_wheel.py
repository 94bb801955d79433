"""What pip installs works without the clone, in the folder of a user."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from foreseq.errors import NotPublished
from foreseq.pipelines.runtime.server import answers
from foreseq.series import examples

PROJECT = Path(__file__).parents[2]
FEW = ("--set", "auto.time_budget=0", "--set", "training.max_steps=5")
SCHEDULE = """
flow: run
config: ../../shop.yaml
cron: "0 3 * * *"
"""
SHOP = "dataset: {name: shop, source: shop.csv, horizon: 7}"
TEXT = """
corpus: {name: words, source: words.txt}
network: {cells: {units: [8]}}
training: {epochs: 1}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel as it would be published: from the source distribution."""
    if (uv := shutil.which("uv")) is None:
        pytest.skip("uv is not on the path")
    folder = tmp_path_factory.mktemp("built")
    ran(uv, "build", "--quiet", "--out-dir", folder, PROJECT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def folder(wheel, tmp_path_factory) -> Path:
    """Install it by pip into an environment of its own; return a folder with a user's files.

    One of them is a package `pipelines` that cannot be imported: ours must not meet it.
    """
    folder = tmp_path_factory.mktemp("user")
    ran(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    ran(folder / "venv" / "bin" / "pip", "install", "--quiet", wheel, cwd=folder)
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "__init__.py").write_text("raise RuntimeError('the user's own')\n")
    examples.write(folder / "shop.csv", series=4, freq="D", length=120, seed=1)
    (folder / "words.txt").write_text("the quick brown fox jumps over the lazy dog. " * 400)
    (folder / "words.yaml").write_text(TEXT)
    (folder / "shop.yaml").write_text(SHOP)
    schedules = folder / "configs" / "schedules"
    schedules.mkdir(parents=True)
    (schedules / "nightly.yaml").write_text(SCHEDULE)
    return folder


@pytest.fixture
def environment(folder) -> dict[str, str]:
    """Return the variables of a user who has set none of ours, Prefect's or MLflow's."""
    ours = ("FORESEQ_", "MLFLOW_", "PREFECT_", "PYTHON", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PREFECT_HOME": str(folder / "prefect")}


@pytest.fixture
def foreseq(folder, environment) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs the installed command."""

    def command(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        program = folder / "venv" / "bin" / "foreseq"
        return ran(program, *words, cwd=folder, env=environment, code=code)

    return command


@pytest.fixture
def start(folder, environment, running) -> Callable[..., AbstractContextManager[Path]]:
    """Return what starts the installed command, and gives the file of what it prints."""

    @contextmanager
    def command(name: str, *words: str) -> Iterator[Path]:
        out = folder / f"{name}.txt"
        program = folder / "venv" / "bin" / "foreseq"
        with (
            out.open("w") as to,
            running(program, name, *words, cwd=folder, env=environment, stdout=to, stderr=to),
        ):
            yield out

    return command


def test_the_wheel_holds_one_package(wheel):
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"foreseq"}


def test_the_command_is_installed(foreseq):
    assert foreseq("--version").stdout.startswith("foreseq ")


def test_the_example_needs_no_file(foreseq, folder):
    result = json.loads(foreseq("run", *FEW, "--set", "gate.min_skill=-9", "--json").stdout)
    assert (folder / result["forecast"] / "_SUCCESS").exists()


def test_a_file_and_a_horizon_give_a_forecast(foreseq, folder):
    words = ("--data", "shop.csv", "--horizon", "7", *FEW, "--set", "gate.min_skill=-9")
    result = json.loads(foreseq("run", *words, "--json").stdout)
    assert (folder / result["forecast"] / "_SUCCESS").exists()


def test_a_language_model_is_trained(foreseq):
    done = foreseq("text", "train", "words.yaml", "--json", code=NotPublished.exit_code)
    assert "run_id" in json.loads(done.stdout)  # one epoch does not beat the n-gram


def test_schedules_are_served(start, wait_for):
    with start("serve") as out:
        wait_for(lambda: "export PREFECT_API_URL=" in out.read_text(), "a server is named", out)
        address = out.read_text().rpartition("PREFECT_API_URL=")[2].split()[0]
        assert answers(f"{address}/health")


def test_runs_are_shown(start, wait_for, free_port):
    port = str(free_port())
    with start("ui", "--port", port) as out:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"), "MLflow answers", out)


def ran(
    *words: str | Path, cwd: Path, env: dict[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a program that must end with an exit code."""
    done = subprocess.run(  # noqa: S603 our own words
        words, cwd=cwd, env=env, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == code, done.stderr[-3000:]
    return done
