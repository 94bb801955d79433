"""From a user's file to a validated panel in the store."""

from foreseq.ingest.changes import Changes, compare
from foreseq.ingest.fetch import content, fetch
from foreseq.ingest.frequency import infer_freq
from foreseq.ingest.read import read_file, read_table
from foreseq.ingest.repairs import Repairs
from foreseq.ingest.season import infer_season
from foreseq.ingest.store import Ingested, ingest
from foreseq.ingest.table import to_panel

__all__ = [
    "Changes",
    "Ingested",
    "Repairs",
    "compare",
    "content",
    "fetch",
    "infer_freq",
    "infer_season",
    "ingest",
    "read_file",
    "read_table",
    "to_panel",
]
