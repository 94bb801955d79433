"""Errors by training step, by steps ahead and by series; calibration of quantiles."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import ArrayLike, NDArray

from foreseq.report.figures.canvas import (
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
    """Draw the training curves with the best validation error marked.

    Args:
        steps: Training steps, shape (validations,).
        loss: Training loss, shape (validations,); NaN where it was not measured.
        validation: Validation error, shape (validations,); NaN where it was not measured.
    """
    figure, (axes,) = canvas(["Error by training step"], height=3.6)
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
    axes.set_xlabel("training steps")
    axes.xaxis.set_major_locator(round_ticks(8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(number))
    label_ends(axes, labels)
    return figure


def horizon_figure(errors: Mapping[str, ArrayLike], measure: str = "MAE") -> Figure:
    """Draw the error of each step ahead, a line per forecaster, the first one in front.

    Args:
        errors: Name to errors, shape (horizon,).
        measure: Name of the error.

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


def series_figure(errors: Mapping[str, ArrayLike], measure: str = "MAE") -> Figure:
    """Draw the errors of the series in ascending order, a line per forecaster.

    Args:
        errors: Name to errors, shape (n_series,); NaN and infinity are left out.
        measure: Name of the error.

    Example:
        >>> figure = series_figure({"GRU": [1.0, 3.0], "naive": [2.0, float("nan")]})
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [1.0, 3.0]
    """
    figure, (axes,) = canvas([f"{measure} by series, from the easiest to the hardest"], height=3.6)
    labels = []
    for place, (name, error) in enumerate(errors.items()):
        known = np.sort(floats(error)[np.isfinite(floats(error))])
        if not len(known):
            continue
        share = 100 * (np.arange(len(known)) + 0.5) / len(known)
        colour = COLOURS[place % len(COLOURS)]
        width = 2.4 if place == 0 else 1.6
        axes.plot(share, known, color=colour, linewidth=width, **dots(len(known)))
        labels.append(Label(name, known[-1], colour))
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 100)
    axes.set_xlabel("percent of the series with a smaller error")
    label_ends(axes, labels)
    return figure


def calibration_figure(levels: ArrayLike, shares: ArrayLike) -> Figure:
    """Draw the share of actuals below each quantile against the quantile's level.

    Args:
        levels: Of the quantiles, ascending, shape (levels,).
        shares: Of the actuals, shape (levels,).
    """
    figure, (axes,) = canvas(["Percent of actuals below each quantile"], height=3.6)
    target, actual = 100 * floats(levels), 100 * floats(shares)
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1.0, linestyle=(0, (2, 3)))
    axes.plot(target, actual, color=BLUE, linewidth=2.4, marker="o", markersize=6)
    for level, share in zip(target, actual, strict=True):
        axes.annotate(
            f"{share:.1f}", (level, share), xytext=(7, -12), textcoords="offset points",
            color=BLUE, fontsize=10.5,
        )  # fmt: skip
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 105)
    axes.set_xlabel("level of the quantile in percent")
    label_ends(axes, [Label("calibrated", 100.0, MUTED)])
    return figure


def best_median_worst(errors: ArrayLike) -> tuple[int, int, int]:
    """Return the positions of the smallest, the median and the largest error, NaN left out.

    Raises:
        ValueError: If no error is known.

    Example:
        >>> best_median_worst([3.0, 1.0, float("nan"), 9.0, 2.0, 4.0])
        (1, 0, 3)
    """
    error = floats(errors)
    order = np.argsort(error, kind="stable")[: int((~np.isnan(error)).sum())]
    if not len(order):
        raise ValueError("no error is known")
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
    """Use a logarithmic axis where errors fall to less than a tenth."""
    known = values[np.isfinite(values)]
    if len(known) and known.min() > 0 and known.max() > 10 * known.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(FuncFormatter(number))
