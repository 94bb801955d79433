"""Earlier decisions: a line of JSON for each check with new evidence.

No line holds the time of day, so that a check that is killed and repeated leaves the same file.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from foreseq.config import Config, MonitorConfig
from foreseq.durable import files
from foreseq.monitoring.assessment import Action, Evidence
from foreseq.monitoring.origins import origins_of

DECISIONS = "decisions.jsonl"
STARTED = "started"
"""Outcome of an action that is being carried out, or was killed."""


class Decided(Config):
    """What one check led to."""

    until: str
    """Newest time of the data."""
    version: str
    action: Action
    reason: str
    acted: bool = False
    """Whether the action was carried out."""
    published: bool = False
    """Whether that led to a new champion."""
    outcome: str = ""
    """Of the action, in words."""
    origin: str = ""
    """Newest forecast origin of the version."""
    evidence: str
    """Digest of what the decision was based on."""


def digest(evidence: Evidence, config: MonitorConfig) -> str:
    """Return 16 hex digits that change with whatever can change the decision."""
    parts = (
        evidence.ours.to_csv(),
        evidence.expected.to_csv(),
        evidence.version,
        config.model_dump_json(),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def newest_origin(evidence: Evidence) -> str:
    """Return the newest forecast origin of a version as text; empty if there is none."""
    origins = origins_of(evidence.ours)
    return str(origins[-1]) if len(origins) else ""


def read(folder: Path) -> list[Decided]:
    """Return the decisions so far, oldest first.

    Raises:
        DataRefused: If the file was damaged or edited by hand.
    """
    return files.read_lines(folder / DECISIONS, Decided)


def write(folder: Path, decisions: list[Decided]) -> None:
    """Write the decisions, whole or not at all."""
    files.write_lines(folder / DECISIONS, decisions)


def unfinished(folder: Path) -> str | None:
    """Return the version whose action was started last and not finished, if there is one."""
    decisions = read(folder)
    return decisions[-1].version if decisions and decisions[-1].outcome == STARTED else None


def with_one(decisions: list[Decided], decided: Decided) -> list[Decided]:
    """Return decisions with one more; it replaces one on the same evidence."""
    if all(other.evidence != decided.evidence for other in decisions):
        return [*decisions, decided]
    return [decided if other.evidence == decided.evidence else other for other in decisions]


def acted_until(decisions: list[Decided], evidence: Evidence, evidence_digest: str) -> Any:
    """Return the newest origin known when the version was last acted on; None if it never was.

    A decision on the same evidence is ignored, so that a repeated check gives the same result.
    """
    origins = [
        decided.origin
        for decided in decisions
        if decided.acted
        and decided.version == evidence.version
        and decided.evidence != evidence_digest
    ]
    if not origins or not origins[-1]:
        return None
    newest = origins[-1]
    return int(newest) if newest.lstrip("-").isdigit() else np.datetime64(newest, "ns")
