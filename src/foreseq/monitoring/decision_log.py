"""What was decided before: a line of JSON for each look that found something new.

No line holds the time of day, so that a look that is broken off and repeated leaves the same file.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from foreseq.config import Config, MonitorConfig
from foreseq.durable import files
from foreseq.errors import DataRefused
from foreseq.monitoring.judgement import Action, Evidence
from foreseq.monitoring.origins import moments

DECISIONS = "decisions.jsonl"
BEGUN = "begun"
"""Outcome of what is being carried out, or was broken off."""


class Decided(Config):
    """What one look led to."""

    until: str
    """Newest time of the data."""
    version: str
    action: Action
    reason: str
    acted: bool = False
    """Whether it was carried out."""
    published: bool = False
    """Whether that led to a new champion."""
    outcome: str = ""
    """Of what was carried out, in words."""
    moment: str = ""
    """Newest moment of forecasting that was known."""
    evidence: str
    """Digest of what the decision was made on."""


def digest(evidence: Evidence, told: MonitorConfig) -> str:
    """Return 16 digits that change with whatever can change the decision."""
    ours = evidence.sums[evidence.sums["model_version"] == evidence.version]
    parts = (ours.to_csv(), evidence.promised.to_csv(), evidence.version, told.model_dump_json())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def newest(evidence: Evidence) -> str:
    """Return the newest moment of a version, as it is remembered."""
    known = moments(evidence.sums[evidence.sums["model_version"] == evidence.version])
    return str(known[-1]) if len(known) else ""


def read(folder: Path) -> list[Decided]:
    """Return the decisions so far, oldest first.

    Raises:
        DataRefused: If the file was altered by hand and makes no sense.
    """
    file = folder / DECISIONS
    if not file.is_file():
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [Decided.model_validate_json(line) for line in lines]
    except (ValidationError, UnicodeDecodeError) as error:
        raise DataRefused(
            "must hold a decision in each line",
            found=str(error).splitlines()[0],
            file=str(file),
            remedy="bring the file back, or delete it to begin anew",
        ) from None


def begun(folder: Path) -> str | None:
    """Return the version that was being acted on when all was broken off; None: none was."""
    decisions = read(folder)
    return decisions[-1].version if decisions and decisions[-1].outcome == BEGUN else None


def with_one(decisions: list[Decided], decided: Decided) -> list[Decided]:
    """Return decisions with one more; it takes the place of one made on the same evidence."""
    if all(each.evidence != decided.evidence for each in decisions):
        return [*decisions, decided]
    return [decided if each.evidence == decided.evidence else each for each in decisions]


def write(folder: Path, decisions: list[Decided]) -> None:
    """Write the decisions, whole or not at all."""
    with files.new_file(folder / DECISIONS) as beside:
        beside.write_text("".join(each.model_dump_json() + "\n" for each in decisions), "utf-8")


def acted_until(decisions: list[Decided], evidence: Evidence, made_on: str) -> Any:
    """Return the newest moment that was known when the version was last acted on; None: never.

    What was decided on the very same evidence is not asked: a look that is repeated says the same.
    """
    known = [
        each.moment
        for each in decisions
        if each.acted and each.version == evidence.version and each.evidence != made_on
    ]
    if not known or not known[-1]:
        return None
    return int(known[-1]) if known[-1].lstrip("-").isdigit() else np.datetime64(known[-1], "ns")
