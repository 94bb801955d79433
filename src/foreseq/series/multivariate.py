"""Series that are read together: a multivariate forecaster sees the past of all at one moment."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foreseq.errors import ConfigError, DataRefused
from foreseq.series import calendar, windows
from foreseq.series.panel import Panel, select
from foreseq.series.windows import Inputs, Windows


def series_names(panel: Panel, wanted: Literal["all"] | tuple[str, ...]) -> tuple[str, ...]:
    """Return the series of a panel that can be learned together.

    Args:
        panel: The data.
        wanted: All, or those that an experiment has series_names.

    Raises:
        ConfigError: If others are series_names than there are.
        DataRefused: If they do not end together.
    """
    names = tuple(panel.ids.tolist())
    if wanted != "all" and (other := sorted(set(names).symmetric_difference(wanted))):
        raise ConfigError(
            "network.multivariate must list the series of the data and no others, found"
            f" {other[0]} in one of them only; write all for those there are"
        )
    ends = calendar.at(panel.starts, panel.lengths - 1, panel.freq)
    for name, end in zip(names, ends, strict=True):
        if end != ends.max():
            raise DataRefused(
                "series that are read together must end together",
                found=f"{calendar.shown(end)}, others {calendar.shown(ends.max())}",
                series=name,
                remedy="bring its newest values, leave it out, or set network.multivariate=[]",
            )
    return names


def missing(panel: Panel, names: Sequence[str]) -> list[str]:
    """Return which names a panel lacks."""
    return sorted(set(names).difference(panel.ids.tolist()))


def restrict(panel: Panel, chosen: Windows, names: Sequence[str]) -> tuple[Panel, Windows]:
    """Return the panel of some series in their order, and the same windows in it.

    Args:
        panel: Holds these series and perhaps others.
        chosen: Windows of these series.
        names: The series, ascending.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0], "b": [2.0, 3.0]}, freq="1", season=1)
        >>> kept, moved = restrict(panel, Windows(np.array([1]), np.array([2])), ["b"])
        >>> kept.ids.tolist(), moved.series.tolist(), moved.cutoff.tolist()
        (['b'], [0], [2])
    """
    places = np.searchsorted(panel.ids, names)
    return select(panel, places), Windows(np.searchsorted(places, chosen.series), chosen.cutoff)


def origins(panel: Panel, chosen: Windows) -> NDArray[np.int64]:
    """Return when each cutoff is, in steps from the earliest start of all series."""
    return np.asarray(chosen.cutoff + _begins(panel)[chosen.series])


def all_series(panel: Panel, chosen: Windows) -> Windows:
    """Return the windows of every series at the moment of each window, (windows * n_series).

    A cutoff before the start or after the end of its series has unobserved steps before it.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": range(9), "b": range(9)}, freq="1", season=1)
        >>> each = all_series(panel, Windows(np.array([1]), np.array([4])))
        >>> each.series.tolist(), each.cutoff.tolist()
        ([0, 1], [4, 4])
    """
    cutoffs = origins(panel, chosen)[:, None] - _begins(panel)
    series = np.broadcast_to(np.arange(panel.n_series), cutoffs.shape)
    return Windows(series.ravel(), cutoffs.ravel())


def gather(panel: Panel, chosen: Windows, context: int, horizon: int, *, dates: bool) -> Inputs:
    """Read all series, each a channel, up to the moments of some windows; see `windows.gather`.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> panel = from_series({"a": [1.0, 2.0], "b": [7.0, 8.0]}, freq="1", season=1)
        >>> gather(panel, Windows(np.array([0]), np.array([2])), 2, 1, dates=False).past.tolist()
        [[[1.0, 7.0], [2.0, 8.0]]]
    """
    apart = windows.gather(panel, all_series(panel, chosen), context, horizon, dates=False)

    def together(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values.reshape(chosen.count, panel.n_series, context).transpose(0, 2, 1)

    return Inputs(
        past=together(apart.past),
        observed=together(apart.observed),
        calendar=windows.known_ahead(panel, chosen, context, horizon, dates=dates),
    )


def _begins(panel: Panel) -> NDArray[np.int64]:
    """Return how many steps after the earliest each series starts."""
    return calendar.positions(panel.starts, panel.starts.min(), panel.freq)
