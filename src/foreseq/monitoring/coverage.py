"""Whether the intervals hold what they promise."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from foreseq.config import MonitorConfig
from foreseq.monitoring.chart import likeness

LEAST_COVERED = 8
"""Moments that must be known before anything is said of the intervals."""


class Coverage(NamedTuple):
    """What came inside the intervals."""

    level: float
    """Share promised."""
    share: float
    """Share found, the mean over moments."""
    moments: int
    surprise: float
    """Probability of so great a difference, if the promise held."""


def cover(points: pd.DataFrame, level: float | None) -> Coverage | None:
    """Return how the promised share fares; None if too little is known to say.

    Tested by moments, which share no actual, widened by what they resemble their neighbours.
    """
    if level is None or len(points) < LEAST_COVERED:
        return None
    count = points["count"].to_numpy(dtype=np.float64)
    shares = points["inside"].to_numpy(dtype=np.float64) / count
    alike = likeness(shares)
    least = np.sqrt(
        level * (1 - level) / count.mean()
    )  # of actuals that know nothing of each other
    spread = max(float(shares.std(ddof=1)), float(least))
    error = spread * np.sqrt((1 + alike) / (1 - alike) / len(shares))
    distance = abs(float(shares.mean()) - level) / error
    surprise = 2 * float(stats.t.sf(distance, len(shares) - 1))
    return Coverage(level, float(shares.mean()), len(shares), surprise)


def is_off(covered: Coverage, told: MonitorConfig) -> bool:
    """Tell whether the difference matters and is beyond luck."""
    far = abs(covered.share - covered.level) >= told.coverage_tolerance
    return far and covered.surprise < 1 / told.false_alarm_interval
