"""A forecast drawn with letters: dots of Braille, two by four in each."""

import numpy as np
from numpy.typing import NDArray

from foreseq.report.html import number

DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bits of the dots in a letter, from the top left."""
BLANK = 0x2800
LABEL = 9
"""Letters of the scale on the left."""
BARS = "▁▂▃▄▅▆▇█"
WIDEST = 60
"""Letters of a spark line."""

Floats = NDArray[np.float64]


def draw(past: Floats, future: Floats, width: int = 78, height: int = 12) -> tuple[list[str], int]:
    """Return the lines of a plot, and the letter in each at which the future begins.

    Args:
        past: Shape (steps,); NaN where nothing was observed.
        future: Median and bounds, shape (horizon, 1 or 3); bounds are dotted.
        width: Letters of a line.
        height: Lines.
    """
    columns = 2 * (width - LABEL)
    steps = len(past) + len(future)
    known = np.concatenate([past[np.isfinite(past)], future.ravel()])
    low, high = float(known.min()), float(known.max())
    canvas = np.zeros((4 * height, columns), bool)
    place = np.arange(steps) * (columns - 1) / max(steps - 1, 1)

    def line(values: Floats, first: int, every: int = 1) -> None:
        rows = (4 * height - 1) * (high - values) / ((high - low) or 1.0)
        seen = np.flatnonzero(np.isfinite(rows))
        if not len(seen):
            return
        at = place[first + seen]
        across = np.arange(int(np.ceil(at[0])), int(at[-1]) + 1)
        down = np.rint(np.interp(across, at, rows[seen])).astype(int)
        before = np.concatenate([down[:1], down[:-1]])
        for x, one, other in zip(across, down, before, strict=True):
            if x % every == 0:
                canvas[min(one, other) : max(one, other) + 1 if every == 1 else one + 1, x] = True

    line(past, 0)
    for output in range(future.shape[1]):
        line(future[:, output], len(past), every=1 if output == 0 else 3)
    letters = canvas.reshape(height, 4, -1, 2).swapaxes(1, 2)  # (height, width, 4, 2)
    codes = BLANK + (letters * DOTS).sum(axis=(2, 3))
    marks = {0: number(high), height - 1: number(low)}
    lines = [
        f"{marks.get(row, ''):>{LABEL - 2}} ┤"
        + "".join(map(chr, codes[row].tolist())).replace(chr(BLANK), " ").rstrip()
        for row in range(height)
    ]
    return lines, LABEL + int(place[min(len(past), steps - 1)]) // 2


def axis(times: list[str], begins: int, width: int = 78) -> str:
    """Return the line below a plot: when its past, its future and its end are.

    Example:
        >>> axis(["2024-01", "2024-04", "2024-06"], 30, 50)
        '         2024-01              2024-04      2024-06'
    """
    past, future, end = times
    left = f"{'':<{LABEL}}{past}" if begins > LABEL else ""
    line = f"{left:<{begins}}{future}"
    return f"{line:<{width - len(end)}}{end}" if len(line) < width - len(end) else line


def brief_time(time: object) -> str:
    """Return a time without a clock where it is midnight.

    Example:
        >>> brief_time("2024-01-31T00:00:00.000000000"), brief_time("2024-01-31 06:00:00")
        ('2024-01-31', '2024-01-31 06:00')
    """
    text = str(time).replace("T", " ").partition(".")[0]
    return text.removesuffix(":00").removesuffix(" 00:00")


def spark(values: Floats, width: int = WIDEST) -> str:
    """Return a drawing of some values in one line.

    Example:
        >>> spark(np.array([1.0, 2.0, 8.0, 4.0]))
        '▁▂█▄'
    """
    if len(values) > width:
        values = np.array([part.mean() for part in np.array_split(values, width)])
    low, spread = values.min(), np.ptp(values) or 1.0
    return "".join(BARS[round(float((one - low) / spread) * (len(BARS) - 1))] for one in values)
