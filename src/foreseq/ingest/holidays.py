"""Public holidays as covariates that are known ahead, from the package of that name."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.config import DatasetConfig
from foreseq.errors import ConfigError
from foreseq.series import calendar, covariates
from foreseq.series.covariates import Column
from foreseq.series.panel import Panel

NAME, NEAR, DAY = "public_holiday_name", "public_holiday_near", "public_holiday"
COLUMNS = (DAY, NEAR, NAME)
"""Whether a day is one, whether the day before or after is, and which one it is."""
NONE = "none"


def add(panel: Panel, dataset: DatasetConfig) -> Panel:
    """Return the panel with the holidays of its days, up to a horizon after the last y.

    Args:
        panel: Steps of a day or less.
        dataset: `holidays` is a country, a region, or the static column that names them.

    Raises:
        ConfigError: If there is no such country or region, or steps are longer than a day.
    """
    if not dataset.holidays:
        return panel
    if calendar.is_integer(panel.freq) or calendar.steps_per_year(panel.freq) < 250:  # noqa: PLR2004
        raise ConfigError(
            f"dataset.holidays needs steps of a day or less, found {panel.freq}; leave it out"
        )
    regions, beside = _regions(panel, dataset.holidays), panel.covariates
    lengths = covariates.lengths_ahead(beside, panel.lengths, dataset.horizon)
    found = [
        _of_days(region, panel.times(series, 0, int(length)).astype("datetime64[D]"))
        for series, (region, length) in enumerate(zip(regions, lengths, strict=True))
    ]
    codes, names = pd.factorize(np.concatenate([one[2] for one in found]), sort=True)
    ends = np.cumsum(lengths)[:-1]
    parts = [
        np.column_stack([days, near, code])
        for (days, near, _), code in zip(found, np.split(codes, ends), strict=True)
    ]
    columns = (Column(DAY, "future"), Column(NEAR, "future"), Column(NAME, "future", tuple(names)))
    return replace(panel, covariates=covariates.with_columns(beside, columns, parts))


def _regions(panel: Panel, wanted: str) -> list[str]:
    """Return the country or region of each series."""
    beside = panel.covariates
    for at, column in enumerate(beside.columns if beside else ()):
        if column.name == wanted and beside is not None:
            if column.role != "static" or not column.categories:
                raise ConfigError(
                    f"dataset.holidays: column {wanted} must hold one text per series"
                )
            codes = beside.static[:, at - beside.values.shape[1]]
            return [NONE if np.isnan(code) else column.categories[int(code)] for code in codes]
    return [wanted] * panel.n_series


def _of_days(
    region: str, days: NDArray[np.datetime64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.object_]]:
    """Return of each day whether it is a holiday, whether one is next to it, and its name."""
    if not days.size or region == NONE:
        return np.zeros(len(days)), np.zeros(len(days)), np.full(len(days), NONE, object)
    first, last = (int(str(day)[:4]) for day in (days.min(), days.max()))
    named = _calendar(region, first, last)
    unique, back = np.unique(days, return_inverse=True)
    step = np.timedelta64(1, "D")
    names = [named.get(day, NONE) for day in unique]
    near = [float(day - step in named or day + step in named) for day in unique]
    is_one = np.array([name != NONE for name in names], float)
    return is_one[back], np.array(near)[back], np.array(names, object)[back]


@cache
def _calendar(region: str, first: int, last: int) -> dict[np.datetime64, str]:
    try:
        import holidays  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError("dataset.holidays needs holidays: install foreseq[holidays]") from None
    country, _, part = region.partition("-")
    years = range(first - 1, last + 2)
    try:
        found = holidays.country_holidays(country, subdiv=part or None, years=years)
    except NotImplementedError:
        raise ConfigError(
            f"dataset.holidays: there are none of {region}; write a country as DE, a region as"
            " DE-BY, or the name of a column that holds these for each series"
        ) from None
    return {np.datetime64(day, "D"): name for day, name in found.items()}
