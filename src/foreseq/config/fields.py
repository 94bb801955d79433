"""What every config is made of: frozen models, and access to a field by its dotted name."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from foreseq.errors import ConfigError

MEDIAN = 0.5
"""The quantile level that becomes `y_hat`."""
DEFAULT_LEVELS = (0.1, MEDIAN, 0.9)

Levels = tuple[Annotated[float, Field(gt=0, lt=1)], ...]
"""Quantile levels, ascending."""
Rate = Annotated[float, Field(ge=0, lt=1)]
"""A share to drop. Keras reads 1, which would drop everything, as dropping nothing."""


class Config(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def ascending(levels: Levels, name: str) -> Levels:
    """Return quantile levels that ascend and hold the median.

    Raises:
        ValueError: If they do not.
    """
    if list(levels) != sorted(set(levels)) or MEDIAN not in levels:
        raise ValueError(f"{name} must ascend and hold 0.5, the median that becomes y_hat")
    return levels


def get(fields: dict[str, Any], name: str) -> Any:
    """Return the value of a dotted field.

    Raises:
        ConfigError: If there is no such field.

    Example:
        >>> get({"a": {"b": [1, 2]}}, "a.b")
        [1, 2]
    """
    value: Any = fields
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ConfigError(f"{name}: no such field; see configs/README.md for those there are")
        value = value[part]
    return value


def put(fields: dict[str, Any], name: str, value: Any) -> None:
    """Set a dotted field in place.

    Raises:
        ConfigError: If there is no such section.

    Example:
        >>> fields = {"a": {"b": 1}}
        >>> put(fields, "a.b", 2)
        >>> fields
        {'a': {'b': 2}}
    """
    section, _, last = name.rpartition(".")
    (get(fields, section) if section else fields)[last] = value


UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float | None:
    """Return the seconds of 90s, 10m, 1.5h or 1d, or of a number alone; None if it is none.

    Example:
        >>> seconds("1.5h"), seconds("90")
        (5400.0, 90.0)
        >>> seconds("soon")
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    return float(parts[1]) * UNITS[parts[2]] if parts else None
