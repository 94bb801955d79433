"""Series that lie end to end in one array: the step of each row, and the rows of some series.

Series i has the rows from `offsets[i]` to `offsets[i + 1]`, one for each step.
"""

import numpy as np
from numpy.typing import NDArray


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where series of some lengths begin, and the end of the last, shape (n_series + 1,)."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def steps(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the step of each row in its series, shape (rows,).

    Example:
        >>> steps(np.array([0, 3, 5])).tolist()
        [0, 1, 2, 0, 1]
    """
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))


def select(
    offsets: NDArray[np.int64], positions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of some series, in the order given, and their offsets among these rows.

    Example:
        >>> rows, new = select(np.array([0, 3, 5]), np.array([1, 0]))
        >>> rows.tolist(), new.tolist()
        ([3, 4, 0, 1, 2], [0, 2, 5])
    """
    lengths = np.diff(offsets)[positions]
    new = offsets_of(lengths)
    return np.repeat(offsets[positions], lengths) + steps(new), new
