"""Panels on disk under the digest of what they were made from: unchanged input is read once."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from foreseq import files, panel
from foreseq.config import DatasetConfig
from foreseq.ingest.fetch import content, fetch, shown
from foreseq.ingest.read import read_file
from foreseq.ingest.repairs import Repairs
from foreseq.ingest.table import to_panel

EDITION = 1
"""Raised whenever the same file and config would make another panel."""


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


def ingest(dataset: DatasetConfig, store: Path, *, raw: Path | None = None) -> Ingested:
    """Bring a dataset into the store as `<name>/<digest>`, unless it is there already.

    Args:
        dataset: What to read, and how.
        store: Folder of panels, `data/series`.
        raw: Where copies of URLs go; `raw` beside the store if left out.

    Raises:
        ConfigError: If the frequency is none, or nothing installed reads such a URL.
        DataRefused: If the source cannot be read or breaks a rule; the store stays as it was.
    """
    source = fetch(dataset, raw or store.parent / "raw")
    folder = store / dataset.name / _digest(source, dataset)
    known = _recall(folder)
    if known is not None:
        return known
    table = read_file(source, dataset)
    built, repairs = to_panel(table, dataset, file=shown(dataset.source))
    with files.new_folder(folder) as beside:
        panel.save(built, beside)
        facts = json.dumps(asdict(repairs), indent=2) + "\n"
        (beside / "repairs.json").write_text(facts, encoding="utf-8")
    return Ingested(folder, built.fingerprint(), repairs, fresh=True)


def _digest(source: Path, dataset: DatasetConfig) -> str:
    """Return 16 digits that change with the bytes read and with what decides the panel."""
    told = dataset.model_dump_json(exclude={"source", "horizon"})
    ending = "".join(source.suffixes[-2:])
    return hashlib.sha256(f"{EDITION} {content(source)} {ending} {told}".encode()).hexdigest()[:16]


def _recall(folder: Path) -> Ingested | None:
    try:
        facts = json.loads((folder / "panel.json").read_text(encoding="utf-8"))
        repairs = json.loads((folder / "repairs.json").read_text(encoding="utf-8"))
        return Ingested(folder, facts["fingerprint"], Repairs(**repairs), fresh=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never written, or damaged: make it anew
