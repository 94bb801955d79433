"""Configs from YAML files, mappings and `name=value` overrides."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from foreseq.config.dataset import PLAIN_PARAMETER, ResolvedDataset
from foreseq.config.experiment import ExperimentConfig
from foreseq.config.fields import Config
from foreseq.errors import ConfigError, nearest

ConfigT = TypeVar("ConfigT", bound=Config)


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read an experiment from YAML, then apply `a.b=value` overrides.

    Args:
        path: A file of `configs/forecasters/`; its `dataset` may name another YAML file,
            relative to this one.
        overrides: Fields to set; the value is YAML, or text as it is typed where a field is text.

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


def history_fields(source: str | None, overrides: Sequence[str] = ()) -> dict[str, Any] | None:
    """Return the fields in which a source of histories differs from a model's dataset.

    Args:
        source: File or URL; None: the source that the model was trained on.
        overrides: `dataset.b=value`.

    Raises:
        ConfigError: If an override is of no field of a dataset.

    Example:
        >>> history_fields("new/shops.csv", ["dataset.columns.y=No"])["columns"]
        {'y': 'No'}
    """
    fields: dict[str, Any] = {}
    for override in overrides:
        if not override.startswith("dataset."):
            raise ConfigError(f"--set {override}: only fields of dataset can be set here")
        fields = _override(fields, override, ExperimentConfig)
    changed: dict[str, Any] = fields.get("dataset", {})
    if source is None:
        return changed or None
    new = {"name": stem(source), "source": source, "query": "", "update": "replace", "as_of": None}
    new["future"] = ""
    return new | changed


def history_dataset(trained: ResolvedDataset, history: Mapping[str, Any] | None) -> ResolvedDataset:
    """Return the dataset of histories for a model: read as what it was trained on.

    Args:
        trained: What the model was trained on.
        history: Fields that differ, nested; None: the same source.

    Raises:
        ConfigError: If a field is unknown or out of bounds.
    """
    fixed = {"freq": trained.freq, "season": trained.season, "horizon": trained.horizon}
    fields = set_fields(trained.model_dump(), {**(history or {}), **fixed})
    return build(ResolvedDataset, fields, origin="dataset")


def stem(source: str) -> str:
    """Return the name of a dataset after its file.

    Example:
        >>> stem("https://example.org/my shops.csv.gz?day=1")
        'my-shops'
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source.partition("?")[0]).name.partition(".")[0])
    return name.strip("-._") or "panel"


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
        fields = _override(fields, override, kind)
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        lines = [_message(kind, origin, dict(problem)) for problem in error.errors()]
        raise ConfigError(*lines) from None


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
            f"{nearest(path)}"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"{path}: must hold fields and values, found {type(fields).__name__}")
    return fields


def _override(
    fields: dict[str, Any], override: str, kind: type[BaseModel] | None = None
) -> dict[str, Any]:
    """Return the fields of a kind with one `a.b=value` applied; the argument stays as it was."""
    field, sign, value = override.partition("=")
    if not sign or not field.strip():
        raise ConfigError(f"--set {override}: write it as field.subfield=value")
    first, _, rest = field.strip().partition(".")
    known = kind.model_fields.get(first) if kind else None
    annotation: Any = known.annotation if known else None
    if not rest:
        return {**fields, first: _value(value, annotation, override)}
    inner = fields.get(first) or {}
    if not isinstance(inner, dict):
        raise ConfigError(f"--set {override}: {first} holds no fields")
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        annotation = None
    return {**fields, first: _override(inner, f"{rest}={value}", annotation)}


def _value(typed: str, annotation: Any, override: str) -> Any:
    """Return a typed value: as it stands for a field of text, where `No` is a name; else YAML."""
    quoted = typed[:1] in {"'", '"'}
    if not quoted and typed != "null" and _takes_text_only(annotation):
        return typed
    try:
        return yaml.safe_load(typed)
    except yaml.YAMLError:
        raise ConfigError(f"--set {override}: {typed!r} is not a YAML value") from None


def _takes_text_only(annotation: Any) -> bool:
    """Return whether a field holds text, one of some words, or None instead."""
    union = get_origin(annotation) in (Union, UnionType)
    options = get_args(annotation) if union else [annotation]
    return all(
        option is str
        or (
            get_origin(option) is Literal
            and all(isinstance(word, str) for word in get_args(option))
        )
        for option in options
        if option is not NoneType
    )


def _message(kind: type[Config], origin: str, problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "experiment"
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(where, _names(kind), n=1)
        advice = f"did you mean {near[0]}?" if near else "see configs/README.md for those there are"
        return f"{origin}: {where}: no such field; {advice}"
    if problem["type"] == "missing":
        return f"{origin}: {where}: is required"
    found = re.sub(r"//.*@", "//", repr(problem["input"]))  # no password on any screen
    found = re.sub(PLAIN_PARAMETER + r".*", "?...'", found)
    return f"{origin}: {where}: {problem['msg']}, found {found}"


def _names(kind: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted names of all fields of a config."""
    names = []
    for name, field in kind.model_fields.items():
        names.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += _names(field.annotation, f"{prefix}{name}.")
    return names
