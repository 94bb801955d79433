"""A folder of one's own for each flow under test, and the command line."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foreseq.pipelines.cli.main import main
from foreseq.series import examples

FORESEQ = Path(sys.executable).with_name("foreseq")

PAGE = Path(__file__).parents[2] / "pipelines" / "README.md"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def place(api, tmp_path, monkeypatch) -> Path:
    """Work in an empty folder, against the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", api)
    return tmp_path


@pytest.fixture
def foreseq(place) -> Command:
    """Run the command line as a user does, in another process."""

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 our own command
            [FORESEQ, *words], cwd=place, capture_output=True, text=True, timeout=300, check=False
        )

    return command


@pytest.fixture
def inside(place, monkeypatch, capfd) -> Command:
    """Run the command line in this process, which spares the seconds that imports take."""
    monkeypatch.setenv("FORESEQ_VERBOSE", "1")

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr("sys.argv", ["foreseq", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return subprocess.CompletedProcess(words, int(end.value.code or 0), *capfd.readouterr())

    return command


@pytest.fixture
def shop(place) -> Path:
    """Write the sales of a few made-up products, by day."""
    return examples.write(place / "shop.csv", series=4, freq="D", length=120, seed=1)


@pytest.fixture(scope="session")
def running() -> Callable[..., AbstractContextManager[subprocess.Popen[bytes]]]:
    """Return what runs a program beside a test, and at last ends it with all that it started."""

    @contextmanager
    def run(*words: str | Path, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(words, start_new_session=True, **how)  # noqa: S603 our own words
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)

    return run


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    """Return what waits until something is true; too late, it says what, and how logs end."""

    def wait(happened: Callable[[], object], what: str, *logs: Path, patience: float = 240) -> None:
        deadline = time.monotonic() + patience
        while not happened():
            if time.monotonic() > deadline:
                ends = "\n".join(log.read_text(errors="replace")[-3000:] for log in logs)
                raise AssertionError(f"waited {patience} s, but not yet true: {what}\n{ends}")
            time.sleep(0.1)

    return wait


@pytest.fixture(scope="session")
def cluster() -> Callable[..., AbstractContextManager[Any]]:
    """Return what starts a Dask cluster of two workers, each with so many threads."""
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    return partial(distributed.LocalCluster, n_workers=2, processes=True, dashboard_address=None)


@pytest.fixture(scope="session")
def blocks() -> Callable[[str, str], list[str]]:
    """Return what gives the blocks of a language in a section of `pipelines/README.md`."""
    page = PAGE.read_text(encoding="utf-8")

    def find(section: str, language: str) -> list[str]:
        text = page.split(f"\n## {section}\n")[1].partition("\n## ")[0]
        return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)

    return find
