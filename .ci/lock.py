# /// script
# requires-python = ">=3.11"
# dependencies = ["packaging>=24"]
# ///
"""Resolve the newest set that pyproject.toml allows, and pin the whole of it there."""

import re
import shutil
import subprocess
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

from packaging.markers import Marker

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
PYTHONS = ("3.11", "3.12", "3.13")
ENVIRONMENTS = (
    {"sys_platform": "linux", "platform_machine": "x86_64"},
    {"sys_platform": "linux", "platform_machine": "aarch64"},
    {"sys_platform": "darwin", "platform_machine": "arm64"},
    {"sys_platform": "win32", "platform_machine": "AMD64"},
)
PINS = re.compile(r"(?<=^constraint-dependencies = \[\n).*?(?=^\]$)", re.DOTALL | re.MULTILINE)


def main() -> None:
    """Rewrite the list of pins, and nothing else."""
    text = PROJECT.read_text(encoding="utf-8")
    lines = [f'    "{pin}",\n' for pin in pins(resolve(PINS.sub("", text)))]
    PROJECT.write_text(PINS.sub("".join(lines), text), encoding="utf-8")


def resolve(project: str) -> list[dict[str, Any]]:
    """Return the packages uv chooses for a pyproject.toml, each as in uv.lock."""
    uv = shutil.which("uv") or "uv"
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "pyproject.toml").write_text(project, encoding="utf-8")
        subprocess.run([uv, "lock", "--quiet"], cwd=scratch, check=True)  # noqa: S603 our own words
        lock = tomllib.loads((scratch / "uv.lock").read_text(encoding="utf-8"))
    return [package for package in lock["package"] if "registry" in package["source"]]


def pins(packages: list[dict[str, Any]]) -> list[str]:
    """Return one requirement per package and version, sorted.

    Example:
        >>> markers = ["python_version >= '3.12'", "python_version < '3.12'"]
        >>> pins([{"name": "b", "version": "2", "resolution-markers": markers[:1]},
        ...       {"name": "b", "version": "1", "resolution-markers": markers[1:]},
        ...       {"name": "a", "version": "3"}])
        ['a==3',
         "b==1; python_version == '3.11'",
         "b==2; python_version == '3.12' or python_version == '3.13'"]
    """
    versions = defaultdict(list)
    for package in packages:
        versions[package["name"]].append(package)
    return sorted(
        f"{name}=={found['version']}"
        + (f"; {where(found['resolution-markers'])}" if len(several) > 1 else "")
        for name, several in versions.items()
        for found in several
    )


def where(markers: list[str]) -> str:
    """Return one marker for all of `markers`, by Python version alone where that says it all."""
    parsed = [Marker(marker) for marker in markers]
    clauses = []
    for python in PYTHONS:
        versions = {"python_version": python, "python_full_version": f"{python}.0"}
        hits = [any(m.evaluate(versions | place) for m in parsed) for place in ENVIRONMENTS]
        if any(hits) != all(hits):
            return " or ".join(f"({marker})" for marker in markers)
        clauses += [f"python_version == '{python}'"] if any(hits) else []
    return " or ".join(clauses)


if __name__ == "__main__":
    main()
