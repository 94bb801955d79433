"""What was read, how its flaws were repaired, and what looks wrong though no rule forbids it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Repairs:
    """What was read, and how its flaws were repaired."""

    rows: int
    """Rows read, blank ones left out."""
    series: int
    steps: int
    """Steps of all series together, on the grid."""
    first: str
    """First time of any series."""
    last: str
    """Last time of any series."""
    blank_rows: int = 0
    unsorted_series: int = 0
    """Series whose rows did not ascend in time."""
    duplicates_collapsed: int = 0
    """Rows merged into another of the same series and time."""
    gaps: int = 0
    """Steps without a row."""
    gaps_filled: int = 0
    """Gaps that were interpolated."""
    missing: int = 0
    """Rows with an empty y, between the first and the last y of their series."""
    missing_filled: int = 0
    """Empty y that were interpolated or read as zero."""
    leading: int = 0
    """Rows before the first y of their series, left out."""
    trailing: int = 0
    """Rows after the last y of their series: they belong to the horizon, not to the history."""
    zone: str = ""
    """Time zone of the source, whose times are now UTC; empty if it named none."""
    warnings: tuple[str, ...] = ()
    """What looks wrong and was left alone."""

    def __str__(self) -> str:
        """Return one line for people: what was read, and only the repairs that happened.

        Example:
            >>> print(Repairs(rows=5, series=1, steps=6, first="1", last="6", gaps=1))
            5 rows, 1 series, 1 to 6; 1 steps without a row left unobserved
        """
        counts = [
            (self.blank_rows, "blank rows skipped"),
            (self.unsorted_series, "series sorted"),
            (self.duplicates_collapsed, "duplicate rows collapsed"),
            (self.gaps_filled, "steps without a row filled"),
            (self.gaps - self.gaps_filled, "steps without a row left unobserved"),
            (self.missing_filled, "empty y filled"),
            (self.missing - self.missing_filled, "empty y left unobserved"),
            (self.leading, "rows before the first y left out"),
            (self.trailing, "rows after the last y taken as the horizon, not as history"),
        ]
        done = [f"{count:,} {what}" for count, what in counts if count]
        done += [f"times converted from {self.zone} to UTC"] if self.zone else []
        read = f"{self.rows:,} rows, {self.series:,} series, {self.first} to {self.last}"
        return "; ".join([read, *done, *self.warnings])


def similar_ids(names: NDArray[np.str_]) -> list[str]:
    """Return a warning of ids that differ only by spaces around them.

    Args:
        names: All ids, each once.

    Example:
        >>> similar_ids(np.array(["A", "A ", "B"]))
        ["1 ids differ from another only by spaces around them, the first 'A '"]
    """
    stripped = np.strings.strip(names)
    padded = names[(stripped != names) & np.isin(stripped, names)].tolist()
    if not padded:
        return []
    first = f"the first {padded[0]!r}"
    return [f"{len(padded):,} ids differ from another only by spaces around them, {first}"]
