"""The pictures of a run: light, labelled at the line itself, and legible without colour vision.

Every function returns a `Figure` that belongs to nobody: no window, no global state, nothing to
close. Saved as it is, a figure of full width is 1200 pixels wide.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import DAILY, AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from numpy.typing import ArrayLike, NDArray

INK, MUTED, RULE = "#2b323a", "#6b7580", "#e3e6ea"
BLUE = "#0072b2"
COLOURS = (BLUE, "#d55e00", "#009e73", "#aa4499", "#b07d00", MUTED)
"""Told apart by every common kind of colour vision (after Okabe and Ito, darkened for text)."""

WIDTH, DPI = 10.0, 120
MEDIAN = 0.5
PAST_SHOWN, PAST_SHOWN_SMALL, PAST_AT_LEAST = 5, 2, 30
"""Past that is drawn, in horizons, but never fewer steps than the last; older ones would only
shrink the forecast."""
MARKED = 31
"""Futures of up to so many steps are drawn with a dot for each step."""


class Outlook(NamedTuple):
    """One series with its forecast, ready to be drawn; NaN leaves a gap."""

    past_times: ArrayLike
    """Times of the past, shape (steps,): datetime64 or integers."""
    past: ArrayLike
    """What was observed, shape (steps,)."""
    future_times: ArrayLike
    """Times of the forecast, shape (horizon,)."""
    forecast: ArrayLike
    """Point forecast, shape (horizon,)."""
    actual: ArrayLike | None = None
    """What came true, shape (horizon,), where it is known."""
    quantiles: Mapping[float, ArrayLike] | None = None
    """Level to forecast, shape (horizon,); levels of equal distance from 0.5 bound a band."""


class _Label(NamedTuple):
    text: str
    height: float  # in data units
    colour: str


def forecast_figure(outlook: Outlook, title: str = "") -> Figure:
    """Draw the newest past of one series, its forecast and, where known, what came true.

    Example:
        >>> outlook = Outlook([1, 2, 3], [5.0, 7.0, 6.0], [4, 5], [8.0, 7.0], actual=[7.5, 7.0])
        >>> figure = forecast_figure(outlook, "Three steps and two more")
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['forecast', 'actual']
    """
    figure, (axes,) = _canvas([title], height=4.2)
    _label_ends(axes, _draw(axes, outlook))
    return figure


def panel_figure(outlooks: Mapping[str, Outlook]) -> Figure:
    """Draw several series beside one another, such as those `best_median_worst` names.

    Args:
        outlooks: Title to series, from left to right; best three.
    """
    figure, row = _canvas(list(outlooks), height=3.4)
    for axes, outlook in zip(row, outlooks.values(), strict=True):
        labels = _draw(axes, outlook, small=True)
        axes.yaxis.set_major_locator(_round_ticks(4))
        if axes is row[-1]:
            _label_ends(axes, labels)
    return figure


def curves_figure(steps: ArrayLike, loss: ArrayLike, validation: ArrayLike) -> Figure:
    """Draw how training went, with the best validation error marked.

    Args:
        steps: Batches learned from, shape (looks,).
        loss: Training loss there, shape (looks,); NaN where it was not measured.
        validation: Validation error there, shape (looks,); NaN where it was not measured.
    """
    figure, (axes,) = _canvas(["Error while learning"], height=3.6)
    step, trained, held_back = np.asarray(steps), _floats(loss), _floats(validation)
    labels = []
    for name, line, colour in (("training", trained, MUTED), ("validation", held_back, BLUE)):
        known = np.isfinite(line)
        if known.any():
            axes.plot(step[known], line[known], color=colour, linewidth=1.8)
            labels.append(_Label(name, line[known][-1], colour))
    _spread_over_decades(axes, np.concatenate([trained, held_back]))
    if np.isfinite(held_back).any():
        _mark_lowest(axes, step, held_back)
    axes.set_xlabel("steps")
    axes.xaxis.set_major_locator(_round_ticks(8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_number))
    _label_ends(axes, labels)
    return figure


def horizon_figure(errors: Mapping[str, ArrayLike], measure: str = "MAE") -> Figure:
    """Draw the error of each step ahead, a line per forecaster, the first one in front.

    Args:
        errors: Name to errors, shape (horizon,).
        measure: What kind of error it is.

    Example:
        >>> figure = horizon_figure({"GRU": [1.0, 2.0], "seasonal naive": [2.0, 2.5]})
        >>> figure.axes[0].get_title(loc="left")
        'MAE by steps ahead'
    """
    figure, (axes,) = _canvas([f"{measure} by steps ahead"], height=3.6)
    labels = []
    for place, (name, error) in enumerate(errors.items()):
        colour, line = COLOURS[place % len(COLOURS)], _floats(error)
        axes.plot(
            np.arange(1, len(line) + 1),
            line,
            color=colour,
            linewidth=2.4 if place == 0 else 1.6,
            zorder=4 if place == 0 else 3,
            **_dots(len(line)),
        )
        labels.append(_Label(name, _last_known(line), colour))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("steps ahead")
    axes.xaxis.set_major_locator(_round_ticks(12, integer=True))
    _label_ends(axes, labels)
    return figure


def best_median_worst(errors: ArrayLike) -> tuple[int, int, int]:
    """Return which series were forecast best, in between and worst, NaN left out.

    Raises:
        ValueError: If no error is known.

    Example:
        >>> best_median_worst([3.0, 1.0, float("nan"), 9.0, 2.0, 4.0])
        (1, 0, 3)
    """
    error = _floats(errors)
    order = np.argsort(error, kind="stable")[: int((~np.isnan(error)).sum())]
    if not len(order):
        raise ValueError("no error is known, so none is best")
    return int(order[0]), int(order[(len(order) - 1) // 2]), int(order[-1])


def _canvas(titles: Sequence[str], *, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with one quiet pair of axes per title, side by side."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1, wspace=0.03)
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout=layout, facecolor="white")
    row = list(figure.subplots(1, len(titles), squeeze=False)[0])
    for axes, title in zip(row, titles, strict=True):
        axes.set_title(
            title, loc="left", fontsize=12, fontweight="bold", color=INK, pad=10, parse_math=False
        )
        axes.spines[["left", "top", "right"]].set_visible(False)
        axes.spines["bottom"].set(color=MUTED, linewidth=0.8)
        axes.grid(axis="y", color=RULE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(axis="both", color=MUTED, labelcolor=MUTED, labelsize=10, width=0.8)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.label.set(color=MUTED, fontsize=10)
        axes.yaxis.set_major_locator(_round_ticks(6))
        axes.yaxis.set_major_formatter(FuncFormatter(_number))
        axes.margins(x=0.01)
    return figure, row


def _draw(axes: Axes, outlook: Outlook, *, small: bool = False) -> list[_Label]:
    """Draw one series and its forecast; return what the lines' ends should say."""
    horizon = len(_floats(outlook.forecast))
    horizons = PAST_SHOWN_SMALL if small else PAST_SHOWN
    shown = slice(-max(horizons * horizon, PAST_AT_LEAST), None)
    past_times, past = np.asarray(outlook.past_times)[shown], _floats(outlook.past)[shown]
    times = np.concatenate([past_times[-1:], np.asarray(outlook.future_times)])

    def joined(future: ArrayLike) -> NDArray[np.float64]:
        return np.concatenate([past[-1:], _floats(future)])

    labels = []
    for share, lower, upper, colour in _bands(outlook.quantiles or {}):
        low, high = joined(lower), joined(upper)
        axes.fill_between(times, low, high, color=colour, linewidth=0)
        labels.append(_Label(f"{share:.0%} interval", high[-1], "#5a9cc4"))
    axes.axvline(past_times[-1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.plot(past_times, past, color=INK, linewidth=1.5)
    dots = {**_dots(horizon), "markevery": slice(1, None)}  # none where the lines part
    axes.plot(times, joined(outlook.forecast), color=BLUE, linewidth=2.4, **dots)
    labels.append(_Label("forecast", _last_known(_floats(outlook.forecast)), BLUE))
    if outlook.actual is not None:
        axes.plot(times, joined(outlook.actual), color=INK, linewidth=1.3, **dots)
        labels.append(_Label("actual", _last_known(_floats(outlook.actual)), INK))
    _tick_times(axes, np.concatenate([past_times, times]), 4 if small else 8)
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


def _tick_times(axes: Axes, times: NDArray[Any], ticks: int) -> None:
    if times.dtype.kind == "M":
        # Multiples of days would put the 31st and the 1st on top of one another.
        span = times[-1] - times[0]
        days = np.timedelta64(3, "D") < span < np.timedelta64(92, "D")
        locator = AutoDateLocator(  # type: ignore[no-untyped-call]
            minticks=3, maxticks=ticks, interval_multiples=not days
        )
        locator.intervald[DAILY] = [1, 2, 4, 7, 14, 21]
        formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        formatter.formats[2] = "%d %b"
        formatter.zero_formats[2:4] = ["%d %b", "%d %b"]  # first day of a month, midnight
        formatter.offset_formats[2] = "%Y"
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(formatter)
        axes.xaxis.get_offset_text().set(color=MUTED, fontsize=10)
    else:
        axes.xaxis.set_major_locator(_round_ticks(ticks, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(_number))


def _label_ends(axes: Axes, labels: Sequence[_Label]) -> None:
    """Write each label beside the end of its line, pushed apart where they would overlap."""
    known = [label for label in labels if np.isfinite(label.height)]
    if not known:
        return
    size = 10.5
    axes.set_ylim(axes.get_ylim())  # settles the limits, which the heights below lean on
    inches = axes.get_window_extent().height / DPI
    gap = 1.35 * size / 72 / inches
    to_axes = axes.transScale + axes.transLimits
    wanted = np.array([to_axes.transform((0.0, label.height))[1] for label in known])
    for label, height in zip(known, _apart(wanted, gap), strict=True):
        axes.text(
            1.015,
            height,
            label.text,
            color=label.colour,
            fontsize=size,
            va="center",
            transform=axes.transAxes,
            parse_math=False,
        )


def _apart(heights: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Return heights in the same order, moved as little as needed to lie `gap` apart.

    Example:
        >>> _apart(np.array([0.50, 0.52, 0.9]), gap=0.1).round(3).tolist()
        [0.46, 0.56, 0.9]
    """
    order = np.argsort(heights, kind="stable")
    groups = [[float(heights[i]), 1] for i in order]  # centre and number of labels stuck together
    place = 0
    while place < len(groups) - 1:
        (centre, count), (above, more) = groups[place : place + 2]
        if above - centre >= gap * (count + more) / 2 - 1e-12:
            place += 1
            continue
        groups[place : place + 2] = [
            [(centre * count + above * more) / (count + more), count + more]
        ]
        place = max(place - 1, 0)
    moved = [
        centre + gap * (k - (count - 1) / 2) for centre, count in groups for k in range(int(count))
    ]
    result = np.empty_like(heights)
    result[order] = moved
    return result


def _mark_lowest(axes: Axes, step: NDArray[Any], line: NDArray[np.float64]) -> None:
    best = int(np.nanargmin(line))
    axes.plot(step[best], line[best], marker="o", markersize=7, color=BLUE, zorder=5)
    axes.annotate(
        f"best {line[best]:.3g}",
        (step[best], line[best]),
        xytext=(0, 10),
        textcoords="offset points",
        ha="center",
        color=BLUE,
        fontsize=10.5,
    )


def _spread_over_decades(axes: Axes, values: NDArray[np.float64]) -> None:
    """Use a logarithmic axis where errors fall by more than ten times."""
    known = values[np.isfinite(values)]
    if len(known) and known.min() > 0 and known.max() > 10 * known.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(FuncFormatter(_number))


def _round_ticks(count: int, *, integer: bool = False) -> MaxNLocator:
    return MaxNLocator(nbins=count, steps=[1, 2, 5, 10], integer=integer)


def _dots(steps: int) -> dict[str, Any]:
    return {"marker": "o", "markersize": 3.5} if steps <= MARKED else {}


def _last_known(line: NDArray[np.float64]) -> float:
    known = line[np.isfinite(line)]
    return float(known[-1]) if len(known) else float("nan")


def _number(value: float, _: int | None = None) -> str:
    """Write a tick in full, with thousands marked.

    Example:
        >>> _number(1_200_000.0), _number(0.1 + 0.2)
        ('1,200,000', '0.3')
    """
    return f"{value:,.12g}"


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)
