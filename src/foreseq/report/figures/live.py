"""Live errors, skill and coverage of past forecasts over time."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from foreseq.report.figures.canvas import (
    BLUE,
    COLOURS,
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

ALARM = COLOURS[1]


def control_figure(times: ArrayLike, ratio: ArrayLike, score: ArrayLike, limit: float) -> Figure:
    """Draw the ratio of live errors to expected ones, and the score of the control chart.

    Args:
        times: Forecast origins, shape (origins,): datetime64 or integers.
        ratio: Shape (origins,).
        score: Shape (origins,); NaN where it is unknown.
        limit: Score beyond which is an alarm.

    Example:
        >>> figure = control_figure([1, 2, 3], [1.0, 0.9, 2.0], [0.1, -0.2, 5.0], 3.7)
        >>> [text.get_text() for text in figure.axes[1].texts]
        ['score', 'alarm']
    """
    figure, row = canvas(
        ["Live error / error expected by the backtest", "Control chart score"], height=3.6
    )
    origins, scores = np.asarray(times), floats(score)
    lines = ((floats(ratio), 1.0, "live", "backtest"), (scores, limit, "score", "alarm"))
    for axes, (line, level, name, level_name) in zip(row, lines, strict=True):
        beyond = scores > limit
        axes.axhline(level, color=MUTED, linewidth=1)
        axes.plot(origins, line, color=BLUE, linewidth=1.6, **dots(len(line)))
        axes.plot(origins[beyond], line[beyond], "o", color=ALARM, markersize=7, zorder=5)
        tick_times(axes, origins, 5)
        label_ends(axes, [Label(name, last_known(line), BLUE), Label(level_name, level, MUTED)])
    return figure


def ahead_figure(steps: ArrayLike, live: ArrayLike, expected: ArrayLike) -> Figure:
    """Draw live and expected skill over the seasonal naive by steps ahead.

    Args:
        steps: Ahead, ascending, shape (steps,).
        live: Skill of live forecasts, shape (steps,); NaN without actuals.
        expected: Skill in the backtest, shape (steps,); NaN where it is unknown.
    """
    figure, (axes,) = canvas(["Skill over the seasonal naive by steps ahead"], height=3.6)
    labels = []
    for name, line, colour in (
        ("backtest", floats(expected), MUTED),
        ("live", floats(live), BLUE),
    ):
        axes.plot(steps, line, color=colour, linewidth=2, **dots(len(line)))
        labels.append(Label(name, last_known(line), colour))
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("steps ahead")
    axes.xaxis.set_major_locator(round_ticks(12, integer=True))
    label_ends(axes, labels)
    return figure


def coverage_figure(times: ArrayLike, shares: ArrayLike, level: float) -> Figure:
    """Draw live coverage of the widest interval, and its target.

    Args:
        times: Forecast origins, shape (origins,): datetime64 or integers.
        shares: Of actuals inside, shape (origins,).
        level: Nominal coverage.
    """
    figure, (axes,) = canvas(["Share of actuals inside the widest interval"], height=3.6)
    origins, line = np.asarray(times), floats(shares)
    axes.axhline(level, color=MUTED, linewidth=1)
    axes.plot(origins, line, color=BLUE, linewidth=2, marker="o", markersize=4)
    axes.set_ylim(0, 1.05)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    tick_times(axes, origins, 8)
    label_ends(axes, [Label("live", last_known(line), BLUE), Label("target", level, MUTED)])
    return figure


def versions_figure(lines: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Draw the skill over the seasonal naive at each forecast origin, a line per version.

    Args:
        lines: Version to times and skills, each of shape (origins,); the newest version last.

    Example:
        >>> figure = versions_figure({"shop/1": ([1, 2], [0.2, 0.1]), "shop/2": ([3], [0.3])})
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['shop/1', 'shop/2']
    """
    figure, (axes,) = canvas(["Skill over the seasonal naive by forecast origin"], height=3.6)
    labels = []
    newest_first = list(lines.items())[::-1]
    for (name, (times, skill)), colour in zip(newest_first, COLOURS, strict=False):
        line = floats(skill)
        axes.plot(np.asarray(times), line, color=colour, linewidth=1.6, **dots(len(line)))
        labels.append(Label(name, last_known(line), colour))
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    tick_times(axes, np.sort(np.concatenate([times for times, _ in lines.values()])), 8)
    label_ends(axes, labels[::-1])
    return figure
