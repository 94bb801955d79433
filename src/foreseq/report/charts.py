"""Data of the charts in a report, small enough to send around; `charts.js` draws them."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from foreseq.config import MEDIAN
from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.metrics import mean_known
from foreseq.network.outputs import median_output
from foreseq.report.parts import Parts, split
from foreseq.report.total import Total, total
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

NUMBERS = 400_000
"""Numbers on a page: about 3 MB."""
HORIZONS, STEPS = 20, 120
"""Past that is shown of each series: so many horizons, and at least so many steps."""
DIGITS = 6
MOST_TOTAL = 20_000
"""Series that are all forecast for their total."""

Floats = NDArray[np.float64]


class Future(NamedTuple):
    """Forecasts of the steps after the last observation, of the series that a page shows."""

    series: NDArray[np.int64]
    """Positions in the panel, ascending."""
    quantiles: Floats
    """Shape (series, horizon, outputs); NaN where there is no forecast."""
    sizes: Floats
    """How large each series was lately, shape (series,)."""
    past: int
    """Steps of the past to show."""
    parts: Parts | None = None
    """Of the medians, shape (series, horizon)."""
    total: Total | None = None
    """Over all series, if they can be added."""

    @property
    def first(self) -> int:
        """The place of the largest series, which a page shows first."""
        return int(np.argmax(self.sizes))


def future(
    forecaster: Callable[[Panel, Windows], Floats], panel: Panel, backtest: Backtest
) -> Future:
    """Forecast the steps after the last observation of every series, or of as many as fit a page.

    Of more, these are the largest, the worst and the best ones.

    Args:
        forecaster: Returns forecasts of windows, shape (windows, horizon, outputs).
        panel: The histories.
        backtest: Of the same forecaster.
    """
    newest = windows.newest(panel)
    horizon, columns = backtest.actual.shape[1], len(_shown_levels(backtest.levels)) + 3
    past = min(int(panel.lengths.max()), max(HORIZONS * horizon, STEPS))
    past = max(min(past, NUMBERS // panel.n_series - columns * horizon), 2 * horizon)
    most = max(1, NUMBERS // (past + columns * horizon))
    sizes = np.nan_to_num(mean_known(np.abs(windows.before(panel, newest, horizon))))
    errors = backtest.losses(FORESEQ).series
    orders = [np.argsort(-sizes), np.argsort(-errors), np.argsort(errors)]  # NaN comes last
    mixed = np.stack(orders, axis=1).ravel().tolist()
    series = np.sort(np.array([*dict.fromkeys(mixed)][:most]))

    def median(panel: Panel, chosen: Windows) -> Floats:
        return median_output(forecaster(panel, chosen), backtest.levels)

    whole = panel.n_series <= MOST_TOTAL
    chosen = newest if whole else newest.take(series)
    shown = series if whole else slice(None)
    quantiles = forecaster(panel, chosen)
    forecast = median_output(quantiles, backtest.levels)
    parts = split(median, panel, chosen, forecast)
    added = total(panel, forecast, parts, backtest, past) if whole else None
    its_own = Parts(*(part[shown] for part in parts))
    return Future(series, quantiles[shown], sizes[series], past, its_own, added)


def outlook(found: Future, panel: Panel, backtest: Backtest) -> dict[str, Any]:
    """Return the chart of histories and forecasts, with the newest test window of each series.

    Times that several series share are listed once. Numbers have six significant digits.
    """
    horizon, levels = backtest.actual.shape[1], _shown_levels(backtest.levels)
    outputs = [backtest.levels.index(level) for level in levels] or [0]
    errors = backtest.losses(FORESEQ).series
    tested = {int(one): row for row, one in enumerate(backtest.windows.series)}  # the newest
    axes: dict[tuple[float | None, ...], int] = {}
    rows = []
    for place, position in enumerate(found.series.tolist()):
        end = int(panel.lengths[position])
        shown = min(found.past, end)
        values = windows.before(panel, Windows(np.array([position]), np.array([end])), shown)[0]
        times = seconds(panel.times(position, end - shown, shown + horizon))
        row = tested.get(position)
        test = {}
        if row is not None and (first := int(backtest.windows.cutoff[row]) - end + shown) >= 0:
            test = {"at": first, "test": rounded(backtest.forecasts[FORESEQ][row])}
        rows.append(
            {
                "name": str(panel.ids[position]),
                "axis": axes.setdefault(tuple(times), len(axes)),
                "past": rounded(values),
                "future": [rounded(found.quantiles[place, :, output]) for output in outputs],
                "size": rounded(found.sizes[[place]])[0],
                "error": rounded(errors[[position]])[0],
                **({"parts": _parts(found.parts, place)} if found.parts else {}),
                **test,
            }
        )
    return {
        "total": _total(found.total, panel) if found.total else None,
        "axes": [*axes],
        "series": rows,
        "levels": levels,
        "horizon": horizon,
        "dated": panel.starts.dtype.kind == "M",
        "measure": backtest.measure,
    }


def _parts(parts: Parts, place: int) -> list[Any]:
    """Return the level, then season and what covariates moved by step; empty if they are zero."""
    (level, *moving) = (part[place] for part in parts)
    return [rounded(level[:1])[0], *(rounded(one) if one.any() else [] for one in moving)]


def _total(added: Total, panel: Panel) -> dict[str, Any]:
    """Return the total as a series of the chart."""
    shown, horizon = len(added.past), len(added.forecast)
    longest = int(added.series[panel.lengths[added.series].argmax()])
    times = panel.times(longest, int(panel.lengths[longest]) - shown, shown + horizon)
    test = rounded(added.tested)
    return {
        "name": f"total of {len(added.series):,} series",
        "times": seconds(times),
        "past": rounded(added.past),
        "future": [rounded(added.forecast)],
        "parts": _parts(added.parts, 0),
        "note": added.note,
        **({"at": added.at, "test": test} if test else {}),
    }


def script(charts: dict[str, Any]) -> Markup:
    """Return the charts as the content of a script element."""
    text = json.dumps(charts, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 no element can end or begin in it


def _shown_levels(levels: tuple[float, ...]) -> list[float]:
    """Return the median, and the bounds of the widest interval and of the one within it.

    Example:
        >>> _shown_levels((0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975))
        [0.025, 0.1, 0.5, 0.9, 0.975]
    """
    opposite = {round(1 - level, 9): level for level in levels if level > MEDIAN}
    lower = [level for level in levels if level < MEDIAN and round(level, 9) in opposite][:2]
    upper = [opposite[round(level, 9)] for level in reversed(lower)]
    return [*lower, *(level for level in levels if level == MEDIAN), *upper]


def seconds(times: NDArray[Any]) -> list[float | None]:
    """Return times as seconds since 1970, as a browser counts them; other places as they are."""
    dated = times.dtype.kind == "M"
    return rounded(times.astype(np.int64) / 1e9 if dated else times, 15)


def rounded(values: NDArray[Any], digits: int = DIGITS) -> list[float | None]:
    """Return numbers as JSON writes them shortest.

    Example:
        >>> rounded(np.array([2.0, 0.12345678, np.nan]))
        [2, 0.123457, None]
    """
    numbers = [float(f"{value:.{digits}g}") for value in values.tolist()]
    return [
        (int(number) if number.is_integer() else number) if np.isfinite(number) else None
        for number in numbers
    ]
