"""What the README tells people to type works, in a folder of its own."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from foreseq.series import examples

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
PYTHON = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line]
FEW = 40
FORESEQ = Path(sys.executable).with_name("foreseq")


def test_the_readme_commands_work(api, tmp_path):
    assert "uv run pytest" in COMMANDS  # this very run
    commands = [line.removeprefix("uv run ") for line in COMMANDS if line != "uv run pytest"]
    assert len(commands) >= 4
    for command in commands:
        name, *words = shlex.split(command)
        assert name == "foreseq"
        ran = subprocess.run(  # noqa: S603 our own command
            [FORESEQ, *words],
            cwd=tmp_path,
            env=os.environ | {"PREFECT_API_URL": api},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stderr}"
        assert len(ran.stderr.splitlines()) < FEW, "a person reads this"
        assert "WARNING" not in ran.stderr
    assert (tmp_path / "my-forecast" / "_SUCCESS").exists()
    assert (tmp_path / "tonight" / "_SUCCESS").exists()


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_the_python_of_the_readme_works(convert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = PYTHON
    assert "time_budget=" in block
    names = {"df": convert(examples.generate(series=4, freq="D", length=200, seed=1))}
    exec(block.replace('"20s"', '"2s"'), names)  # noqa: S102 our own page, in less time
    assert isinstance(names["model"].predict(), type(names["df"]))
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "data/README.md",
        "mlruns/README.md",
        "pipelines/README.md",
        "tests/benchmarks/README.md",
    ],
)
def test_links_of_a_page_lead_somewhere(page):
    file = PROJECT / page
    links = re.findall(r"\]\(([^)#]+)\)", file.read_text(encoding="utf-8"))
    gone = [
        link for link in links if "://" not in link and not (file.parent / link).resolve().exists()
    ]
    assert not gone
