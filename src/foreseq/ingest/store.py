"""Panels on disk under the digest of what they were made from, so unchanged input is read once.

A dataset that changes gets a new panel next to the old ones and a line in its history. So the data
that an older model was trained on can still be opened.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from foreseq.config import DatasetConfig
from foreseq.config.dataset import without_secrets
from foreseq.durable import files
from foreseq.errors import DataRefused
from foreseq.ingest import history, joined
from foreseq.ingest.columns import Columns, parse
from foreseq.ingest.fetch import content, fetch
from foreseq.ingest.history import DatasetVersion
from foreseq.ingest.read import read_file
from foreseq.ingest.repairs import READING, Repairs
from foreseq.ingest.table import to_panel
from foreseq.series import calendar, panel
from foreseq.series.panel import Panel

EDITION = 7
"""Raised whenever the same file and config would make another panel."""
NOT_READING = {"source", "query", "horizon", "update", "season"}
"""Fields of a dataset that do not change the stored panel."""
FIRST = "first version"
LOCK = ".lock"
ROWS = "rows.parquet"
"""Rows read so far, kept where new ones are appended: a panel may hold filled steps."""
KEY = ["unique_id", "ds"]


@dataclass(frozen=True)
class Ingested:
    """A panel in the store."""

    folder: Path
    """Opened by `panel.load`."""
    fingerprint: str
    """SHA-256 of everything the panel holds."""
    repairs: Repairs
    fresh: bool
    """False if the same input had been ingested before."""
    changes: str = ""
    """Against the version before, in words; empty if there is no new version."""


@dataclass(frozen=True)
class _Source:
    """The source on this machine."""

    path: Path
    content: str
    """Digest of its bytes."""


def ingest(dataset: DatasetConfig, store: Path, *, raw: Path | None = None) -> Ingested:
    """Write the panel of a dataset as `<store>/<name>/<digest>`, unless it is there already.

    With `update: append` the source holds only new and corrected rows, and a source that was read
    before changes nothing. Then `as_of` cuts the rows read so far, which all stay in the store.

    Args:
        dataset: What to read, and how.
        store: Folder of panels, `data/series`.
        raw: Folder of copied URLs; default: `raw` next to the store.

    Raises:
        ConfigError: If there is no source or no such frequency, or nothing installed reads the URL.
        DataRefused: If the source cannot be read or breaks a rule; the store stays as it was.
    """
    if dataset.update == "append" and dataset.as_of is not None:
        whole = dataset.model_copy(update={"as_of": None})
        return _cut(dataset, ingest(whole, store, raw=raw))
    path = fetch(dataset, raw or store.parent / "raw")
    beside = joined.digests(dataset, raw or store.parent / "raw")
    events = [repr(event) for event in dataset.events]
    source = _Source(path, " ".join([content(path), *beside, *events]))
    home = store / dataset.name
    make = _append if dataset.update == "append" else _replace
    while True:
        versions = history.comparable(history.read(home), dataset)
        ingested = make(dataset, home, source, versions)
        with _lock(home):
            newest = history.comparable(history.read(home), dataset)
            if newest == versions or dataset.update == "replace":
                return _add_version(ingested, dataset, source, newest)


def _reading(dataset: DatasetConfig) -> str:
    """Return the fields of a dataset that change the stored panel."""
    ahead = {"horizon"} if dataset.holidays or dataset.events else set()
    return dataset.model_dump_json(exclude=NOT_READING - ahead)


def _replace(
    dataset: DatasetConfig, home: Path, source: _Source, versions: list[DatasetVersion]
) -> Ingested:
    """Make the panel of all that the source holds."""
    folder = home / _digest(dataset, source)
    inferred = home / _digest(dataset.model_copy(update={"freq": None}), source)
    if inferred.name in {version.panel for version in versions}:
        folder = inferred  # the same frequency was inferred then
    stored = _load(folder)
    if stored is not None:
        return stored
    table = read_file(source.path, dataset)
    made, repairs = to_panel(table, dataset, file=without_secrets(dataset.source))
    return _save(made, repairs, folder)


def _append(
    dataset: DatasetConfig, home: Path, source: _Source, versions: list[DatasetVersion]
) -> Ingested:
    """Make the panel of the newest version and of the rows that the source adds."""
    newest = versions[-1] if versions else None
    if newest and source.content in {version.content for version in versions}:
        return _load_base(home / newest.panel)
    folder = home / _digest(dataset, source, base=newest.panel if newest else "nothing")
    stored = _load(folder)
    if stored is not None:
        return stored
    base = load_rows(_load_base(home / newest.panel).folder) if newest else None
    file = without_secrets(dataset.source)
    read = read_file(source.path, dataset)
    table, new = merge_rows(base, read, file)
    made, repairs = to_panel(table, dataset, file=file)
    whole = replace(repairs, zone=new.zone, blank_rows=new.blank, reading=read.attrs[READING])
    return _save(made, whole, folder, table)


def _cut(dataset: DatasetConfig, whole: Ingested) -> Ingested:
    """Make the panel of the rows before `as_of`; it is no version of its own."""
    fields = _reading(dataset)
    digest = hashlib.sha256(f"{EDITION} {whole.folder.name} {fields}".encode()).hexdigest()[:16]
    folder = whole.folder.with_name(digest)
    stored = _load(folder)
    if stored is not None:
        return stored
    rows = load_rows(whole.folder)
    made, repairs = to_panel(rows, dataset, file=without_secrets(dataset.source))
    return _save(made, replace(repairs, zone=whole.repairs.zone), folder)


def load_rows(folder: Path) -> pd.DataFrame:
    """Return the rows that a panel was made of.

    Raises:
        DataRefused: If the folder has neither rows nor a panel.
    """
    if (folder / ROWS).is_file():
        return pd.read_parquet(folder / ROWS)
    return panel.to_frame(panel.load(folder)).dropna(subset="y")


def merge_rows(
    old: pd.DataFrame | None, table: pd.DataFrame, file: str
) -> tuple[pd.DataFrame, Columns]:
    """Return old and new rows; a new row replaces those of its series and time.

    Args:
        old: From `load_rows`; None if there are none yet.
        table: The new rows, as read.
        file: Source of the new rows, for messages.

    Raises:
        DataRefused: If a new row breaks a rule of its column.
    """
    columns = parse(table, file)
    new = pd.DataFrame(
        {
            "unique_id": columns.names[columns.codes].astype(columns.id_type or object),
            "ds": calendar.stamped(columns.ds, columns.zone),
            "y": columns.y,
        },
    )
    if columns.beside is not None:
        new = pd.concat([new, columns.beside], axis=1)
    new.index = pd.Index(columns.rows, dtype=object)
    if old is None:
        return new, columns
    before, now = (_kind(frame["ds"]) for frame in (old, new))
    if before != now:
        raise DataRefused(
            f"ds must hold {before}, as before",
            found=now,
            file=file,
            remedy="correct the column, or ingest under another dataset.name",
        )
    new["ds"] = new["ds"].astype(old["ds"].dtype)  # of the same zone
    if old["unique_id"].dtype != new["unique_id"].dtype:  # text as soon as one id is
        old, new = (frame.assign(unique_id=frame["unique_id"].astype(str)) for frame in (old, new))
    replaced = pd.MultiIndex.from_frame(old[KEY]).isin(pd.MultiIndex.from_frame(new[KEY]))
    kept = old[~replaced]
    kept.index = pd.Index([""] * len(kept), dtype=object)  # no rows of this file
    return pd.concat([kept, new]), columns


def _kind(ds: "pd.Series[Any]") -> str:
    if ds.dtype.kind == "i":
        return "integers"
    return "times with a zone" if isinstance(ds.dtype, pd.DatetimeTZDtype) else "times"


def _save(
    made: Panel, repairs: Repairs, folder: Path, rows: pd.DataFrame | None = None
) -> Ingested:
    with files.new_folder(folder) as temporary:
        panel.save(made, temporary)
        counts = json.dumps(asdict(repairs), indent=2) + "\n"
        (temporary / "repairs.json").write_text(counts, encoding="utf-8")
        if rows is not None:
            rows.to_parquet(temporary / ROWS, index=False)
    return Ingested(folder, made.fingerprint(), repairs, fresh=True)


def _load(folder: Path) -> Ingested | None:
    """Return a panel of the store; None if it is absent or damaged, and so to be made again."""
    try:
        facts = json.loads((folder / "panel.json").read_text(encoding="utf-8"))
        repairs = json.loads((folder / "repairs.json").read_text(encoding="utf-8"))
        for notes in ("covariates", "warnings"):
            repairs[notes] = tuple(repairs[notes])
        return Ingested(folder, facts["fingerprint"], Repairs(**repairs), fresh=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _load_base(folder: Path) -> Ingested:
    """Return the version that new rows are appended to."""
    stored = _load(folder)
    if stored is None:
        raise DataRefused(
            "the version that new rows are appended to must exist",
            found="no panel, or a damaged one",
            file=str(folder),
            remedy="ingest all rows once with dataset.update=replace",
        )
    return stored


def _add_version(
    ingested: Ingested, dataset: DatasetConfig, source: _Source, versions: list[DatasetVersion]
) -> Ingested:
    """Add a version to the history, unless it is the newest one already."""
    home = ingested.folder.parent
    newest = versions[-1] if versions else None
    if newest and newest.panel == ingested.folder.name:
        return ingested
    if newest and dataset.update == "replace" and newest.fingerprint == ingested.fingerprint:
        return ingested  # another as_of, with no observation in between
    made = panel.load(ingested.folder)
    changes = _changes(home / newest.panel, made) if newest else FIRST
    version = DatasetVersion(
        changes=changes,
        last=ingested.repairs.last,
        series=ingested.repairs.series,
        steps=ingested.repairs.steps,
        fingerprint=ingested.fingerprint,
        panel=ingested.folder.name,
        source=without_secrets(dataset.source),
        content=source.content,
        settings=history.settings(dataset),
        freq=made.freq,
    )
    history.add(home, version)
    return replace(ingested, changes=changes)


def _changes(before: Path, made: Panel) -> str:
    try:
        return str(history.compare(panel.load(before), made))
    except DataRefused:
        return "unknown: the version before was deleted"


def _lock(home: Path) -> FileLock:
    """Return the lock of a dataset's history."""
    home.mkdir(parents=True, exist_ok=True)
    return FileLock(home / LOCK)


def _digest(dataset: DatasetConfig, source: _Source, base: str = "") -> str:
    """Return 16 digits that change with the bytes read and with whatever changes the panel."""
    fields = _reading(dataset)
    ending = "".join(source.path.suffixes[-2:])
    inputs = f"{EDITION} {source.content} {ending} {fields}{base and f' after {base}'}"
    return hashlib.sha256(inputs.encode()).hexdigest()[:16]
