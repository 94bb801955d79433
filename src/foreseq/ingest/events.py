"""Events that the config names, as covariates that are known ahead: one while an event lasts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foreseq.config import DatasetConfig, EventConfig
from foreseq.errors import ConfigError
from foreseq.series import calendar, covariates
from foreseq.series.covariates import Column
from foreseq.series.panel import Panel

PREFIX = "event_"
"""Of the names of columns."""


def add(panel: Panel, dataset: DatasetConfig) -> Panel:
    """Return the panel with a column for each event, up to a horizon after the last y.

    Raises:
        ConfigError: If an event has times where there are steps, or the reverse.
    """
    if not dataset.events:
        return panel
    names = sorted({event.name for event in dataset.events})
    lengths = covariates.lengths_ahead(panel.covariates, panel.lengths, dataset.horizon)
    parts = [np.zeros((length, len(names))) for length in lengths]
    ids = panel.ids.tolist()
    for series, made in enumerate(parts):
        times = panel.times(series, 0, len(made))
        for event in dataset.events:
            if not event.series or ids[series] in event.series:
                made[_lasts(event, times, panel.freq), names.index(event.name)] = 1
    columns = tuple(Column(PREFIX + name, "future") for name in names)
    both = covariates.with_columns(panel.covariates, columns, parts)
    return replace(panel, covariates=both)


def absent(dataset: DatasetConfig, ids: Sequence[str]) -> tuple[str, ...]:
    """Return in words which series of events are not there: mistyped, or not forecast this time."""
    known = set(ids)
    return tuple(
        f"{PREFIX}{event.name}: of series {name}, which is not there"
        for event in dataset.events
        for name in event.series
        if name not in known
    )


def _lasts(event: EventConfig, times: NDArray[Any], freq: str) -> NDArray[np.bool_]:
    """Return at which times an event lasts; a date is the whole day."""
    if calendar.is_integer(freq):
        if not (isinstance(event.first, int) and isinstance(event.last, int)):
            raise ConfigError(f"dataset.events: {event.name} needs steps as first and last")
        return np.asarray((times >= event.first) & (times <= event.last))
    if isinstance(event.first, int) or isinstance(event.last, int):
        raise ConfigError(f"dataset.events: {event.name} needs times as first and last")
    first, last = np.datetime64(event.first), np.datetime64(event.last)
    if event.is_of_days:
        last += np.timedelta64(1, "D") - np.timedelta64(1, "us")
    return np.asarray((times >= first) & (times <= last))
