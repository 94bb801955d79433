"""Panels on disk under the digest of what they were made from: unchanged input is read once.

A dataset that changes gets a new panel beside the old ones, and a line in its history says what is
new in it. So whatever was trained on an older version can still be told what it has seen.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
from filelock import FileLock

from foreseq.config import DatasetConfig
from foreseq.durable import files
from foreseq.errors import DataRefused
from foreseq.ingest import history, rows
from foreseq.ingest.changes import Changes, compare
from foreseq.ingest.fetch import content, fetch, shown
from foreseq.ingest.history import Entry
from foreseq.ingest.read import read_file
from foreseq.ingest.repairs import Repairs
from foreseq.ingest.table import to_panel
from foreseq.series import panel
from foreseq.series.panel import Panel

EDITION = 1
"""Raised whenever the same file and config would make another panel."""
UNTOLD = {"source", "horizon", "update"}
"""Fields of a dataset that do not decide what a row becomes."""
FIRST = "first version"
LOCK = ".lock"


@dataclass(frozen=True)
class Ingested:
    """A panel in the store."""

    folder: Path
    """What `panel.load` opens."""
    fingerprint: str
    """SHA-256 of everything the panel holds."""
    repairs: Repairs
    fresh: bool
    """False if the same input had been ingested before."""
    changes: str = ""
    """Against the version before, in words; empty where this is the version known last."""


@dataclass(frozen=True)
class _Arrival:
    """A source as it lies before us."""

    path: Path
    content: str
    """Digest of its bytes."""


def ingest(dataset: DatasetConfig, store: Path, *, raw: Path | None = None) -> Ingested:
    """Bring a dataset into the store as `<name>/<digest>`, unless it is there already.

    With `update: append` the source holds only new and corrected rows, and a source that was taken
    in before changes nothing. There `until` cuts what has been taken in, not what is.

    Args:
        dataset: What to read, and how.
        store: Folder of panels, `data/series`.
        raw: Where copies of URLs go; `raw` beside the store if left out.

    Raises:
        ConfigError: If the frequency is none, or nothing installed reads such a URL.
        DataRefused: If the source cannot be read or breaks a rule; the store stays as it was.
    """
    if dataset.update == "append" and dataset.as_of is not None:
        whole = dataset.model_copy(update={"as_of": None})
        return _cut(dataset, ingest(whole, store, raw=raw))
    path = fetch(dataset, raw or store.parent / "raw")
    arrival = _Arrival(path, content(path))
    home = store / dataset.name
    while True:
        versions = history.alike(history.read(home), dataset)
        made = _append if dataset.update == "append" else _replace
        found = made(dataset, home, arrival, versions)
        with _alone(home):
            newest = history.alike(history.read(home), dataset)
            if newest == versions or dataset.update == "replace":
                return _remember(found, dataset, arrival, newest)


def _replace(
    dataset: DatasetConfig, home: Path, arrival: _Arrival, versions: list[Entry]
) -> Ingested:
    """Make the panel of all that the source holds."""
    folder = home / _digest(dataset, arrival)
    found = home / _digest(dataset.model_copy(update={"freq": None, "season": None}), arrival)
    if found.name in {each.panel for each in versions}:
        folder = found  # the data told the same frequency and season themselves
    known = _recall(folder)
    if known is not None:
        return known
    table = read_file(arrival.path, dataset)
    built, repairs = to_panel(table, dataset, file=shown(dataset.source))
    return _save(built, repairs, folder)


def _append(
    dataset: DatasetConfig, home: Path, arrival: _Arrival, versions: list[Entry]
) -> Ingested:
    """Make the panel of the newest version and of what the source adds."""
    newest = versions[-1] if versions else None
    if newest and arrival.content in {each.content for each in versions}:
        return _recall_surely(home / newest.panel)
    folder = home / _digest(dataset, arrival, base=newest.panel if newest else "nothing")
    known = _recall(folder)
    if known is not None:
        return known
    base = rows.load(_recall_surely(home / newest.panel).folder) if newest else None
    file = shown(dataset.source)
    table, new = rows.merge(base, read_file(arrival.path, dataset), file)
    built, repairs = to_panel(table, dataset, file=file)
    return _save(built, replace(repairs, zone=new.zone, blank_rows=new.blank), folder, table)


def _cut(dataset: DatasetConfig, whole: Ingested) -> Ingested:
    """Make the panel of the rows of a version that `until` lets count; it is no version itself."""
    told = dataset.model_dump_json(exclude=UNTOLD)
    cut = hashlib.sha256(f"{EDITION} {whole.folder.name} {told}".encode()).hexdigest()[:16]
    folder = whole.folder.with_name(cut)
    known = _recall(folder)
    if known is not None:
        return known
    built, repairs = to_panel(rows.load(whole.folder), dataset, file=shown(dataset.source))
    return _save(built, replace(repairs, zone=whole.repairs.zone), folder)


def _save(
    built: Panel, repairs: Repairs, folder: Path, table: pd.DataFrame | None = None
) -> Ingested:
    with files.new_folder(folder) as beside:
        panel.save(built, beside)
        facts = json.dumps(asdict(repairs), indent=2) + "\n"
        (beside / "repairs.json").write_text(facts, encoding="utf-8")
        if table is not None:
            rows.save(table, beside)
    return Ingested(folder, built.fingerprint(), repairs, fresh=True)


def _remember(
    found: Ingested, dataset: DatasetConfig, arrival: _Arrival, versions: list[Entry]
) -> Ingested:
    """Add a version to the history, unless it is the newest one already."""
    newest = versions[-1] if versions else None
    if newest and newest.panel == found.folder.name:
        return found
    if newest and dataset.update == "replace" and newest.fingerprint == found.fingerprint:
        return found  # cut off at another time, with nothing in between
    made = panel.load(found.folder)
    changes = str(_changes(made, found.folder.parent / newest.panel)) if newest else FIRST
    history.add(
        found.folder.parent,
        Entry(
            changes=changes,
            until=found.repairs.last,
            series=found.repairs.series,
            steps=found.repairs.steps,
            fingerprint=found.fingerprint,
            panel=found.folder.name,
            source=shown(dataset.source),
            content=arrival.content,
            settings=history.settings(dataset),
            freq=made.freq,
            season=made.season,
        ),
    )
    return replace(found, changes=changes)


def _changes(made: Panel, before: Path) -> Changes | str:
    try:
        return compare(panel.load(before), made)
    except DataRefused:
        return "not known: the version before was deleted"


def _alone(home: Path) -> FileLock:
    """Keep other processes from writing the same history."""
    home.mkdir(parents=True, exist_ok=True)
    return FileLock(home / LOCK)


def _digest(dataset: DatasetConfig, arrival: _Arrival, base: str = "") -> str:
    """Return 16 digits that change with the bytes read and with what decides the panel."""
    told = dataset.model_dump_json(exclude=UNTOLD)
    ending = "".join(arrival.path.suffixes[-2:])
    decides = f"{EDITION} {arrival.content} {ending} {told}{base and f' after {base}'}"
    return hashlib.sha256(decides.encode()).hexdigest()[:16]


def _recall_surely(folder: Path) -> Ingested:
    """Return the version that new rows are added to."""
    known = _recall(folder)
    if known is None:
        raise DataRefused(
            "the version that new rows are added to must be there",
            found="no panel, or a damaged one",
            file=str(folder),
            remedy="ingest all rows once with dataset.update=replace",
        )
    return known


def _recall(folder: Path) -> Ingested | None:
    try:
        facts = json.loads((folder / "panel.json").read_text(encoding="utf-8"))
        repairs = json.loads((folder / "repairs.json").read_text(encoding="utf-8"))
        return Ingested(folder, facts["fingerprint"], Repairs(**repairs), fresh=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never written, or damaged: make it anew
