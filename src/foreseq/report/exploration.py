"""What a dataset looks like before any training: its shape, its repairs, and what is suspicious."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from foreseq import __version__
from foreseq.ingest.repairs import Repairs, health
from foreseq.report.html import number, percent, render
from foreseq.selection.season import infer_season
from foreseq.series import calendar
from foreseq.series.panel import Panel

SAMPLED = 1000
"""Series that are searched for outliers and shifts."""
FAR = 8.0
"""Outliers, and shifts, are so many standard deviations (robust ones) away."""
BEYOND, MOST = 3.0, 0.01
"""Outliers are also so many times farther than 98 in 100 steps, and no more than this share of a
series (or two steps): else it has heavy tails."""
SUDDEN = 4.0
"""A shift is so many times larger than nine in ten other changes of the level."""
SHORTEST = 10
"""Steps on each side that show a level."""
PLOTS, WIDTH, HEIGHT = 9, 600, 100
"""Series that are drawn, and size of a drawing."""

Array = NDArray[np.float64]


class Suspect(NamedTuple):
    """A step of a series that is worth a look."""

    series: int
    step: int
    value: float
    """What is there; of a shift the difference between the levels after and before."""
    size: float
    """In standard deviations of what trend and season leave over."""


class Exploration(NamedTuple):
    """What was found in a panel."""

    panel: Panel
    repairs: Repairs
    outliers: Sequence[Suspect]
    """The farthest first."""
    shifts: Sequence[Suspect]
    """The largest first, at most one in each series."""
    strength: float
    """Share of the variation around the level that the season explains, in the median series."""
    early: NDArray[np.int64]
    """Series that end before others, by more than a season."""


def explore(panel: Panel, repairs: Repairs) -> Exploration:
    """Search a panel for outliers and shifts of level, and for its season if that is open.

    Example:
        >>> from foreseq.series.panel import from_series
        >>> week = np.tile([1.0, 2.0, 3.0, 2.0, 1.0, 5.0, 6.0], 12)
        >>> noisy = week + np.random.default_rng(1).normal(scale=0.1, size=84)
        >>> noisy[30] = 99
        >>> panel = from_series({"a": noisy}, freq="D", season=7, start="2024-01-01")
        >>> found = explore(panel, Repairs(84, 1, 84, "", ""))
        >>> [suspect.step for suspect in found.outliers], round(found.strength, 1)
        ([30], 1.0)
    """
    panel = replace(panel, season=panel.season or infer_season(panel, panel.lengths))
    outliers: list[Suspect] = []
    shifts: list[Suspect] = []
    strengths: list[float] = []
    for series in range(0, panel.n_series, -(-panel.n_series // SAMPLED)):
        values, seen = panel.series(series), panel.seen(series)
        if seen.sum() < 2 * SHORTEST:
            continue
        filled = np.interp(np.arange(len(values)), np.flatnonzero(seen), values[seen])
        profile, rest = _decompose(filled, panel.season)
        spread = 1.4826 * float(np.median(np.abs(rest[seen])))
        whole = 1.4826 * float(np.median(np.abs(rest + profile)[seen]))
        strengths.append(max(0.0, 1 - (spread / whole) ** 2) if whole else 0.0)
        if spread <= 1e-9 * np.abs(filled).max():
            continue  # constant, or without noise: everything would be far away
        limit = max(FAR * spread, BEYOND * float(np.quantile(np.abs(rest[seen]), 1 - 2 * MOST)))
        far = np.flatnonzero(seen & (np.abs(rest) > limit)).tolist()
        if len(far) <= max(2, MOST * len(values)):
            sizes = (np.abs(rest[far]) / spread).tolist()
            outliers += map(Suspect, repeat(series), far, values[far].tolist(), sizes)
        shifts += _shift(series, filled - profile, max(2 * panel.season, SHORTEST), spread)
    ends = calendar.at(panel.starts, panel.lengths - 1, panel.freq)
    behind = calendar.positions(np.full(len(ends), ends.max()), ends, panel.freq)
    return Exploration(
        panel,
        repairs,
        sorted(outliers, key=lambda suspect: -suspect.size),
        sorted(shifts, key=lambda suspect: -suspect.size),
        float(np.median(strengths)) if strengths else float("nan"),
        np.flatnonzero(behind > panel.season),
    )


def lines(exploration: Exploration) -> list[tuple[str, str]]:
    """Return the results as lines of a heading and a sentence."""
    panel = exploration.panel
    shortest, median, longest = np.quantile(panel.lengths, [0, 0.5, 1]).astype(int).tolist()
    strength = percent(exploration.strength)
    season = f"{panel.season} steps: {strength} of what varies around the level"
    early = panel.ids[exploration.early].tolist()
    ends = f"{len(early):,} series end before others"
    outliers = _sentence(panel, exploration.outliers, "farthest")
    shifts = _sentence(panel, exploration.shifts, "largest")
    return [
        ("lengths", f"{shortest:,} to {longest:,} steps of {panel.freq}, the median {median:,}"),
        ("season", season if panel.season > 1 else "none found"),
        *(("ends", f"{ends}, the first {name}") for name in early[:1]),
        ("outliers", outliers or "none found"),
        ("shifts", shifts or "no sudden change of level found"),
    ]


def page(exploration: Exploration, name: str) -> str:
    """Return the page of an exploration as HTML, drawings included."""
    panel, repairs = exploration.panel, exploration.repairs
    return render(
        "exploration.html",
        title=f"{name}: before training",
        release=__version__,
        facts=[
            (f"{panel.n_series:,}", "series"),
            (f"{int(np.median(panel.lengths)):,}", "steps in the median series"),
            (panel.freq, "frequency"),
            (panel.season if panel.season > 1 else "none", "season, in steps"),
            (percent(1 - float(panel.observed.mean()), 1), "of steps without a value"),
        ],
        lines=[*lines(exploration), *(("warning", warning) for warning in repairs.warnings)],
        suspects=suspects(exploration),
        quality=[row for row in health(repairs, panel.freq, panel.season) if row[0] != "warning"],
        plots=[_plot(exploration, series) for series in _examples(exploration)],
        sampled=min(SAMPLED, panel.n_series),
        width=WIDTH,
        height=HEIGHT,
    )


def suspects(exploration: Exploration) -> list[tuple[str, ...]]:
    """Return the first outliers and shifts as rows: kind, series, time, value, size."""
    panel = exploration.panel
    kinds = [("outlier", exploration.outliers), ("shift of level", exploration.shifts)]
    return [
        (kind, *_place(panel, suspect), number(suspect.value), f"{suspect.size:.0f}")
        for kind, some in kinds
        for suspect in some[:PLOTS]
    ]


def _decompose(values: Array, season: int) -> tuple[Array, Array]:
    """Return the seasonal profile, repeated, and what level and season leave over."""
    width = season * -(-SHORTEST // season)
    if len(values) < 3 * season or len(values) < width:
        return np.zeros(len(values)), values - np.median(values)
    half = width // 2
    ahead = season * -(-half // season)  # whole seasons, so that both ends keep their phase
    before, after = values[ahead - half : ahead], values[-ahead:][:half]
    whole = median_filter(np.concatenate([before, values, after]), size=width, mode="nearest")
    around = values - whole[half : half + len(values)]
    phases = np.array([np.median(around[phase::season]) for phase in range(season)])
    profile = phases[np.arange(len(values)) % season] * (season > 1)
    return profile, around - profile


def _shift(series: int, values: Array, width: int, spread: float) -> list[Suspect]:
    """Return the largest sudden change between the median of `width` steps and of the next ones."""
    if len(values) < 4 * width:
        return []
    medians = np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    changes = medians[width:] - medians[:-width]  # position i: at step i + width
    place = int(np.abs(changes).argmax())
    others = np.abs(np.delete(changes, np.s_[max(0, place - width) : place + width]))
    usual = float(np.quantile(others, 0.9)) if len(others) else float("inf")
    size = float(abs(changes[place]))
    if size <= FAR * spread or size <= SUDDEN * usual:
        return []
    return [Suspect(series, place + width, float(changes[place]), size / spread)]


def _sentence(panel: Panel, suspects: Sequence[Suspect], first: str) -> str:
    if not suspects:
        return ""
    series, time = _place(panel, suspects[0])
    several = len({suspect.series for suspect in suspects})
    return (
        f"{len(suspects):,} in {several:,} series, the {first} in {series} at {time}:"
        f" {number(suspects[0].value)}"
    )


def _place(panel: Panel, suspect: Suspect) -> tuple[str, str]:
    time = panel.times(suspect.series, suspect.step, 1)[0]
    return str(panel.ids[suspect.series]), calendar.shown(time)


def _examples(exploration: Exploration) -> list[int]:
    """Return the series to draw: those with suspects, and some others."""
    suspicious = [suspect.series for suspect in (*exploration.outliers, *exploration.shifts)]
    others = np.linspace(0, exploration.panel.n_series - 1, PLOTS).astype(int).tolist()
    chosen = [*dict.fromkeys(suspicious)][: PLOTS - PLOTS // 3]
    return list(dict.fromkeys([*chosen, *others]))[:PLOTS]


def _plot(exploration: Exploration, series: int) -> dict[str, object]:
    """Return what the page needs to draw a series."""
    panel = exploration.panel
    values, seen = panel.series(series), panel.seen(series)
    low, high = (values[seen].min(), values[seen].max()) if seen.any() else (0.0, 0.0)
    steps = _thinned(values, seen)
    x = WIDTH * steps / max(len(values) - 1, 1)
    y = HEIGHT * (1 - (values[steps] - low) / ((high - low) or 1))
    parts = [True, *(not seen[a:b].all() for a, b in pairwise(steps.tolist()))]
    points = zip(x, y, parts, strict=False)
    first, last = panel.times(series, 0, len(values))[[0, -1]]
    shifts = [one.step for one in exploration.shifts if one.series == series]
    return {
        "name": str(panel.ids[series]),
        "line": " ".join(f"{'M' if new else 'L'}{a:.1f} {b:.1f}" for a, b, new in points),
        "dots": [
            (WIDTH * one.step / len(values), HEIGHT * (1 - (one.value - low) / ((high - low) or 1)))
            for one in exploration.outliers
            if one.series == series
        ],
        "shifts": [WIDTH * step / len(values) for step in shifts],
        "first": calendar.shown(first),
        "last": calendar.shown(last),
        "range": f"{number(float(low))} to {number(float(high))}",
    }


def _thinned(values: Array, seen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the steps to draw: the lowest and the highest of each few neighbours, in order."""
    there = np.flatnonzero(seen)
    pieces = np.array_split(there, min(len(there), WIDTH // 2)) if len(there) else []
    ends = [piece[[values[piece].argmin(), values[piece].argmax()]] for piece in pieces]
    return np.unique(np.concatenate(ends)) if ends else np.empty(0, dtype=np.int64)
