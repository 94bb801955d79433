"""Past forecasts beside what came of them, as time passes."""

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
    """Draw errors over what was promised, and how far that is beyond luck.

    Args:
        times: When forecasts were made, shape (moments,): datetime64 or integers.
        ratio: Of errors to promised ones, shape (moments,).
        score: Of the control chart, shape (moments,); NaN where too little was known.
        limit: Of the score: beyond it is an alarm.

    Example:
        >>> figure = control_figure([1, 2, 3], [1.0, 0.9, 2.0], [0.1, -0.2, 5.0], 3.7)
        >>> [text.get_text() for text in figure.axes[1].texts]
        ['score', 'alarm']
    """
    figure, row = canvas(["Error over the promised one", "Deviations from luck"], height=3.6)
    moments, scores = np.asarray(times), floats(score)
    told = ((floats(ratio), 1.0, "error", "promised"), (scores, limit, "score", "alarm"))
    for axes, (line, level, name, level_name) in zip(row, told, strict=True):
        beyond = scores > limit
        axes.axhline(level, color=MUTED, linewidth=1)
        axes.plot(moments, line, color=BLUE, linewidth=1.6, **dots(len(line)))
        axes.plot(moments[beyond], line[beyond], "o", color=ALARM, markersize=7, zorder=5)
        tick_times(axes, moments, 5)
        label_ends(axes, [Label(name, last_known(line), BLUE), Label(level_name, level, MUTED)])
    return figure


def ahead_figure(steps: ArrayLike, came: ArrayLike, promised: ArrayLike) -> Figure:
    """Draw the skill over the seasonal naive by steps ahead, beside the promised one.

    Args:
        steps: Ahead, ascending, shape (steps,).
        came: Skill of what came, shape (steps,); NaN where nothing did.
        promised: Skill in the backtest, shape (steps,); NaN where it is not known.
    """
    figure, (axes,) = canvas(["Skill over the seasonal naive by steps ahead"], height=3.6)
    labels = []
    for name, line, colour in (
        ("promised", floats(promised), MUTED),
        ("came true", floats(came), BLUE),
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
    """Draw which share of what came lay inside the widest interval.

    Args:
        times: When forecasts were made, shape (moments,): datetime64 or integers.
        shares: Inside, shape (moments,).
        level: Share that was promised.
    """
    figure, (axes,) = canvas(["Share of actuals inside the widest interval"], height=3.6)
    moments, line = np.asarray(times), floats(shares)
    axes.axhline(level, color=MUTED, linewidth=1)
    axes.plot(moments, line, color=BLUE, linewidth=2, marker="o", markersize=4)
    axes.set_ylim(0, 1.05)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    tick_times(axes, moments, 8)
    label_ends(axes, [Label("came true", last_known(line), BLUE), Label("promised", level, MUTED)])
    return figure


def versions_figure(lines: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Draw the skill over the seasonal naive at each moment, a line per version.

    Args:
        lines: Version to times and skills, each of shape (moments,); the newest version last.

    Example:
        >>> figure = versions_figure({"shop/1": ([1, 2], [0.2, 0.1]), "shop/2": ([3], [0.3])})
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['shop/1', 'shop/2']
    """
    figure, (axes,) = canvas(["Skill over the seasonal naive by moment of forecasting"], height=3.6)
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
