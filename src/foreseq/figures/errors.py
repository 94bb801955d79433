"""Errors: while learning, by steps ahead."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import ArrayLike, NDArray

from foreseq.figures.canvas import (
    BLUE,
    COLOURS,
    MUTED,
    Label,
    canvas,
    dots,
    floats,
    label_ends,
    last_known,
    number,
    round_ticks,
)


def curves_figure(steps: ArrayLike, loss: ArrayLike, validation: ArrayLike) -> Figure:
    """Draw how training went, with the best validation error marked.

    Args:
        steps: Batches learned from, shape (looks,).
        loss: Training loss there, shape (looks,); NaN where it was not measured.
        validation: Validation error there, shape (looks,); NaN where it was not measured.
    """
    figure, (axes,) = canvas(["Error while learning"], height=3.6)
    step, trained, held_back = np.asarray(steps), floats(loss), floats(validation)
    labels = []
    for name, line, colour in (("training", trained, MUTED), ("validation", held_back, BLUE)):
        known = np.isfinite(line)
        if known.any():
            axes.plot(step[known], line[known], color=colour, linewidth=1.8)
            labels.append(Label(name, line[known][-1], colour))
    _spread_over_decades(axes, np.concatenate([trained, held_back]))
    if np.isfinite(held_back).any():
        _mark_lowest(axes, step, held_back)
    axes.set_xlabel("steps")
    axes.xaxis.set_major_locator(round_ticks(8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(number))
    label_ends(axes, labels)
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
    figure, (axes,) = canvas([f"{measure} by steps ahead"], height=3.6)
    labels = []
    for place, (name, error) in enumerate(errors.items()):
        colour, line = COLOURS[place % len(COLOURS)], floats(error)
        axes.plot(
            np.arange(1, len(line) + 1),
            line,
            color=colour,
            linewidth=2.4 if place == 0 else 1.6,
            zorder=4 if place == 0 else 3,
            **dots(len(line)),
        )
        labels.append(Label(name, last_known(line), colour))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("steps ahead")
    axes.xaxis.set_major_locator(round_ticks(12, integer=True))
    label_ends(axes, labels)
    return figure


def best_median_worst(errors: ArrayLike) -> tuple[int, int, int]:
    """Return which series were forecast best, in between and worst, NaN left out.

    Raises:
        ValueError: If no error is known.

    Example:
        >>> best_median_worst([3.0, 1.0, float("nan"), 9.0, 2.0, 4.0])
        (1, 0, 3)
    """
    error = floats(errors)
    order = np.argsort(error, kind="stable")[: int((~np.isnan(error)).sum())]
    if not len(order):
        raise ValueError("no error is known, so none is best")
    return int(order[0]), int(order[(len(order) - 1) // 2]), int(order[-1])


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
        axes.yaxis.set_major_formatter(FuncFormatter(number))
