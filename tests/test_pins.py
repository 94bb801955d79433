import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
PINS = PROJECT["tool"]["uv"]["constraint-dependencies"]
OURS = {"foreseq", "pip", "setuptools", "uv", "wheel"}  # and what installers bring along


def test_every_pin_is_one_exact_version_and_nothing_else():
    for pin in PINS:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][^\s;/@]*(; [^@]+)?", pin)


def test_pins_are_in_order_so_that_a_diff_shows_only_what_changed():
    assert sorted(PINS) == PINS


def test_no_package_has_two_pins_on_one_machine():
    here = [pin.name for pin in map(Requirement, PINS) if applies(pin)]
    assert len(here) == len(set(here))


def test_what_is_installed_is_pinned():
    pinned = {pin.name for pin in map(Requirement, PINS) if applies(pin)}
    installed = {canonicalize_name(found.name) for found in distributions()}
    assert installed - pinned - OURS == set()


def applies(pin: Requirement) -> bool:
    return pin.marker is None or pin.marker.evaluate()
