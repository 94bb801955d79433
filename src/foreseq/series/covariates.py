"""What is known beside y: columns of the past, columns known ahead, and features of a series.

A panel holds them as they came; a network reads them as numbers near one, or as positions among the
categories that it was trained on. What that takes is in its config, from the training span alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from foreseq.config import Covariate, CovariatesConfig, Role
from foreseq.series import rows

if TYPE_CHECKING:
    from foreseq.series.windows import Windows

MOST_CATEGORIES = 500
"""Categories of a column that a network tells apart, the most frequent ones; others are unknown."""
LEAST_SHARE = 1e-9
"""Spread, in units of the largest value, up to which a column does not vary but for rounding."""


class Column(NamedTuple):
    """One column of a panel."""

    name: str
    role: Role
    categories: tuple[str, ...] = ()
    """Its values as text, ascending; empty: it holds numbers."""


@dataclass(frozen=True, eq=False)
class Covariates:
    """Columns beside y, on the steps of their series and beyond the last y."""

    columns: tuple[Column, ...]
    """Those that change with time first, then the static ones."""
    values: NDArray[np.float64]
    """Shape (rows, changing columns), series after series; a category is its position among those
    of its column; NaN: not known."""
    offsets: NDArray[np.int64]
    """Shape (n_series + 1,): the rows of series i are `offsets[i]` to `offsets[i + 1]`, the first
    of them at its first step."""
    static: NDArray[np.float64]
    """Shape (n_series, static columns)."""

    def select(self, positions: NDArray[np.int64]) -> "Covariates":
        """Return those of some series, in the order given."""
        wanted, offsets = rows.select(self.offsets, positions)
        return Covariates(self.columns, self.values[wanted], offsets, self.static[positions])

    def by_step(self, column: int) -> NDArray[np.float64]:
        """Return a column for every row, a static one repeated, shape (rows,)."""
        changing = self.values.shape[1]
        if column < changing:
            return self.values[:, column]
        return np.repeat(self.static[:, column - changing], np.diff(self.offsets))


def lengths_ahead(
    covariates: Covariates | None, lengths: NDArray[np.int64], horizon: int
) -> NDArray[np.int64]:
    """Return the steps of each series with a horizon after its last y, or more if more are known.

    Args:
        covariates: Of a panel; None: it has none.
        lengths: Steps of each series up to the last y, shape (n_series,).
        horizon: Steps.
    """
    known = np.zeros_like(lengths) if covariates is None else np.diff(covariates.offsets)
    return np.maximum(known, lengths + horizon)


def with_columns(
    covariates: Covariates | None,
    columns: tuple[Column, ...],
    parts: Sequence[NDArray[np.float64]],
) -> Covariates:
    """Return covariates with further columns that change with time, after those there are.

    Args:
        covariates: Of a panel; None: it has none.
        columns: The further ones.
        parts: Their values, shape (steps of `lengths_ahead`, columns) for each series.
    """
    made, offsets = np.concatenate(parts), rows.offsets_of(np.array([len(part) for part in parts]))
    if covariates is None:
        return Covariates(columns, made, offsets, np.empty((len(parts), 0)))
    changing = covariates.values.shape[1]
    values = np.full((offsets[-1], changing), np.nan)
    within = rows.steps(offsets) < np.repeat(np.diff(covariates.offsets), np.diff(offsets))
    values[within] = covariates.values
    order = (*covariates.columns[:changing], *columns, *covariates.columns[changing:])
    return Covariates(order, np.column_stack([values, made]), offsets, covariates.static)


class Read(NamedTuple):
    """What a network reads of some windows beside y."""

    values: NDArray[np.float32]
    """Shape (batch, time, columns): numbers near one; categories as positions from 1 on, 0 for
    unknown ones. Zero where nothing is known."""
    known: NDArray[np.float32]
    """The same shape: one where a value is known."""


def read(
    covariates: Covariates | None,
    reads: Sequence[Covariate],
    windows: "Windows",
    context: int,
    horizon: int,
) -> Read:
    """Return what a network reads of some windows, `context` steps back and `horizon` ahead.

    Columns of the past are never read after a cutoff. A column that the data lack, or a series has
    no value of, is unknown.

    Args:
        covariates: Of the panel; None: it has none.
        reads: Columns of the network, in its order.
        windows: Windows to read, shape (batch,).
        context: Past steps.
        horizon: Future steps.
    """
    shape = (windows.count, context + horizon, len(reads))
    result = Read(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    if covariates is None or not reads:
        return result
    steps = windows.cutoff[:, None] + np.arange(-context, horizon)
    starts, ends = (covariates.offsets[windows.series + side] for side in (0, 1))
    inside = (steps >= 0) & (steps < (ends - starts)[:, None])
    places = starts[:, None] + np.where(inside, steps, 0)
    names = [column.name for column in covariates.columns]
    changing = covariates.values.shape[1]
    for place, wanted in enumerate(reads):
        if wanted.name not in names:
            continue
        at = names.index(wanted.name)
        if at < changing:
            values = np.where(inside, covariates.values[:, at].take(places, mode="clip"), np.nan)
        else:
            values = np.repeat(covariates.static[windows.series, at - changing], steps.shape[1])
            values = values.reshape(steps.shape)
        if wanted.role == "past":
            values[:, context:] = np.nan
        known = np.isfinite(values)
        encoded = _encode(np.where(known, values, 0.0), wanted, covariates.columns[at])
        result.values[..., place] = np.where(known, encoded, 0.0)
        result.known[..., place] = known
    return result


def unknown_ahead(
    covariates: Covariates | None,
    reads: Sequence[Covariate],
    lengths: NDArray[np.int64],
    horizon: int,
) -> list[tuple[str, int, int]]:
    """Return what should be known ahead and is not: column, first step ahead, and series.

    The step is the first that any series lacks, the series the position of the first that does.

    Args:
        covariates: Of the panel; None: it has none.
        reads: Columns of the network.
        lengths: Steps of each series up to the cutoff, shape (n_series,).
        horizon: Steps that are forecast.
    """
    missing = []
    names = [column.name for column in covariates.columns] if covariates else []
    for wanted in reads:
        if wanted.role != "future":
            continue
        if covariates is None or wanted.name not in names:
            missing.append((wanted.name, 1, 0))
            continue
        steps = lengths[:, None] + np.arange(horizon)
        ends = np.diff(covariates.offsets)[:, None]
        places = covariates.offsets[:-1, None] + np.minimum(steps, ends - 1)
        values = covariates.by_step(names.index(wanted.name))[places]
        unknown = (steps >= ends) | np.isnan(values)
        if unknown.any():
            step = int(unknown.any(axis=0).argmax())
            missing.append((wanted.name, step + 1, int(unknown[:, step].argmax())))
    return missing


def roles(covariates: Covariates | None) -> CovariatesConfig | Literal["none"]:
    """Return the columns by role, as a config says it."""
    if covariates is None:
        return "none"
    names = {
        role: tuple(column.name for column in covariates.columns if column.role == role)
        for role in get_args(Role)
    }
    named = tuple(column.name for column in covariates.columns if column.categories)
    return CovariatesConfig(**names, categories=named)


def describe(covariates: Covariates, ends: NDArray[np.int64]) -> tuple[Covariate, ...]:
    """Return the columns as a network will read them, by what the first steps of series show.

    Columns that do not vary there are left out. Numbers are read relative to their median, in units
    of their mean distance from it.

    Args:
        covariates: Of the panel.
        ends: Steps of each series that may be read, shape (n_series,).
    """
    offsets = covariates.offsets
    inside = rows.steps(offsets) < np.repeat(ends, np.diff(offsets))
    described = []
    for at, column in enumerate(covariates.columns):
        values = covariates.by_step(at)[inside]
        values = values[np.isfinite(values)]
        if not values.size or values.min() == values.max():
            continue
        if column.categories:
            codes, counts = np.unique(values.astype(int), return_counts=True)
            most = np.sort(codes[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])
            categories = tuple(column.categories[code] for code in most)
            described.append(Covariate(name=column.name, role=column.role, categories=categories))
            continue
        location = float(np.median(values))
        spread = float(np.abs(values - location).mean())
        if spread > LEAST_SHARE * np.abs(values).max():
            described.append(
                Covariate(name=column.name, role=column.role, location=location, spread=spread)
            )
    return tuple(described)


def _encode(
    values: NDArray[np.float64], wanted: Covariate, column: Column
) -> NDArray[np.float64] | NDArray[np.int64]:
    """Return values as a network reads them; a heavy tail is compressed, not cut off."""
    if not wanted.categories:
        return np.asarray(np.arcsinh((values - wanted.location) / wanted.spread))
    places = {category: place for place, category in enumerate(wanted.categories, 1)}
    table = np.array([places.get(name, 0) for name in column.categories] or [0])
    return np.asarray(table[(values if column.categories else 0 * values).astype(int)])
