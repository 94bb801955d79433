"""Every command speaks before it imports what takes seconds."""

import json
import subprocess
import sys

from foreseq.pipelines.cli.help import GROUPS

HEAVY = ("keras", "matplotlib", "mlflow", "pandas", "prefect", "sqlalchemy", "tensorflow")
OTHERS = {"show", "example-data", "doctor", "ui"}
"""Commands whose first words are their result, or that hand over to another program."""
EXAMPLES = [f"{name} {words}" for group in GROUPS.values() for name, words in group.items()]
SPEAK = """
import json, shlex, sys
from foreseq.pipelines.cli.main import app
from foreseq.pipelines.runtime import console

class Spoken(Exception):
    pass

def stop(line):
    raise Spoken(line)

console.hush, console.say = lambda **_: None, stop
found = {}
for words in json.loads(sys.argv[1]):
    try:
        app(shlex.split(words))
    except Spoken as line:
        found[words] = [one for one in sys.argv[2:] if one in sys.modules]
print(json.dumps(found))
"""


def test_the_first_line_of_a_command_comes_before_heavy_imports(tmp_path):
    (tmp_path / "my.csv").touch()
    for folder in ("forecasters", "schedules"):
        (tmp_path / "configs" / folder).mkdir(parents=True)
    experiment = tmp_path / "configs" / "forecasters" / "my.yaml"
    experiment.write_text("dataset: {name: my, source: my.csv, horizon: 14}\n")
    schedule = {"flow": "run", "cron": "0 3 * * *", "config": str(experiment)}
    (tmp_path / "configs" / "schedules" / "my.yaml").write_text(json.dumps(schedule))
    commands = [words for words in EXAMPLES if words.split()[0] not in OTHERS]
    commands += ["text train", "text score my.csv"]
    ran = subprocess.run(  # noqa: S603 our own words
        [sys.executable, "-c", SPEAK, json.dumps(commands), *HEAVY],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {words: [] for words in commands}
