"""The gate's decision on a challenger, of forecasts or of text."""

from typing import NamedTuple

CHALLENGER, CHAMPION = "challenger", "champion"
SURE = 0.999
"""Confidence above this is shown as `> 99.9%`."""


class Decision(NamedTuple):
    """Whether a challenger is published, and the scores behind it."""

    published: bool
    reason: str
    scores: dict[str, float]
    """Of the challenger, the baselines and the champion on the same data; lower is better."""
    confidence: float | None = None
    """That the challenger beats the one it beats least clearly; None: not estimated."""
    series: int = 0
    """Series that were compared."""
    windows: int = 0
    """Windows that were compared."""
    periods: int = 0
    """Periods that these windows span, each a horizon or a season, at most ten: what confidence
    rests on."""
    steps: int = 0
    """Observations that were compared."""

    @property
    def verdict(self) -> str:
        """`published` or `rejected`."""
        return "published" if self.published else "rejected"


def percent(confidence: float) -> str:
    """Return a confidence for people, never 100%.

    Example:
        >>> percent(0.643), percent(1.0)
        ('64.3%', '> 99.9%')
    """
    return f"> {SURE:.1%}" if confidence > SURE else f"{confidence:.1%}"
