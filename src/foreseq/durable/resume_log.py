"""Results and decisions of a long job, kept so that a job that was stopped goes on from them.

Why decisions as well: they depend on the clock, and a job that repeats them decides otherwise.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foreseq.durable import files

Record = dict[str, Any]


class ResumeLog:
    """Records in the order in which they are asked for.

    Example:
        >>> log = ResumeLog()
        >>> log.once(lambda: {"sum": 6 * 7})
        {'sum': 42}
    """

    def __init__(self, file: Path | None = None) -> None:
        """Open what an earlier process kept.

        Args:
            file: Where to keep it; None: nowhere.
        """
        self.file = file
        kept = _read(file)
        self.records: list[Record] = kept["records"]
        self.asked = 0
        self.begin: float = time.monotonic() - kept["elapsed"]

    @property
    def elapsed(self) -> float:
        """Seconds of work so far, those of earlier processes included."""
        return time.monotonic() - self.begin

    def once(self, make: Callable[[], Record]) -> Record:
        """Return the next record: the one that was kept, or else a new one, which is kept.

        Args:
            make: Returns a record that JSON can hold.
        """
        if self.asked == len(self.records):
            self.records.append(make())
            self._keep()
        self.asked += 1
        return self.records[self.asked - 1]

    def _keep(self) -> None:
        if self.file is not None:
            text = json.dumps({"elapsed": self.elapsed, "records": self.records})
            with files.new_file(self.file) as beside:
                beside.write_text(text, encoding="utf-8")


def _read(file: Path | None) -> Record:
    if file is None or not file.exists():
        return {"elapsed": 0.0, "records": []}
    kept: Record = json.loads(file.read_text(encoding="utf-8"))
    return kept
