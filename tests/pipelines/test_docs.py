"""Every block of the documentation works, typed in order into a folder of its own.

Blocks of shell and Python are executed, those of YAML are read, or written to the file that their
title names. Only `text` is no input: it shows what a file holds or a command says.
"""

import os
import re
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from foreseq.config import build_experiment
from foreseq.config.loading import set_fields
from foreseq.series import examples

BIN = Path(sys.executable).parent
DOCS = Path(__file__).parents[2] / "docs"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
BLOCK = re.compile(r'^```(\S+)(?: title="(.+?)")?\n(.*?)^```$', flags=re.MULTILINE | re.DOTALL)
FAST = {"metrics", "outputs", "settings"}
"""Pages whose blocks train nothing; what the first page says is in the README as well."""
LEAST = {"dataset": {"source": "my.csv", "horizon": 14}}
REJECTED = 4
"""Of `foreseq run`: in so little time a model need not be better than the naive forecast."""


def test_every_block_is_of_a_kind_that_is_tested():
    kinds = {kind for page in PAGES.values() for kind, _, _ in BLOCK.findall(page)}
    assert kinds <= {"python", "sh", "text", "yaml"}
    assert sum(page.count("```") for page in PAGES.values()) == 2 * sum(
        len(BLOCK.findall(page)) for page in PAGES.values()
    )


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[] if page in FAST else pytest.mark.slow)
        for page in sorted(page for page, text in PAGES.items() if BLOCK.search(text))
    ],
)
def test_the_blocks_of_a_page_work_one_after_the_other(page, place, type_in, monkeypatch):
    monkeypatch.setenv("BROWSER", "true")  # a program that opens nothing
    examples.write(place / "my.csv", series=3, freq="D", length=200, seed=1)
    names = {}
    for kind, title, block in BLOCK.findall(PAGES[page]):
        if title:
            Path(title).parent.mkdir(parents=True, exist_ok=True)
            Path(title).write_text(block, encoding="utf-8")
        elif kind == "yaml":
            build_experiment(set_fields(LEAST, yaml.safe_load(block)))
        elif kind == "python":
            in_seconds = re.sub(r'time_budget="\w+"', 'time_budget="2s"', block)
            exec(in_seconds, names)  # noqa: S102 our own page
        elif kind == "sh":
            type_in(block, page in FAST)


@pytest.fixture
def type_in(inside, foreseq, running, wait_for, free_port, monkeypatch):  # noqa: PLR0913, PLR0917
    """Return what types lines of shell, in this process or others; `&` runs on until the end."""
    with ExitStack() as beside:

        def line(name, *words, fast):
            if name == "export":
                for word in words:
                    monkeypatch.setenv(*word.split("=", 1))
            elif words[-1] == "&":
                beside.enter_context(running(BIN / name, *words[:-1]))
                port = words[words.index("--port") + 1]
                wait_for(lambda: is_there(f"http://127.0.0.1:{port}"), f"{name} answers")
            else:
                ran = (inside if fast else foreseq)(*words)
                fine = (0, REJECTED) if words[0] == "run" else (0,)
                assert ran.returncode in fine, f"{words}\n{ran.stderr}"

        def type_in(block, fast):
            ports = {port: str(free_port()) for port in ("5000", "4200")}
            for typed in re.sub("5000|4200", lambda one: ports[one[0]], block).splitlines():
                line(*shlex.split(typed, comments=True), fast=fast)

        monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        yield type_in


def is_there(address):
    try:
        urlopen(address, timeout=5).close()  # noqa: S310 our own server
    except OSError:
        return False
    return True
