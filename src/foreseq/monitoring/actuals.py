"""Past forecasts joined with the actuals that have arrived since, and summed up.

No sums are kept in between: they are made again from the forecasts and the newest data each time.
So a repeated check counts nothing twice, and a corrected actual corrects the error of its forecast.
Only one folder's part is in memory at a time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq import metrics
from foreseq.config import MEDIAN
from foreseq.evaluation.backtest import FORESEQ, Backtest, mase_scales
from foreseq.evaluation.baselines import SEASONAL_NAIVE, seasonal_naive
from foreseq.forecasting import writer
from foreseq.forecasting.bundle import Seen
from foreseq.forecasting.writer import Manifest
from foreseq.series import calendar, panel, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

COLUMNS = ["model_version", "origin", "step", "count", "error", "naive", "inside"]
"""Of the table of sums, a row for each version, forecast origin and step ahead: number of actuals,
sums of our errors and of the seasonal naive's in units of MASE, and number of actuals inside the
widest interval."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Actuals:
    """The forecasts of a model, as far as their actuals have arrived."""

    sums: pd.DataFrame
    """See `COLUMNS`; only steps whose actuals have arrived."""
    folders: int
    """Undamaged folders of forecasts of this model."""
    damaged: tuple[str, ...]
    """Folders that do not match their manifest: skipped."""
    duplicates: int
    """Forecasts of a series that another folder holds as well: counted once."""
    trained_on: int
    """Forecasts of steps that their version was trained on: skipped."""
    unmatched: int
    """Rows of series or times that the data do not have: skipped."""


@dataclass
class _Counts:
    """What was read so far."""

    windows: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Version to the codes of the windows counted."""
    duplicates: int = 0
    trained_on: int = 0
    unmatched: int = 0


def collect(root: Path, model: str, newest: Panel, seen: Callable[[str], Seen | None]) -> Actuals:
    """Compare every forecast of a model below a folder with the actuals in the newest data.

    Args:
        root: Folder of folders of forecasts.
        model: Name in the registry; folders of other models are skipped.
        newest: The newest data.
        seen: Version to what it was trained on; None if unknown: its forecasts are skipped.
    """
    counts = _Counts()
    sums, damaged, folders = [], [], 0
    trained: dict[str, Seen | None] = {}
    for folder, manifest in find(root, model):
        version = manifest.model_version
        if version not in trained:
            trained[version] = seen(version)
        until = trained[version]
        if until is None:
            continue
        if not writer.is_whole(folder, manifest):
            damaged.append(str(folder))
            continue
        folders += 1
        sums.append(_sum_folder(folder, manifest, newest, until, counts))
    table = pd.concat(sums, ignore_index=True) if sums else pd.DataFrame(columns=COLUMNS)
    return Actuals(
        table.groupby(COLUMNS[:3], as_index=False, sort=True).sum() if len(table) else table,
        folders,
        tuple(damaged),
        counts.duplicates,
        counts.trained_on,
        counts.unmatched,
    )


def find(root: Path, model: str) -> Iterator[tuple[Path, Manifest]]:
    """Yield the folders of forecasts of a model below a folder, sorted by path."""
    for file in sorted(root.rglob(writer.MANIFEST)):
        hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
        manifest = None if hidden else writer.read_manifest(file.parent)
        if manifest and manifest.model_version.partition("/")[0] == model:
            yield file.parent, manifest


def to_backtest(table: pd.DataFrame, newest: Panel, horizon: int) -> tuple[Backtest, int]:
    """Return a forecast table joined with its actuals, and how many rows match no step of the data.

    Args:
        table: Columns `unique_id, ds, y_hat`, quantiles and `cutoff`.
        newest: The newest data; actuals that it does not have yet are NaN.
        horizon: Most steps ahead of a forecast.
    """
    ids = table["unique_id"].to_numpy(dtype=np.str_)
    position = np.searchsorted(newest.ids, ids).clip(max=newest.n_series - 1)
    start = newest.starts[position]
    cutoffs, times = (_times(table[name], newest) for name in ("cutoff", "ds"))
    cutoff = calendar.positions(cutoffs, start, newest.freq) + 1
    step = calendar.positions(times, start, newest.freq) - cutoff
    matched = newest.ids[position] == ids
    matched &= calendar.on_grid(cutoffs, start, newest.freq)
    matched &= calendar.on_grid(times, start, newest.freq)
    matched &= (cutoff > 0) & (step >= 0) & (step < horizon)
    pairs, row = np.unique(
        np.stack([position[matched], cutoff[matched]], axis=1), axis=0, return_inverse=True
    )
    forecast_windows = Windows(pairs[:, 0], pairs[:, 1])
    cells = row.ravel(), step[matched]
    levels, columns = _quantiles(table)
    shape = forecast_windows.count, horizon
    forecasts = {name: np.full(shape, np.nan) for name in ("y_hat", *columns)}
    for name, forecast in forecasts.items():
        forecast[cells] = table[name].to_numpy(dtype=np.float64)[matched]
    has_forecast = np.zeros(shape, bool)
    has_forecast[cells] = True
    actual = windows.futures(newest, forecast_windows, horizon)
    naive = seasonal_naive(newest, forecast_windows, horizon)
    joined = Backtest(
        forecast_windows,
        np.where(has_forecast, actual, np.nan),
        {FORESEQ: forecasts["y_hat"], SEASONAL_NAIVE: naive},
        np.stack([forecasts[name] for name in columns or ["y_hat"]], axis=-1),
        mase_scales(newest, forecast_windows),
        levels,
    )
    return joined, int((~matched).sum())


def summarize(result: Backtest, version: str, origin: Any) -> pd.DataFrame:
    """Return the sums of one origin, a row for each step ahead that has actuals; see `COLUMNS`."""
    scale = np.repeat(
        result.seasonal_error[result.windows.series][:, None], result.actual.shape[1], axis=1
    )
    ours, naive = (
        metrics.mase(result.actual[..., None], result.forecasts[name][..., None], scale)
        for name in (FORESEQ, SEASONAL_NAIVE)
    )
    counted = np.isfinite(ours) & np.isfinite(naive)  # (windows, horizon)
    inside = np.full(counted.shape, np.nan)
    if result.levels:
        low, high = result.quantiles[..., 0], result.quantiles[..., -1]
        inside = (low <= result.actual) & (result.actual <= high) & counted
    table = pd.DataFrame(
        {
            "model_version": version,
            "origin": np.full(counted.shape[1], origin),
            "step": np.arange(1, counted.shape[1] + 1),
            "count": counted.sum(axis=0),
            "error": np.where(counted, ours, 0).sum(axis=0),
            "naive": np.where(counted, naive, 0).sum(axis=0),
            "inside": inside.sum(axis=0),
        }
    )
    return table[table["count"] > 0]


def nominal_coverage(levels: tuple[float, ...]) -> float | None:
    """Return the nominal coverage of the outermost quantiles; None if there is no interval.

    Example:
        >>> nominal_coverage((0.1, 0.5, 0.9)), nominal_coverage(())
        (0.8, None)
    """
    return round(levels[-1] - levels[0], 9) if len(levels) > 1 else None


def _sum_folder(
    folder: Path, manifest: Manifest, newest: Panel, seen: Seen, counts: _Counts
) -> pd.DataFrame:
    version, sums, origins = manifest.model_version, [], []
    for name in sorted(manifest.parts):
        table = pd.read_parquet(folder / name, partitioning=None)
        if table.empty:
            continue
        part = _with_forecasts(newest, table)
        result, unmatched = to_backtest(table, part, manifest.horizon)
        fair = result.windows.cutoff >= seen.steps(part)[result.windows.series]
        codes = _codes(result.windows, part, newest)
        before = counts.windows.get(version, np.empty(0, np.int64))
        new = ~np.isin(codes, before)
        counts.windows[version] = np.concatenate([before, codes[new]])
        counts.unmatched += unmatched
        counts.duplicates += int((~new).sum())
        counts.trained_on += int((new & ~fair).sum())
        origins.append(_times(table["cutoff"], newest).max())
        sums.append(summarize(result.on(new & fair, manifest.horizon), version, origins[0]))
    table = pd.concat(sums, ignore_index=True) if sums else pd.DataFrame(columns=COLUMNS)
    return table.assign(origin=max(origins)) if origins else table


def _with_forecasts(newest: Panel, table: pd.DataFrame) -> Panel:
    """Return the series of a panel that a forecast table has; the panel itself if none or all."""
    wanted = np.isin(newest.ids, table["unique_id"].unique().astype(np.str_))
    if wanted.all() or not wanted.any():
        return newest
    return panel.select(newest, np.flatnonzero(wanted))


def _codes(part_windows: Windows, part: Panel, whole: Panel) -> NDArray[np.int64]:
    """Return a number for each window of a part of a panel, unique in the whole panel."""
    position = np.searchsorted(whole.ids, part.ids[part_windows.series])
    return np.asarray(position.astype(np.int64) << 32 | part_windows.cutoff)


def _times(column: "pd.Series[Any]", panel: Panel) -> NDArray[Any]:
    dtype = "int64" if calendar.is_integer(panel.freq) else "datetime64[ns]"
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(None)
    return column.to_numpy().astype(dtype)


def _quantiles(table: pd.DataFrame) -> tuple[tuple[float, ...], list[str]]:
    """Return the levels of a forecast table's quantiles around the median, and their columns."""
    names = [name for name in table.columns if name[:1] == "q" and name[1:2].isdigit()]
    columns = {round(float(name[1:]) / 100, 9): name for name in names}
    levels = sorted(columns)
    symmetric = len(levels) > 1 and abs(levels[0] + levels[-1] - 1) <= ROUNDING
    if MEDIAN not in levels or not symmetric:
        return (), []
    return tuple(levels), [columns[level] for level in levels]
