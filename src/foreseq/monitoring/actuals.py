"""Forecasts made earlier beside what came: found in their folders, joined, summed up.

Nothing is kept in between: the sums are made anew from the forecasts and the newest data each time.
So a look that is repeated counts nothing twice, and a corrected actual corrects what was thought of
its forecast. Only one folder's part is in memory at a time.
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
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import SEASONAL_NAIVE, seasonal_naive
from foreseq.forecasting import writer
from foreseq.forecasting.bundle import Seen
from foreseq.forecasting.writer import Manifest
from foreseq.series import calendar, panel, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

COLUMNS = ["model_version", "moment", "step", "count", "error", "naive", "inside"]
"""Of the table of sums: for each version, moment of forecasting and step ahead how many actuals
were judged, the sums of our errors and of the seasonal naive's in units of MASE, and how many
actuals lay inside the widest interval."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Arrivals:
    """What can be said of the forecasts of a model by now."""

    sums: pd.DataFrame
    """See `COLUMNS`; only steps whose actuals have arrived."""
    folders: int
    """Folders of forecasts that were whole and of this model."""
    damaged: tuple[str, ...]
    """Folders that are not as their manifest says: not read."""
    repeated: int
    """Forecasts of a series that another folder holds as well: counted once."""
    unfair: int
    """Forecasts of steps that their version was trained on: not judged."""
    strange: int
    """Rows of series or times that the data do not have: not judged."""


@dataclass
class _Counted:
    """What was read so far."""

    windows: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Version to the windows counted, each as one number."""
    repeated: int = 0
    unfair: int = 0
    strange: int = 0


def collect(root: Path, model: str, series: Panel, seen: Callable[[str], Seen | None]) -> Arrivals:
    """Judge every forecast of a model below a folder by what has come since.

    Args:
        root: Folder of folders of forecasts.
        model: Name in the registry; folders of others are passed over.
        series: The newest data.
        seen: Version to what it was trained on; None where that is not known any more, and its
            forecasts cannot be judged.
    """
    counted = _Counted()
    sums, damaged, read = [], [], 0
    known: dict[str, Seen | None] = {}
    for folder, manifest in find(root, model):
        version = manifest.model_version
        if version not in known:
            known[version] = seen(version)
        trained = known[version]
        if trained is None:
            continue
        if not writer.is_whole(folder, manifest):
            damaged.append(str(folder))
            continue
        read += 1
        sums.append(_judge_folder(folder, manifest, series, trained, counted))
    table = pd.concat(sums, ignore_index=True) if sums else pd.DataFrame(columns=COLUMNS)
    keys = COLUMNS[:3]
    return Arrivals(
        table.groupby(keys, as_index=False, sort=True).sum() if len(table) else table,
        read,
        tuple(damaged),
        counted.repeated,
        counted.unfair,
        counted.strange,
    )


def find(root: Path, model: str) -> Iterator[tuple[Path, Manifest]]:
    """Yield the folders of forecasts of a model below a folder, in order of their names."""
    for file in sorted(root.rglob(writer.MANIFEST)):
        hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
        manifest = None if hidden else writer.read_manifest(file.parent)
        if manifest and manifest.model_version.partition("/")[0] == model:
            yield file.parent, manifest


def judge(table: pd.DataFrame, series: Panel, horizon: int) -> tuple[Backtest, int]:
    """Lay a forecast table beside what came.

    Args:
        table: Columns `unique_id, ds, y_hat`, quantiles and `cutoff`.
        series: The newest data; where they have no actual yet, NaN stands.
        horizon: Steps ahead that a forecast may reach.

    Returns:
        The forecasts as a backtest, and how many rows belong to no step of the data.
    """
    place = np.searchsorted(series.ids, table["unique_id"].to_numpy(dtype=np.str_))
    place = place.clip(max=series.n_series - 1)
    known = series.ids[place] == table["unique_id"].to_numpy(dtype=np.str_)
    start = series.starts[place]
    cutoffs, times = (_times(table[name], series) for name in ("cutoff", "ds"))
    cutoff = calendar.positions(cutoffs, start, series.freq) + 1
    step = calendar.positions(times, start, series.freq) - cutoff
    known &= calendar.on_grid(cutoffs, start, series.freq) & calendar.on_grid(
        times, start, series.freq
    )
    known &= (cutoff > 0) & (step >= 0) & (step < horizon)
    pairs, row = np.unique(
        np.stack([place[known], cutoff[known]], axis=1), axis=0, return_inverse=True
    )
    chosen = Windows(pairs[:, 0], pairs[:, 1])
    cells = row.ravel(), step[known]
    levels, columns = _quantiles(table)
    told = np.full((chosen.count, horizon), False)
    told[cells] = True
    actual = np.where(told, windows.futures(series, chosen, horizon), np.nan)
    answers = {name: np.full((chosen.count, horizon), np.nan) for name in ("y_hat", *columns)}
    for name, answer in answers.items():
        answer[cells] = table[name].to_numpy(dtype=np.float64)[known]
    tested = Backtest(
        chosen,
        actual,
        {FORESEQ: answers["y_hat"], SEASONAL_NAIVE: seasonal_naive(series, chosen, horizon)},
        np.stack([answers[name] for name in columns or ["y_hat"]], axis=-1),
        scales(series, chosen),
        levels,
    )
    return tested, int((~known).sum())


def sum_up(tested: Backtest, version: str, moment: Any) -> pd.DataFrame:
    """Return the sums of one moment, a row for each step ahead that has actuals; see `COLUMNS`."""
    scale = np.repeat(
        tested.seasonal_error[tested.windows.series][:, None], tested.actual.shape[1], axis=1
    )
    ours, naive = (
        metrics.mase(tested.actual[..., None], tested.forecasts[name][..., None], scale)
        for name in (FORESEQ, SEASONAL_NAIVE)
    )
    judged = np.isfinite(ours) & np.isfinite(naive)
    inside = np.full(judged.shape, np.nan)
    if tested.levels:
        low, high = tested.quantiles[..., 0], tested.quantiles[..., -1]
        inside = (low <= tested.actual) & (tested.actual <= high) & judged
    table = pd.DataFrame(
        {
            "model_version": version,
            "moment": np.full(judged.shape[1], moment),
            "step": np.arange(1, judged.shape[1] + 1),
            "count": judged.sum(axis=0),
            "error": np.where(judged, ours, 0).sum(axis=0),
            "naive": np.where(judged, naive, 0).sum(axis=0),
            "inside": inside.sum(axis=0),
        }
    )
    return table[table["count"] > 0]


def widest(levels: tuple[float, ...]) -> float | None:
    """Return the share that the outermost quantiles promise to hold; None if they bound nothing.

    Example:
        >>> widest((0.1, 0.5, 0.9)), widest(())
        (0.8, None)
    """
    return round(levels[-1] - levels[0], 9) if len(levels) > 1 else None


def scales(series: Panel, chosen: Windows) -> NDArray[np.float64]:
    """Return the seasonal naive's error in each series before its first window: units of MASE."""
    first = series.lengths.copy()
    np.minimum.at(first, chosen.series, chosen.cutoff)
    return metrics.seasonal_errors(
        series.values, series.observed, series.offsets, first, series.season
    )


def _judge_folder(
    folder: Path, manifest: Manifest, series: Panel, seen: Seen, counted: _Counted
) -> pd.DataFrame:
    version, sums, moments = manifest.model_version, [], []
    for name in sorted(manifest.parts):
        table = pd.read_parquet(folder / name)
        if table.empty:
            continue
        own, part = _only(series, table)
        tested, strange = judge(part, own, manifest.horizon)
        fair = tested.windows.cutoff >= seen.steps(own)[tested.windows.series]
        codes = _codes(tested.windows, own, series)
        before = counted.windows.get(version, np.empty(0, np.int64))
        new = ~np.isin(codes, before)
        counted.windows[version] = np.concatenate([before, codes[new]])
        counted.strange += strange
        counted.repeated += int((~new).sum())
        counted.unfair += int((new & ~fair).sum())
        moments.append(_times(table["cutoff"], series).max())
        sums.append(sum_up(tested.on(new & fair, manifest.horizon), version, moments[0]))
    table = pd.concat(sums, ignore_index=True) if sums else pd.DataFrame(columns=COLUMNS)
    return table.assign(moment=max(moments)) if moments else table


def _only(series: Panel, table: pd.DataFrame) -> tuple[Panel, pd.DataFrame]:
    """Return the part of a large panel that a part of the forecasts is about."""
    wanted = np.isin(series.ids, table["unique_id"].unique().astype(np.str_))
    if wanted.all() or not wanted.any():
        return series, table
    return panel.select(series, np.flatnonzero(wanted)), table


def _codes(chosen: Windows, own: Panel, series: Panel) -> NDArray[np.int64]:
    """Return a number for each window, the same wherever it is found."""
    place = np.searchsorted(series.ids, own.ids[chosen.series])
    return np.asarray(place.astype(np.int64) << 32 | chosen.cutoff)


def _times(column: "pd.Series[Any]", series: Panel) -> NDArray[Any]:
    kind = "int64" if calendar.is_integer(series.freq) else "datetime64[ns]"
    return column.to_numpy().astype(kind)


def _quantiles(table: pd.DataFrame) -> tuple[tuple[float, ...], list[str]]:
    """Return the levels of a forecast table's quantiles around the median, and their columns."""
    names = [name for name in table.columns if name[:1] == "q" and name[1:2].isdigit()]
    levels = {round(float(name[1:]) / 100, 9): name for name in names}
    told = sorted(levels)
    if len(told) < 2 or MEDIAN not in levels or abs(told[0] + told[-1] - 1) > ROUNDING:  # noqa: PLR2004 two bounds
        return (), []
    return tuple(told), [levels[level] for level in told]
