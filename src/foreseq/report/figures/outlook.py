"""Series with their forecasts."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from foreseq.report.figures.canvas import (
    BLUE,
    INK,
    MUTED,
    Label,
    canvas,
    dots,
    floats,
    label_ends,
    last_known,
    round_ticks,
    tick_times,
)

MEDIAN = 0.5
PAST_HORIZONS, PAST_HORIZONS_SMALL, MIN_PAST_STEPS = 5, 2, 30
"""Past that is drawn: so many horizons, but at least so many steps; more would shrink the
forecast."""


class Outlook(NamedTuple):
    """One series with its forecast, ready to be drawn; NaN leaves a gap."""

    past_times: ArrayLike
    """Times of the past, shape (steps,): datetime64 or integers."""
    past: ArrayLike
    """Observations, shape (steps,)."""
    future_times: ArrayLike
    """Times of the forecast, shape (horizon,)."""
    forecast: ArrayLike
    """Point forecast, shape (horizon,)."""
    actual: ArrayLike | None = None
    """Shape (horizon,); None: not known."""
    quantiles: Mapping[float, ArrayLike] | None = None
    """Level to forecast, shape (horizon,); levels of equal distance from 0.5 bound a band."""


def forecast_figure(outlook: Outlook, title: str = "") -> Figure:
    """Draw the newest past of one series, its forecast and, if known, the actuals.

    Example:
        >>> outlook = Outlook([1, 2, 3], [5.0, 7.0, 6.0], [4, 5], [8.0, 7.0], actual=[7.5, 7.0])
        >>> figure = forecast_figure(outlook, "Three steps and two more")
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['forecast', 'actual']
    """
    figure, (axes,) = canvas([title], height=4.2)
    label_ends(axes, _draw(axes, outlook))
    return figure


def panel_figure(outlooks: Mapping[str, Outlook]) -> Figure:
    """Draw several series side by side, such as those of `best_median_worst`.

    Args:
        outlooks: Title to series, from left to right; best three.
    """
    figure, row = canvas(list(outlooks), height=3.4)
    for axes, outlook in zip(row, outlooks.values(), strict=True):
        labels = _draw(axes, outlook, small=True)
        axes.yaxis.set_major_locator(round_ticks(4))
        if axes is row[-1]:
            label_ends(axes, labels)
    return figure


def _draw(axes: Axes, outlook: Outlook, *, small: bool = False) -> list[Label]:
    """Draw one series and its forecast; return the labels of its lines."""
    horizon = len(floats(outlook.forecast))
    horizons = PAST_HORIZONS_SMALL if small else PAST_HORIZONS
    shown = slice(-max(horizons * horizon, MIN_PAST_STEPS), None)
    past_times, past = np.asarray(outlook.past_times)[shown], floats(outlook.past)[shown]
    times = np.concatenate([past_times[-1:], np.asarray(outlook.future_times)])

    def joined(future: ArrayLike) -> NDArray[np.float64]:
        return np.concatenate([past[-1:], floats(future)])

    labels = []
    for share, lower, upper, colour in _bands(outlook.quantiles or {}):
        low, high = joined(lower), joined(upper)
        axes.fill_between(times, low, high, color=colour, linewidth=0)
        labels.append(Label(f"{share:.0%} interval", high[-1], "#5a9cc4"))
    axes.axvline(past_times[-1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.plot(past_times, past, color=INK, linewidth=1.5)
    marks = {**dots(horizon), "markevery": slice(1, None)}  # none where the lines part
    axes.plot(times, joined(outlook.forecast), color=BLUE, linewidth=2.4, **marks)
    labels.append(Label("forecast", last_known(floats(outlook.forecast)), BLUE))
    if outlook.actual is not None:
        axes.plot(times, joined(outlook.actual), color=INK, linewidth=1.3, **marks)
        labels.append(Label("actual", last_known(floats(outlook.actual)), INK))
    tick_times(axes, np.concatenate([past_times, times]), 4 if small else 8)
    return labels


def _bands(
    quantiles: Mapping[float, ArrayLike],
) -> list[tuple[float, ArrayLike, ArrayLike, str]]:
    """Return share, lower, upper and colour of each band, the widest and palest first."""
    upper = {round(level, 9): value for level, value in quantiles.items()}
    pairs = [
        (1 - 2 * level, quantiles[level], upper[round(1 - level, 9)])
        for level in sorted(quantiles)
        if level < MEDIAN and round(1 - level, 9) in upper
    ]
    tints = ("#d9eaf4", "#b6d7ea", "#93c3df", "#70afd4")
    return [(*pair, tints[min(place, len(tints) - 1)]) for place, pair in enumerate(pairs)]
