"""The values that a series can take (real, nonnegative, integer), and forecasts within them.

The median of counts is a count: a network that forecasts 0.03 for each day without a sale has an
error every day, a forecast of 0 has none.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foreseq.config import OutputDomain, ResolvedNetwork
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows


def nearest(domain: OutputDomain, values: NDArray[Any]) -> NDArray[Any]:
    """Return the nearest values within a domain.

    Example:
        >>> values = np.array([-0.1, 0.4, 2.6])
        >>> nearest("integer", values).tolist(), nearest("nonnegative", values).tolist()
        ([0.0, 0.0, 3.0], [0.0, 0.4, 2.6])
    """
    if domain == "real":
        return values
    return np.asarray(np.maximum(values if domain == "nonnegative" else np.rint(values), 0.0))


def holds(domain: OutputDomain, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return whether all values along the last axis are within a domain; missing ones count as so.

    Example:
        >>> sold = np.array([[0.0, 3.0, np.nan], [0.0, 2.5, 1.0], [-1.0, 2.0, 0.0]])
        >>> holds("integer", sold).tolist(), holds("nonnegative", sold).tolist()
        ([True, False, False], [True, True, False])
    """
    return np.asarray(((nearest(domain, values) == values) | np.isnan(values)).all(axis=-1))


def keep(
    config: ResolvedNetwork, panel: Panel, chosen: Windows, forecasts: NDArray[Any]
) -> NDArray[Any]:
    """Return the nearest forecasts in the output domain, for windows whose past lies in it.

    Rounding is right for quantiles, too: as many counts lie up to 2 as up to 2.4, and no fewer up
    to 3 than up to 2.6, so no interval loses coverage.

    Args:
        config: Holds the domain.
        panel: The histories.
        chosen: The windows that were forecast.
        forecasts: Shape (windows, horizon, any number).
    """
    domain = config.output_domain
    if domain == "real":
        return forecasts
    kept = nearest(domain, forecasts)
    for rows, past in windows.pasts(panel, chosen, config.context):
        kept[rows] = np.where(holds(domain, past)[:, None, None], kept[rows], forecasts[rows])
    return kept
