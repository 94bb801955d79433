"""Frequencies by name: what one step of a calendar is.

Besides the aliases of pandas there are sessions, which name the times that exist in a week
(`30min[Mon-Fri 09:30-16:00]`, `D[Sun-Thu]`), periods of weeks in turn (`4-4-5W[2024-01-28]`, where
one period ends or begins on that day), and the zone whose clocks count (`D@Europe/Berlin`).
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foreseq.errors import ConfigError

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
MONDAY = 4 * DAY
"""The first one after 1 January 1970."""
YEAR_2000 = 10957 * DAY

_TICKS = {
    "W": WEEK,
    "D": DAY,
    "h": HOUR,
    "min": MINUTE,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}
_MONTHS = {"Y": 12, "Q": 3, "M": 1}
_EDGES: dict[str, Literal["month start", "month end"]] = {"S": "month start", "E": "month end"}
_OLD_NAMES = {
    "H": "h",
    "T": "min",
    "S": "s",
    "L": "ms",
    "U": "us",
    "N": "ns",
    "M": "ME",
    "Q": "QE",
    "Y": "YE",
    "A": "YE",
    "AS": "YS",
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Step:
    """One step of a calendar."""

    unit: Literal["integer", "ns", "business", "month start", "month end", "rule", "cycle"]
    size: int
    """Integers, nanoseconds, days or months; of a rule, every how many days of its table; of a
    cycle, nanoseconds between two times of a session."""
    day: int = 0
    """Of a month start, 29 to 31: the day, or the last one of a shorter month. 0: the start's."""
    rule: str = ""
    """Alias of pandas."""
    slots: tuple[int, ...] = ()
    """Of a cycle: its times, ascending, in nanoseconds after its begin."""
    period: int = 0
    """Of a cycle: nanoseconds after which it repeats."""
    origin: int = 0
    """Of a cycle: a begin, in nanoseconds since 1970."""
    zone: str = ""
    """Whose clocks count; empty for times without a zone."""

    @property
    def is_local(self) -> bool:
        """Whether steps are equal on the clocks of the zone, and not in UTC."""
        return bool(self.zone) and not (self.unit == "ns" and self.size <= HOUR)


@cache
def parse(freq: str) -> Step:
    """Return the step of a frequency.

    Raises:
        ConfigError: If there is no such frequency.

    Example:
        >>> parse("2MS").size, parse("D[Mon,Wed]").slots == (0, 2 * DAY), parse("D@Asia/Tokyo").zone
        (2, True, 'Asia/Tokyo')
    """
    name, _, zone = freq.partition("@")
    step = _parse_sessions(name) or _parse_weeks(name) or _parse_rule(name) or _parse_alias(name)
    if step is None or (zone and step.unit == "integer"):
        raise _unknown(freq)
    if not zone:
        return step
    try:
        return replace(step, zone=str(pd.DatetimeTZDtype("ns", zone).tz))
    except (TypeError, KeyError, ValueError):
        raise ConfigError(f"dataset.freq: there is no time zone {zone!r}") from None


def spell(step: Step) -> str:
    """Return the standard name of a step."""
    if step.unit == "integer":
        return str(step.size)
    if step.unit == "cycle":
        name = _spell_sessions(step) if step.period == WEEK else _spell_weeks(step)
    elif step.unit == "rule":
        name = _counted(step.size, step.rule)
    elif step.unit == "business":
        name = _counted(step.size, "B")
    elif step.unit == "ns":
        unit, size = next(item for item in _TICKS.items() if step.size % item[1] == 0)
        name = _counted(step.size // size, unit)
    else:
        unit, size = next(item for item in _MONTHS.items() if step.size % item[1] == 0)
        name = _counted(step.size // size, unit + ("S" if step.unit == "month start" else "E"))
        name += f"-{step.day}" if step.day else ""
    return f"{name}@{step.zone}" if step.zone else name


def sessions(size: int, slots: NDArray[np.int64]) -> Step:
    """Return the step of a week in which only some times exist.

    Args:
        size: Nanoseconds from one time of a session to the next.
        slots: The times, in nanoseconds after Monday midnight, ascending.
    """
    return Step("cycle", size, slots=tuple(slots.tolist()), period=WEEK, origin=MONDAY)


def weeks(pattern: tuple[int, ...], day: int) -> Step:
    """Return the step of periods of some weeks each, in turn.

    Args:
        pattern: Weeks of each period.
        day: Nanoseconds since 1970 of a day on which the first one begins.

    Example:
        >>> spell(weeks((5, 4, 4), parse("4-4-5W[2024-03-31]").origin))
        '4-4-5W[2000-03-05]'
    """
    turns = [pattern[first:] + pattern[:first] for first in range(len(pattern))]
    first = min(range(len(pattern)), key=lambda turn: turns[turn])
    period = sum(pattern) * WEEK
    begin = day // DAY * DAY + sum(pattern[:first]) * WEEK
    slots = tuple(int(week) * WEEK for week in np.cumsum((0, *turns[first][:-1])))
    origin = YEAR_2000 + (begin - YEAR_2000) % period
    return Step("cycle", WEEK, slots=slots, period=period, origin=origin)


@cache
def days_of(rule: str) -> NDArray[np.datetime64]:
    """Return all days of a calendar of pandas that datetime64[ns] can hold, ascending."""
    days = pd.date_range("1678-01-01", "2261-12-31", freq=rule)
    return days.to_numpy().astype("datetime64[D]")


def blocks(times: NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Return first and last of each run of times that follow each other by `size`."""
    if not len(times):
        return []
    breaks = np.flatnonzero(np.diff(times) != size)
    firsts, lasts = times[np.append(0, breaks + 1)], times[np.append(breaks, len(times) - 1)]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _counted(count: int, name: str) -> str:
    return name if count == 1 else f"{count}{name}"


def _parse_alias(name: str) -> Step | None:
    parts = re.fullmatch(r"(\d*)([A-Za-z]*)(?:-([A-Z]{3}|29|30|31))?", name)
    size = int((parts and parts[1]) or 1)
    if parts is None or size == 0 or not (parts[1] or parts[2]):
        return None
    unit, anchor = _OLD_NAMES.get(parts[2], parts[2]), parts[3] or ""
    if not unit:
        return None if anchor else Step("integer", size)
    if unit in _TICKS and (not anchor or unit == "W") and not anchor.isdigit():
        return Step("ns", size * _TICKS[unit])
    if unit == "B" and not anchor:
        return Step("business", size)
    if unit[:1] not in _MONTHS or unit[1:] not in _EDGES or (anchor.isdigit() and unit != "MS"):
        return None
    day = int(anchor) if anchor.isdigit() else 0
    return Step(_EDGES[unit[1:]], size * _MONTHS[unit[0]], day=day)


def _parse_rule(name: str) -> Step | None:
    parts = re.fullmatch(r"(\d*)(B[MQY][SE])(-[A-Z]{3})?|(\d*)((?:SM[SE]|L?WOM)-\w+)", name)
    if parts is None:
        return None
    months = _MONTHS[parts[2][1]] if parts[2] else 1
    size = int(parts[1] or parts[4] or 1) * months
    rule = f"BM{parts[2][2]}" if parts[2] else parts[5]
    try:
        pd.tseries.frequencies.to_offset(rule)
    except ValueError:
        return None
    return Step("rule", size, rule=rule) if size else None


def _parse_weeks(name: str) -> Step | None:
    parts = re.fullmatch(r"(\d+(?:-\d+)+)W\[(\d{4}-\d{2}-\d{2})\]", name)
    if parts is None:
        return None
    pattern = tuple(int(count) for count in parts[1].split("-"))
    try:
        day = int(np.datetime64(parts[2], "D").astype(np.int64)) * DAY
    except ValueError:
        return None
    return weeks(pattern, day) if all(pattern) else None


def _spell_weeks(step: Step) -> str:
    pattern = np.diff([*step.slots, step.period]) // WEEK
    return f"{'-'.join(map(str, pattern))}W[{np.datetime64(step.origin // DAY, 'D')}]"


def _parse_sessions(name: str) -> Step | None:
    parts = re.fullmatch(r"(\d*[A-Za-z]+)\[(.+)\]", name)
    tick = _parse_alias(parts[1]) if parts else None
    if parts is None or tick is None or tick.unit != "ns" or tick.size > DAY:
        return None
    slots: list[int] = []
    for entry in re.split(r"\s*,\s*", parts[2].strip()):
        days = re.fullmatch(r"(?:([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))?)?\s*([-\d: ]*)", entry)
        opened = days and _days(days[1], days[2])
        spans = re.findall(r"(\d\d):(\d\d)-(\d\d):(\d\d)", days[3]) if days else []
        if not opened or days is None or (not spans) != (tick.size == DAY):
            return None
        for day in opened:
            for span in spans or [("00", "00", "00", "00")]:
                first, last = (int(span[i]) * HOUR + int(span[i + 1]) * MINUTE for i in (0, 2))
                if last >= DAY:
                    return None
                slots += range(day * DAY + first, day * DAY + last + 1, tick.size)
    return sessions(tick.size, np.unique(np.array(slots, dtype=np.int64))) if slots else None


def _days(first: str | None, last: str | None) -> list[int]:
    """Return the days from one weekday to another, 0 being Monday; all of them without names."""
    if first is None:
        return list(range(7))
    if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
        return []
    begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    return [(begin + day) % 7 for day in range((end - begin) % 7 + 1)]


def _spell_sessions(step: Step) -> str:
    slots = np.array(step.slots)
    hours = [
        " ".join(f"{_clock(first)}-{_clock(last)}" for first, last in blocks(times, step.size))
        for times in (slots[slots // DAY == day] % DAY for day in range(7))
    ]
    groups: list[tuple[int, int]] = []
    for day in (day for day in range(7) if hours[day]):
        joins = groups and groups[-1][1] == day - 1 and hours[groups[-1][0]] == hours[day]
        groups = [*groups[:-1], (groups[-1][0], day)] if joins else [*groups, (day, day)]
    if len(groups) > 1 and groups[0][0] == 0 and groups[-1][1] == 6 and hours[0] == hours[6]:  # noqa: PLR2004
        groups = [(groups[-1][0], groups[0][1]), *groups[1:-1]]
    names = [
        ("" if (first, last) == (0, 6) else _between(first, last))
        + ("" if step.size == DAY else f" {hours[first]}")
        for first, last in groups
    ]
    return f"{spell(Step('ns', step.size))}[{', '.join(name.strip() for name in names)}]"


def _between(first: int, last: int) -> str:
    return WEEKDAYS[first] if first == last else f"{WEEKDAYS[first]}-{WEEKDAYS[last]}"


def _clock(time: int) -> str:
    return f"{time // HOUR:02}:{time % HOUR // MINUTE:02}"


def _unknown(freq: str) -> ConfigError:
    return ConfigError(
        f"dataset.freq: unknown frequency {freq!r}; write one of s, min, h, D, B, W, MS, ME, BMS, "
        "BME, SMS-15, QS, QE, YS, YE, with a count before it if needed (15min), sessions such as "
        "30min[Mon-Fri 09:30-16:00], or a whole number for integer steps"
    )
