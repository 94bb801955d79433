"""What values series take, and forecasts that keep to them: the support, as statistics calls it.

The median of counts is a count, and a network that answers 0.03 or -0.02 for every day on which
nothing is sold is wrong each time by more than who says 0.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foreseq.config import OutputDomain, ResolvedNetwork
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows


def nearest(kind: OutputDomain, values: NDArray[Any]) -> NDArray[Any]:
    """Return the nearest values of a kind.

    Example:
        >>> values = np.array([-0.1, 0.4, 2.6])
        >>> nearest("counts", values).tolist(), nearest("nonnegative", values).tolist()
        ([0.0, 0.0, 3.0], [0.0, 0.4, 2.6])
    """
    if kind == "real":
        return values
    return np.asarray(np.maximum(values if kind == "nonnegative" else np.rint(values), 0.0))


def holds(kind: OutputDomain, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell whether all values along the last axis are of a kind; missing ones may be.

    Example:
        >>> sold = np.array([[0.0, 3.0, np.nan], [0.0, 2.5, 1.0], [-1.0, 2.0, 0.0]])
        >>> holds("counts", sold).tolist(), holds("nonnegative", sold).tolist()
        ([True, False, False], [True, True, False])
    """
    return np.asarray(((nearest(kind, values) == values) | np.isnan(values)).all(axis=-1))


def keep(
    config: ResolvedNetwork, panel: Panel, chosen: Windows, answers: NDArray[Any]
) -> NDArray[Any]:
    """Return the nearest answers in the support, where the past of a window lies in it.

    The nearest are right for quantiles, too: as many counts lie up to 2 as up to 2.4, and no fewer
    up to 3 than up to 2.6, so that no interval loses coverage.

    Args:
        config: With every choice settled.
        panel: Where the pasts are.
        chosen: What was forecast.
        answers: Shape (windows, horizon, any number).
    """
    kind = config.output_domain or "real"  # None in bundles that are older than this choice
    if kind == "real":
        return answers
    kept = nearest(kind, answers)
    for rows, past in windows.pasts(panel, chosen, config.context):
        kept[rows] = np.where(holds(kind, past)[:, None, None], kept[rows], answers[rows])
    return kept
