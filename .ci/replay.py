"""Do what the Dockerfile says, line by line, where there is no container engine.

Each stage is a layer (overlayfs) over this machine's own system, which stays as it is; RUN runs in
it, in order and to the letter. In the end the health check and the command must succeed. Needs root
on Linux: `sudo .venv/bin/python .ci/replay.py [cpu|gpu]`. What it cannot tell: whether the base
image has all that this machine has.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[1]
PYTHON = Path(sys.base_prefix) / "bin"
PATH = f"{PYTHON}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PEOPLE, NOBODY = 1000, 65534
"""First number of a user that is no service, and the last."""
PASSED_ON = re.compile(r"(PIP|UV|SSL)_.*|.*_proxy", re.IGNORECASE)
"""Where packages come from is this machine's affair, as it is an engine's."""


class Line(NamedTuple):
    """One instruction."""

    word: str
    told: str


@dataclass(frozen=True)
class Stage:
    """One FROM, and what has come of it so far."""

    root: Path
    """Where its files are seen."""
    env: dict[str, str]
    work: str = "/"
    user: str = "0"
    answers: dict[str, list[str]] = field(default_factory=dict)
    """What must succeed in the end."""


def lines(text: str) -> Iterator[Line]:
    r"""Yield the instructions of a Dockerfile.

    Example:
        >>> list(lines("# no\nFROM a AS b\nRUN c \\\n  && d\n"))
        [Line(word='FROM', told='a AS b'), Line(word='RUN', told='c    && d')]
    """
    kept = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in "\n".join(kept).replace("\\\n", " ").splitlines():
        word, _, told = line.partition(" ")
        yield Line(word, told)


def needed(found: list[Line], target: str) -> list[Line]:
    r"""Return the lines of the stages that a target is made of.

    Example:
        >>> found = lines("FROM a AS b\nFROM a AS c\nCOPY --from=b x y\nFROM a AS d")
        >>> [line.told for line in needed(list(found), "c")]
        ['a AS b', 'a AS c', '--from=b x y']
    """
    stages: dict[str, list[Line]] = {}
    for line in found:
        if line.word == "FROM":
            body = stages[line.told.split()[-1]] = []
        body.append(line)
    wanted = {target}
    for name in reversed(stages):
        if name in wanted:
            wanted.add(stages[name][0].told.split()[0])
            wanted |= {
                part for line in stages[name] for part in re.findall("--from=(.+?) ", line.told)
            }
    return [line for name in stages if name in wanted for line in stages[name]]


def replay(target: str, scratch: Path) -> None:
    """Build a target, then let it answer as it would in service."""
    stages: dict[str, Stage] = {}
    for line in needed(list(lines((PROJECT / "Dockerfile").read_text("utf-8"))), target):
        say(f"{line.word} {line.told}")
        if line.word == "FROM":
            base, _, name = line.told.partition(" AS ")
            stages[name] = begin(base, stages.get(base), scratch / name)
        elif line.word == "COPY":
            copy(stages[name], line.told, stages, scratch)
        else:
            stages[name] = follow(stages[name], line)
    built = stages[target]
    for words in built.answers.values():
        say(f"user {built.user}: {shlex.join(words)}")
        inside(built, words)
    used = sum(file.lstat().st_size for file in (built.root / "app").rglob("*"))
    say(f"done: /app is {used / 2**30:.1f} GiB")


def follow(now: Stage, line: Line) -> Stage:
    """Return a stage after one more line."""
    if line.word == "RUN":
        inside(now, ["sh", "-c", line.told])
        return now
    if line.word == "ENV":
        env = dict(now.env)
        for name, _, value in (part.partition("=") for part in shlex.split(line.told)):
            env[name] = re.sub(r"\$(\w+)", lambda found: now.env[found[1]], value)
        return replace(now, env=env)
    if line.word == "WORKDIR":
        (now.root / line.told[1:]).mkdir(parents=True, exist_ok=True)
        return replace(now, work=line.told)
    if line.word == "USER":
        return replace(now, user=line.told)
    if line.word in {"CMD", "HEALTHCHECK"}:
        return replace(now, answers={**now.answers, line.word: re.findall(r'"(.+?)"', line.told)})
    raise SystemExit(f"{line.word}: not known here; teach it to {Path(__file__).name}")


def begin(base: str, before: Stage | None, place: Path) -> Stage:
    """Begin a stage where another one ended, or with the base image."""
    layer, work, root = (place / name for name in ("layer", "work", "root"))
    for folder in (layer, work, root):
        folder.mkdir(parents=True)
    below = before.root if before else Path("/")
    told = f"lowerdir={below},upperdir={layer},workdir={work}"
    mount("-t", "overlay", "overlay", "-o", told, root)
    for kernel in ("proc", "dev"):
        mount("--rbind", f"/{kernel}", root / kernel)
    if before:
        return replace(before, root=root)
    version = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    if base != version or Path("/app").exists():
        raise SystemExit(f"needs {base} and no folder /app, found {version}")
    for folder in PYTHON.parents:  # in an image every user reaches Python
        (root / str(folder)[1:]).chmod(0o755)
    for file in ("passwd", "group"):  # an image has no people yet
        whole = (root / "etc" / file).read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in whole if not PEOPLE <= int(line.split(":")[2]) < NOBODY]
        (root / "etc" / file).write_text("".join(kept), encoding="utf-8")
    passed_on = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    return Stage(root, {**passed_on, "PATH": PATH, "HOME": "/root"})


def copy(now: Stage, told: str, stages: dict[str, Stage], scratch: Path) -> None:
    """Copy from another stage, or from the project what .dockerignore lets through."""
    *options, source, target = told.split()
    chosen = dict(option[2:].split("=") for option in options)
    origin = stages[chosen["from"]].root / source[1:] if "from" in chosen else context(scratch)
    given = origin if "from" in chosen else origin / source
    goal = (now.root / now.work[1:] / target) if target[0] != "/" else now.root / target[1:]
    if given.is_dir():
        subprocess.run(["cp", "-a", f"{given}/.", goal], check=True)
    else:
        shutil.copy2(given, goal / given.name if goal.is_dir() else goal)
    if "chown" in chosen:
        subprocess.run(["chroot", now.root, "chown", "-R", chosen["chown"], target], check=True)


def context(scratch: Path) -> Path:
    """Return a copy of the project as an engine would be given it."""
    place = scratch / "context"
    if not place.exists():
        rules = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        listed = subprocess.run(
            ["git", "-C", PROJECT, "ls-files"], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        for name in listed:
            if let_through(name, rules):
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / name, place / name)
    return place


def let_through(name: str, rules: list[str]) -> bool:
    """Tell whether .dockerignore lets a file through: the last rule that fits decides.

    Example:
        >>> [let_through(name, ["*", "!src"]) for name in ("src/foreseq/panel.py", "tests/a.py")]
        [True, False]
    """
    parts = name.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    through = True
    for rule in rules:
        bare = rule.removeprefix("!").removeprefix("**/")
        if any(fnmatchcase(one, bare) for one in above):
            through = rule.startswith("!")
    return through


def inside(stage: Stage, words: list[str]) -> None:
    """Run a command in a stage, as its user, in its folder, with its environment alone."""
    entered = ["chroot", f"--userspec={stage.user}:{stage.user}", str(stage.root)]
    there = ["env", "-i", *(f"{name}={value}" for name, value in stage.env.items())]
    subprocess.run(
        [*entered, *there, "sh", "-c", f'cd {stage.work} && exec "$@"', "sh", *words], check=True
    )


def mount(*words: str | Path) -> None:
    """Mount something; it goes with the namespace."""
    subprocess.run(["mount", *words], check=True)


def say(line: str) -> None:
    """Tell what happens."""
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    if sys.argv[1:2] != ["--alone"]:  # mounts of a namespace end with it
        words = [sys.executable, __file__, "--alone", *sys.argv[1:]]
        sys.exit(subprocess.run(["unshare", "--mount", *words], check=False).returncode)
    with tempfile.TemporaryDirectory(prefix="foreseq-image-", ignore_cleanup_errors=True) as folder:
        try:
            replay((sys.argv[2:] or ["cpu"])[0], Path(folder))
        finally:
            for root in Path(folder).glob("*/root"):
                subprocess.run(["umount", "--recursive", "--lazy", root], check=False)
