"""Which column of a file is the id, the time and the value, if their names do not say it.

A column is taken for another name only when nothing else can be meant: the same name in other
letters, a usual word for it, or the only column of its kind.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from foreseq.config import ColumnsConfig, DatasetConfig
from foreseq.config.dataset import without_secrets
from foreseq.errors import DataRefused
from foreseq.ingest.notation import kind

WORDS = {
    "unique_id": ("uniqueid", "seriesid", "series", "itemid", "id"),
    "ds": ("ds", "date", "datetime", "timestamp", "datum", "time", "period", "month", "year"),
    "y": ("y", "value", "values", "target", "wert"),
}
"""Usual names of a role, without spaces, marks and capitals."""
ARGUMENTS = {"unique_id": "id_col", "ds": "time_col", "y": "target_col"}
"""How the public API calls the names of the columns, for a frame."""
SAMPLE = 10_000
"""Rows that are looked at to tell the kinds of columns."""


class Cells(NamedTuple):
    """What a reader of files returns."""

    table: pd.DataFrame
    """The needed columns; the index is the row number in the file."""
    columns: ColumnsConfig
    """Their names."""
    notes: Sequence[str]
    """What was recognised or guessed, in words, where it is unusual."""
    separator: str = ""
    """Of a text file."""


def find(
    names: list[str], dataset: DatasetConfig, sample: Callable[[], pd.DataFrame]
) -> tuple[ColumnsConfig, str]:
    """Return the names that the three columns have in a file, and in words what was guessed.

    Args:
        names: Columns of the file.
        dataset: How they should be called.
        sample: Gives the first rows of the file, all columns, `SAMPLE` at most.

    Raises:
        DataRefused: If a column is not there and no other is unmistakably meant.
    """
    if len(set(names)) < len(names):
        raise DataRefused(
            "every column must have its own name",
            found=f"{next(name for name in names if names.count(name) > 1)!r} twice",
            file=without_secrets(dataset.source),
            remedy="rename one of them",
        )
    wanted = dataset.columns.model_dump()
    roles = ["ds"] if dataset.layout == "wide" else ["ds", "y", "unique_id"]
    columns = {role: _spelled(wanted[role], names) for role in roles}
    if not all(columns.values()):
        own = [role for role in roles if wanted[role] == role and not columns[role]]
        if dataset.duplicates not in ("equal", "refuse"):
            own = [role for role in own if role != "unique_id"]  # all rows may be of one series
        columns |= _guess(own, names, columns, sample())
    for role, name in columns.items():
        if name is None and not (role == "unique_id" and wanted[role] == role):
            raise DataRefused(
                f"column {wanted[role]!r} is needed",
                found="the columns " + ", ".join(names),
                file=without_secrets(dataset.source),
                remedy=_remedy(role, dataset),
            )
    found = {role: name for role, name in columns.items() if name is not None}
    guessed = [f"{role} from {name!r}" for role, name in found.items() if name != wanted[role]]
    return ColumnsConfig(**{**wanted, **found}), ", ".join(guessed)


def _spelled(wanted: str, names: list[str]) -> str | None:
    """Return a name as it is written in the file, capitals and spaces around it aside."""
    alike = [name for name in names if name.strip().casefold() == wanted.strip().casefold()]
    return wanted if wanted in names else alike[0] if len(alike) == 1 else None


def _guess(
    roles: list[str], names: list[str], columns: dict[str, str | None], sample: pd.DataFrame
) -> dict[str, str | None]:
    """Return the columns that can be meant by roles; None where none or several can."""
    kinds = {name: kind(sample[name]) for name in names if name not in columns.values()}
    guessed: dict[str, str | None] = {}
    for role, wanted in (("ds", "time"), ("y", "number")):
        if role in roles:
            guessed[role] = _by_word(role, wanted, kinds) or _only(wanted, kinds)
            kinds.pop(guessed[role] or "", None)
    time = guessed.get("ds") or columns["ds"]
    if "unique_id" in roles and time and sample[time].duplicated().any():
        guessed["unique_id"] = _id(kinds, sample, time)
    return guessed


def _by_word(role: str, wanted: str, kinds: dict[str, str]) -> str | None:
    """Return the one column that is called by a usual word and holds times, or at least numbers."""
    named = [name for name in kinds if _word(name) in WORDS[role]]
    for its_kind in (wanted, "number"):
        able = [name for name in named if kinds[name] == its_kind]
        if able:
            return able[0] if len(able) == 1 else None
    return None


def _only(wanted: str, kinds: dict[str, str]) -> str | None:
    """Return the only column of a kind, those called like ids aside."""
    able = [
        name
        for name, its_kind in kinds.items()
        if its_kind == wanted and _word(name) not in WORDS["unique_id"]
    ]
    return able[0] if len(able) == 1 else None


def _id(kinds: dict[str, str], sample: pd.DataFrame, time: str) -> str | None:
    """Return the one column that tells apart the series whose times repeat."""
    named = [name for name in kinds if _word(name) in WORDS["unique_id"]]
    texts = [name for name, its_kind in kinds.items() if its_kind == "text"]
    able = named or texts
    if len(able) != 1 or sample[able[0]].isna().any():
        return None
    return None if sample[[able[0], time]].duplicated().any() else able[0]


def _word(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _remedy(role: str, dataset: DatasetConfig) -> str:
    if not dataset.source:
        return f"name the right column with {ARGUMENTS[role]}=, or rename it"
    remedy = f"name the right column with --set dataset.columns.{role}=NAME"
    if role != "y":
        return remedy
    return f"{remedy}, or take each column for a series with --set dataset.layout=wide"
