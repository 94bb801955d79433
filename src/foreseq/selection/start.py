"""Whether a network begins with random weights, or with pretrained ones and their architecture."""

from typing import Any

from foreseq.config.fields import DEFAULT_LEVELS, get, put
from foreseq.errors import ConfigError
from foreseq.training import pretrained
from foreseq.training.pretrained import Family

START = "training.start"
OPEN: dict[str, Any] = {"network.quantiles": ()}
"""Values of open fields that are not None."""

OF_THE_DATA = {"log", "output_domain", "covariates", "cold_start"}
"""Fields of a network that pretrained weights do not determine."""

Fields = dict[str, Any]
"""An experiment as nested dictionaries, some values still None."""
Chosen = tuple[str, Any, str]
"""Field, value and reason."""


def choose(fields: Fields, season: int) -> list[Chosen]:
    """Choose the first weights if that is open, and what follows from pretrained ones.

    Args:
        fields: Of the experiment, changed in place.
        season: Of the data.

    Raises:
        ConfigError: If there is no network for pretrained weights, or a field asks for another one.
    """
    chosen = [_weights(fields, season)] if get(fields, START) is None else []
    if get(fields, START) == "pretrained":
        chosen += _as_pretrained(fields, pretrained.needed(season))
    return chosen


def _weights(fields: Fields, season: int) -> Chosen:
    """Choose pretrained weights, unless some field asks for another network."""
    found = pretrained.family(season)
    value, reason = "random", "no network of this season is in the package"
    if found:
        others = [name for name, _ in _differing(fields, found)]
        value, reason = "pretrained", "it has learned from synthetic series of this season"
        if others:
            value, reason = "random", f"no pretrained network has this {others[0]}"
    put(fields, START, value)
    return START, value, reason


def _as_pretrained(fields: Fields, found: Family) -> list[Chosen]:
    """Set the fields that the pretrained network determines; return those that were open."""
    for name, needed in _differing(fields, found):
        raise ConfigError(
            f"{name}={get(fields, name)} does not go with training.start=pretrained, which needs"
            f" {needed}; leave one of them out"
        )
    chosen: list[Chosen] = []
    for name, value in (*_fixed(found), ("intervals.levels", DEFAULT_LEVELS)):
        if get(fields, name) == OPEN.get(name) != value:
            chosen.append((name, value, "as pretrained"))
            put(fields, name, value)
    return chosen


def _fixed(family: Family) -> list[tuple[str, Any]]:
    """Return the dotted fields that a pretrained network determines."""
    network = family.network().model_dump(exclude=OF_THE_DATA)
    cells = network.pop("cells")
    return [
        *((f"network.cells.{name}", value) for name, value in cells.items()),
        *((f"network.{name}", value) for name, value in network.items()),
    ]


def _differing(fields: Fields, family: Family) -> list[tuple[str, Any]]:
    """Return the fields that are set otherwise than a pretrained network needs, and its values.

    Dropout may be set: no weight depends on it.
    """
    return [
        (name, value)
        for name, value in _fixed(family)
        if not name.endswith("dropout") and get(fields, name) not in (OPEN.get(name), value)
    ]
