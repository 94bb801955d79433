"""Seeded example data that resemble real ones, as a table in memory or as large files.

Series differ in level by orders of magnitude, in trend, season, noise and start; some count rare
events, some jump to another level. All end together.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from foreseq.durable import files
from foreseq.series import calendar

CELLS = 1_000_000
"""Values generated at a time, which bounds the memory; part of what the seed determines."""
RARE = 0.1
"""Share of series that are mostly zero."""
SHIFTED = 0.1
"""Share of series that jump to another level."""

Array = NDArray[np.float64]


def generate(series: int, freq: str, length: int, seed: int) -> pd.DataFrame:
    """Return a table `unique_id, ds, y`.

    Args:
        series: Number of series.
        freq: Frequency, as in `calendar.canonical`.
        length: Steps of the longest series; the shortest have half as many.
        seed: The same seed makes the same table.

    Raises:
        ConfigError: If there is no such frequency.

    Example:
        >>> table = generate(series=3, freq="D", length=30, seed=1)
        >>> table["unique_id"].unique().tolist(), table["ds"].max()
        (['S0', 'S1', 'S2'], Timestamp('2000-01-30 00:00:00'))
    """
    return pd.concat(list(_parts(series, freq, length, seed)), ignore_index=True)


def write(target: Path, series: int, freq: str, length: int, seed: int) -> Path:
    """Write the table of `generate` in bounded memory, whole or not at all; return `target`.

    A name ending in `.csv` or `.parquet` becomes one file, any other a folder of Parquet files.
    """
    parts = (_to_arrow(part, freq) for part in _parts(series, freq, length, seed))
    if target.suffix in (".csv", ".parquet"):
        with files.new_file(target) as temporary:
            _write_file(parts, temporary)
    else:
        with files.new_folder(target) as temporary:
            for number, part in enumerate(parts):
                pyarrow.parquet.write_table(part, temporary / f"part-{number:05d}.parquet")
    return target


def _write_file(parts: Iterator[Any], file: Path) -> None:
    first = next(parts)
    if file.suffix == ".parquet":
        writer = pyarrow.parquet.ParquetWriter(file, first.schema)
    else:
        plain = pyarrow.csv.WriteOptions(quoting_style="needed")
        writer = pyarrow.csv.CSVWriter(file, first.schema, write_options=plain)
    with writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part)


def _to_arrow(part: pd.DataFrame, freq: str) -> Any:
    """Return an Arrow table with times as dates or milliseconds."""
    table = pa.Table.from_pandas(part, preserve_index=False)
    if calendar.is_integer(freq):
        return table
    whole_days = (part["ds"] == part["ds"].dt.normalize()).all()
    times = table["ds"].cast(pa.date32() if whole_days else pa.timestamp("ms"), safe=False)
    return table.set_column(1, "ds", times)


def _parts(series: int, freq: str, length: int, seed: int) -> Iterator[pd.DataFrame]:
    """Yield the table in pieces of whole series."""
    freq = calendar.canonical(freq)
    ds = calendar.times(_start(freq), 0, length, freq)
    size = max(1, CELLS // length)
    digits = len(str(series - 1))
    for first in range(0, series, size):
        rng = np.random.default_rng([seed, first])
        count = min(size, series - first)
        y = _values(rng, count, length, freq)
        starts = rng.integers(0, length // 2 + 1, size=count)
        kept = np.arange(length) >= starts[:, None]  # (series, steps)
        place, step = np.nonzero(kept)
        names = np.array([f"S{first + i:0{digits}d}" for i in range(count)], dtype=object)
        yield pd.DataFrame({"unique_id": names[place], "ds": ds[step], "y": y[kept]})


def _start(freq: str) -> Any:
    """Return the first time of all grids."""
    if calendar.is_integer(freq):
        return np.int64(1)
    month_end = freq.endswith("E")
    day = "2000-01-31" if month_end else "2000-01-03" if freq.endswith("B") else "2000-01-01"
    return np.datetime64(day, "ns")


def _values(rng: np.random.Generator, count: int, length: int, freq: str) -> Array:
    """Return values of shape (series, steps)."""
    steps = np.arange(length)
    level = 10 ** rng.uniform(0.5, 5, size=(count, 1))
    trend = rng.normal(0, 0.5, size=(count, 1)) * steps / length
    wander = rng.normal(0, 0.01, size=(count, length)).cumsum(axis=1)
    jump = rng.normal(0, 0.7, size=(count, 1)) * (rng.random((count, 1)) < SHIFTED)
    shift = jump * (steps >= rng.integers(length // 3, length, size=(count, 1)))
    noise = rng.normal(0, 1, size=(count, length)) * rng.uniform(0.01, 0.2, size=(count, 1))
    y = level * np.exp(trend + wander + shift + _seasons(rng, count, steps, freq) + noise)
    rare = rng.random(count) < RARE
    rate = rng.uniform(0.05, 0.7, size=(count, 1))[rare]
    y[rare] = rng.poisson(rate, size=(int(rare.sum()), length))
    return np.asarray(y.round(3))


def _seasons(rng: np.random.Generator, count: int, steps: NDArray[Any], freq: str) -> Array:
    """Return the logarithm of all seasons of the frequency together, shape (series, steps)."""
    total = np.zeros((count, len(steps)))
    for season in calendar.seasons(freq):
        for harmonic in (1, 2) if season > 1 else ():
            phase = rng.uniform(0, 2 * np.pi, size=(count, 1))
            size = rng.uniform(0, 0.4 / harmonic, size=(count, 1))
            total += size * np.sin(2 * np.pi * harmonic * steps / season + phase)
    return total
