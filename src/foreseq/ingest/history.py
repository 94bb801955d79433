"""Which versions a dataset has had: a line of JSON each in `history.jsonl`, oldest first.

No line holds the time of day, so that the same data leave the same history wherever they are read.
"""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from foreseq.config import Config, DatasetConfig
from foreseq.durable import files
from foreseq.errors import DataRefused
from foreseq.series import calendar

HISTORY = "history.jsonl"
UNTOLD = {"source", "horizon", "update", "as_of", "freq", "season"}
"""Fields of a dataset that do not decide how a row is read, and two that the data may tell
themselves."""


class Entry(Config):
    """One version of a dataset, and what was new in it."""

    changes: str
    """Against the version before, in words."""
    until: str
    """Newest time of any series."""
    series: int
    steps: int
    fingerprint: str
    """Of the panel: what a model trained on it remembers."""
    panel: str
    """Its folder, beside the history."""
    source: str
    """Where it was read from."""
    content: str
    """Digest of what was read."""
    settings: str
    """Digest of how it was read, but for the two below: only versions read alike are compared."""
    freq: str
    season: int


def read(folder: Path) -> list[Entry]:
    """Return the versions of the dataset whose panels are in `folder`, oldest first.

    Raises:
        DataRefused: If the history was altered by hand and makes no sense.
    """
    file = folder / HISTORY
    if not file.is_file():
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [Entry.model_validate_json(line) for line in lines]
    except (ValidationError, UnicodeDecodeError) as error:
        raise DataRefused(
            "must hold a version of the dataset in each line",
            found=str(error).splitlines()[0],
            file=str(file),
            remedy="bring the file back, or delete it to begin anew",
        ) from None


def alike(versions: list[Entry], dataset: DatasetConfig) -> list[Entry]:
    """Return the versions that were read as a dataset is to be read.

    What the data themselves were found to be may be told since, as a trained forecaster does.
    """
    freq = None if dataset.freq is None else calendar.canonical(dataset.freq)
    return [
        each
        for each in versions
        if each.settings == settings(dataset)
        and freq in {None, each.freq}
        and dataset.season in {None, each.season}
    ]


def settings(dataset: DatasetConfig) -> str:
    """Return 16 digits that change with how a dataset is read, but for frequency and season."""
    told = dataset.model_dump_json(exclude=UNTOLD)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def add(folder: Path, entry: Entry) -> None:
    """Write one more version, whole or not at all."""
    lines = [each.model_dump_json() + "\n" for each in (*read(folder), entry)]
    with files.new_file(folder / HISTORY) as beside:
        beside.write_text("".join(lines), encoding="utf-8")
