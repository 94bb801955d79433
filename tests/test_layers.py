from pathlib import Path

from importlinter.cli import lint_imports

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_every_module_has_its_layer_and_leans_only_on_those_below():
    assert lint_imports(config_filename=str(PROJECT), no_cache=True) == 0
