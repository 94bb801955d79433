"""The style of every picture: quiet axes, distinguishable colours, labels at the lines."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import DAILY, HOURLY, AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

INK, MUTED, RULE = "#2b323a", "#6b7580", "#e3e6ea"
BLUE = "#0072b2"
COLOURS = (BLUE, "#d55e00", "#009e73", "#aa4499", "#b07d00", MUTED)
"""Distinguishable by every common colour vision (after Okabe and Ito, darkened for text)."""

WIDTH, DPI = 10.0, 120
MAX_DOTS = 31
"""Longer lines are drawn without a dot for each step."""


class Label(NamedTuple):
    """The text at the end of a line."""

    text: str
    height: float  # in data units
    colour: str


def canvas(titles: Sequence[str], *, height: float) -> tuple[Figure, list[Axes]]:
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
        axes.yaxis.set_major_locator(round_ticks(6))
        axes.yaxis.set_major_formatter(FuncFormatter(number))
        axes.margins(x=0.01)
    return figure, row


def label_ends(axes: Axes, labels: Sequence[Label]) -> None:
    """Write each label at the end of its line, moved apart where they would overlap."""
    known = [label for label in labels if np.isfinite(label.height)]
    if not known:
        return
    size = 10.5
    axes.set_ylim(axes.get_ylim())  # fixes the limits that the heights below depend on
    inches = axes.get_window_extent().height / DPI
    gap = 1.35 * size / 72 / inches
    to_axes = axes.transScale + axes.transLimits
    wanted = np.array([to_axes.transform((0.0, label.height))[1] for label in known])
    for label, height in zip(known, apart(wanted, gap), strict=True):
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


def apart(heights: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Return heights in the same order, moved as little as needed to lie `gap` apart.

    Example:
        >>> apart(np.array([0.50, 0.52, 0.9]), gap=0.1).round(3).tolist()
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


def round_ticks(count: int, *, integer: bool = False) -> MaxNLocator:
    """Return a locator of at most `count` ticks at round numbers."""
    return MaxNLocator(nbins=count, steps=[1, 2, 5, 10], integer=integer)


def tick_times(axes: Axes, times: NDArray[Any], ticks: int) -> None:
    """Label at most `ticks` times, datetime64 or integers, below the axes."""
    if times.dtype.kind == "M":
        # Multiples of days would put the 31st and the 1st on top of one another.
        span = times[-1] - times[0]
        days = np.timedelta64(3, "D") < span < np.timedelta64(92, "D")
        locator = AutoDateLocator(  # type: ignore[no-untyped-call]
            minticks=3, maxticks=ticks, interval_multiples=not days
        )
        locator.intervald[HOURLY] = [1, 2, 3, 4, 6, 12, 24]
        locator.intervald[DAILY] = [1, 2, 4, 7, 14, 21, 28, 35]
        formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        formatter.formats[2] = "%d %b"
        formatter.zero_formats[2:4] = ["%d %b", "%d %b"]  # first day of a month, midnight
        formatter.offset_formats[2] = "%Y"
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(formatter)
        axes.xaxis.get_offset_text().set(color=MUTED, fontsize=10)
    else:
        axes.xaxis.set_major_locator(round_ticks(ticks, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(number))


def dots(steps: int) -> dict[str, Any]:
    """Return how a line of so many steps is marked: by a dot at each step, or not at all."""
    return {"marker": "o", "markersize": 3.5} if steps <= MAX_DOTS else {}


def last_known(line: NDArray[np.float64]) -> float:
    """Return the last finite value; NaN where there is none."""
    known = line[np.isfinite(line)]
    return float(known[-1]) if len(known) else float("nan")


def number(value: float, _: int | None = None) -> str:
    """Write a tick in full, with thousands marked.

    Example:
        >>> number(1_200_000.0), number(0.1 + 0.2)
        ('1,200,000', '0.3')
    """
    return f"{value:,.12g}"


def floats(values: ArrayLike) -> NDArray[np.float64]:
    """Return an array of float64."""
    return np.asarray(values, dtype=np.float64)
