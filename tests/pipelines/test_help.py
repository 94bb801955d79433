"""Help lists each command once, in a group, with an example that names it."""

import pytest
from typer.main import get_command

from foreseq.config.loading import read_yaml
from foreseq.errors import ConfigError
from foreseq.pipelines.cli.help import GROUPS
from foreseq.pipelines.cli.main import app, main

WIDTH = 80


def output(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["foreseq", *words])
    with pytest.raises(SystemExit):
        main()
    return capsys.readouterr().out


def test_every_command_is_in_one_group():
    listed = [name for group in GROUPS.values() for name in group]
    assert sorted(listed) == sorted(get_command(app).commands)


def test_help_has_the_groups_and_no_cut_sentence(monkeypatch, capsys):
    lines = output(monkeypatch, capsys, "--help").splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert {f"{title}:" for title in GROUPS} <= set(lines)
    assert not any(line.endswith("...") for line in lines if "COMMAND" not in line)


@pytest.mark.parametrize("name", [name for group in GROUPS.values() for name in group])
def test_the_example_of_a_command_is_below_its_help(monkeypatch, capsys, name):
    example = output(monkeypatch, capsys, name, "--help").strip().rpartition("Example: ")[2]
    assert example.startswith(f"foreseq {name}")


def test_a_wrong_path_names_the_nearest_one(tmp_path):
    (tmp_path / "shop.yaml").write_text("{}")
    with pytest.raises(ConfigError, match=r"did you mean .*shop\.yaml\?"):
        read_yaml(tmp_path / "shp.yaml")
    with pytest.raises(ConfigError, match=r"check the path of the configuration$"):
        read_yaml(tmp_path / "other" / "nothing.yaml")
