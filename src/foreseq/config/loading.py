"""Configs from YAML files, mappings and `name=value` overrides."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from foreseq.config.experiment import ExperimentConfig
from foreseq.config.fields import Config
from foreseq.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=Config)


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read an experiment from YAML, then apply `a.b=value` overrides.

    Args:
        path: A file of `configs/forecasters/`; its `dataset` may name another YAML file,
            relative to this one.
        overrides: Fields to set, the value written as YAML.

    Raises:
        ConfigError: If a file is missing, is not YAML, or a field is unknown or out of bounds.
    """
    fields = read_yaml(path)
    if isinstance(fields.get("dataset"), str):
        fields["dataset"] = read_yaml(path.parent / fields["dataset"])
    return build_experiment(fields, overrides, origin=str(path))


def build_experiment(
    fields: dict[str, Any], overrides: Sequence[str] = (), *, origin: str = "configuration"
) -> ExperimentConfig:
    """Return the experiment of some fields after `a.b=value` overrides.

    Raises:
        ConfigError: If a field is unknown or out of bounds; the message names `origin`.

    Example:
        >>> experiment = build_experiment(
        ...     {"dataset": {"source": "a.csv", "horizon": 12}}, ["training.max_steps=50"])
        >>> experiment.training.max_steps
        50
    """
    return build(ExperimentConfig, fields, overrides, origin=origin)


def set_fields(fields: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with others set, by dotted name or as nested mappings.

    Example:
        >>> set_fields({"a": {"b": 1, "c": 2}}, {"a.b": 3, "d": {"e": 4}})
        {'a': {'b': 3, 'c': 2}, 'd': {'e': 4}}
    """
    result = dict(fields)
    for name, value in values.items():
        first, _, rest = name.partition(".")
        if rest or isinstance(value, Mapping):
            inner = result.get(first)
            inner = inner if isinstance(inner, dict) else {}
            result[first] = set_fields(inner, {rest: value} if rest else value)
        else:
            result[first] = value
    return result


def build(
    kind: type[ConfigT], fields: dict[str, Any], overrides: Sequence[str] = (), *, origin: str
) -> ConfigT:
    """Return a config of any kind after its `a.b=value` overrides.

    Raises:
        ConfigError: If a field is unknown or out of bounds; the message names `origin`.
    """
    for override in overrides:
        fields = _override(fields, override)
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        lines = [_message(kind, origin, dict(problem)) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the fields and values of a YAML file.

    Raises:
        ConfigError: If it cannot be read, is not YAML, or holds something else.
    """
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); check the path of the configuration"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"{path}: must hold fields and values, found {type(fields).__name__}")
    return fields


def _override(fields: dict[str, Any], override: str) -> dict[str, Any]:
    """Return the fields with one `a.b=value` applied; the argument stays as it was."""
    field, sign, value = override.partition("=")
    if not sign or not field.strip():
        raise ConfigError(f"--set {override}: write it as field.subfield=value")
    first, _, rest = field.strip().partition(".")
    if not rest:
        try:
            return {**fields, first: yaml.safe_load(value)}
        except yaml.YAMLError:
            raise ConfigError(f"--set {override}: {value!r} is not a YAML value") from None
    inner = fields.get(first) or {}
    if not isinstance(inner, dict):
        raise ConfigError(f"--set {override}: {first} holds no fields")
    return {**fields, first: _override(inner, f"{rest}={value}")}


def _message(kind: type[Config], origin: str, problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "experiment"
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(where, _names(kind), n=1)
        advice = f"did you mean {near[0]}?" if near else "see configs/README.md for those there are"
        return f"{origin}: {where}: no such field; {advice}"
    if problem["type"] == "missing":
        return f"{origin}: {where}: is required"
    found = re.sub(r"//[^/@]*@", "//", repr(problem["input"]))  # no password on any screen
    return f"{origin}: {where}: {problem['msg']}, found {found}"


def _names(kind: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted names of all fields of a config."""
    names = []
    for name, field in kind.model_fields.items():
        names.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += _names(field.annotation, f"{prefix}{name}.")
    return names
