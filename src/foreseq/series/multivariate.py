"""Series that are read together: a multivariate network sees the past of all at an origin."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foreseq.config import Covariate
from foreseq.errors import ConfigError, DataRefused
from foreseq.series import calendar
from foreseq.series.panel import Panel, select
from foreseq.series.windows import Inputs, Windows, calendar_features
from foreseq.series.windows import gather as gather_apart


def series_names(panel: Panel, wanted: Literal["all"] | tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids of a panel, after checking that its series can be read together.

    Raises:
        ConfigError: If `wanted` lists other series than the panel has.
        DataRefused: If the series do not end at the same time.
    """
    names = tuple(panel.ids.tolist())
    if wanted != "all" and (other := sorted(set(names).symmetric_difference(wanted))):
        raise ConfigError(
            "network.multivariate must list the series of the data and no others, found"
            f" {other[0]} in one of them only; write all to use every series"
        )
    ends = calendar.at(panel.starts, panel.lengths - 1, panel.freq)
    zone = calendar.zone(panel.freq)
    for name, end in zip(names, ends, strict=True):
        if end != ends.max():
            raise DataRefused(
                "series that are read together must end together",
                found=f"{calendar.shown(end, zone)}, others {calendar.shown(ends.max(), zone)}",
                series=name,
                remedy="bring its newest values, leave it out, or set network.multivariate=[]",
            )
    return names


def missing(panel: Panel, names: Sequence[str]) -> list[str]:
    """Return which names a panel lacks."""
    return sorted(set(names).difference(panel.ids.tolist()))


def restrict(panel: Panel, windows: Windows, names: Sequence[str]) -> tuple[Panel, Windows]:
    """Return the panel of the named series, ascending, and the same windows in it.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0], "b": [2.0, 3.0]}, freq="1", season=1)
        >>> kept, moved = restrict(panel, Windows(np.array([1]), np.array([2])), ["b"])
        >>> kept.ids.tolist(), moved.series.tolist(), moved.cutoff.tolist()
        (['b'], [0], [2])
    """
    places = np.searchsorted(panel.ids, names)
    return select(panel, places), Windows(np.searchsorted(places, windows.series), windows.cutoff)


def origins(panel: Panel, windows: Windows) -> NDArray[np.int64]:
    """Return the forecast origin of each window, in steps from the earliest start of all series."""
    return np.asarray(windows.cutoff + _starts(panel)[windows.series])


def all_series(panel: Panel, windows: Windows) -> Windows:
    """Return the windows of every series at the origin of each window, (windows * n_series).

    A cutoff before the start or after the end of its series has unobserved steps before it.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": range(9), "b": range(9)}, freq="1", season=1)
        >>> both = all_series(panel, Windows(np.array([1]), np.array([4])))
        >>> both.series.tolist(), both.cutoff.tolist()
        ([0, 1], [4, 4])
    """
    cutoffs = origins(panel, windows)[:, None] - _starts(panel)
    series = np.broadcast_to(np.arange(panel.n_series), cutoffs.shape)
    return Windows(series.ravel(), cutoffs.ravel())


def gather(  # noqa: PLR0913 - as `windows.gather`
    panel: Panel,
    windows: Windows,
    context: int,
    horizon: int,
    *,
    dates: bool,
    reads: tuple[Covariate, ...] = (),
) -> Inputs:
    """Read all series up to the origins of some windows, one channel per series.

    See `windows.gather`. The covariates of all series stand side by side.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0, 2.0], "b": [7.0, 8.0]}, freq="1", season=1)
        >>> gather(panel, Windows(np.array([0]), np.array([2])), 2, 1, dates=False).past.tolist()
        [[[1.0, 7.0], [2.0, 8.0]]]
    """
    every = all_series(panel, windows)
    apart = gather_apart(panel, every, context, horizon, dates=False, reads=reads)

    def as_channels(values: NDArray[Any]) -> NDArray[Any]:
        _, time, width = values.shape
        together = values.reshape(windows.count, panel.n_series, time, width)
        return together.transpose(0, 2, 1, 3).reshape(windows.count, time, panel.n_series * width)

    return Inputs(
        as_channels(apart.past),
        as_channels(apart.observed),
        calendar_features(panel, windows, context, horizon, dates=dates),
        as_channels(apart.covariates),
        as_channels(apart.covariates_known),
    )


def _starts(panel: Panel) -> NDArray[np.int64]:
    """Return the start of each series, in steps after the earliest."""
    return calendar.positions(panel.starts, panel.starts.min(), panel.freq)
