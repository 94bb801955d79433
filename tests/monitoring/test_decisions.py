import numpy as np
import pandas as pd
import pytest

from foreseq.config import MonitorConfig
from foreseq.errors import DataRefused
from foreseq.monitoring import decisions
from foreseq.monitoring.actuals import COLUMNS
from foreseq.monitoring.assessment import Evidence
from foreseq.monitoring.decisions import Decided


def decided(evidence: str, **fields) -> Decided:
    known = {"until": "2024-03-01", "version": "m/1", "action": "keep", "reason": "why"}
    return Decided(**{**known, "evidence": evidence, **fields})


def evidence(errors=(1.0, 2.0), version="m/1") -> Evidence:
    origins = pd.to_datetime(["2024-01-01", "2024-01-08"])
    rows = [(version, origin, 1, 1, e, 1.0, 1.0) for origin, e in zip(origins, errors, strict=True)]
    return Evidence("m/1", pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(columns=COLUMNS), 0.8)


def test_what_was_written_is_read_again(tmp_path):
    written = [decided("a"), decided("b", action="retrain", acted=True, outcome="m/2 is champion")]
    decisions.write(tmp_path, written)
    assert decisions.read(tmp_path) == written


def test_a_decision_on_the_same_evidence_replaces_the_older_one():
    two = decisions.with_one([decided("a"), decided("b")], decided("a", outcome="done"))
    assert [(one.evidence, one.outcome) for one in two] == [("a", "done"), ("b", "")]
    assert [one.evidence for one in decisions.with_one(two, decided("c"))] == ["a", "b", "c"]


def test_only_the_last_action_can_be_unfinished(tmp_path):
    assert decisions.unfinished(tmp_path) is None
    killed = decided("a", action="retrain", outcome=decisions.STARTED)
    decisions.write(tmp_path, [killed])
    assert decisions.unfinished(tmp_path) == "m/1"
    decisions.write(tmp_path, [killed, decided("b")])
    assert decisions.unfinished(tmp_path) is None


def test_the_digest_is_of_the_version_s_own_errors_and_of_the_limits():
    same = decisions.digest(evidence(), MonitorConfig())
    assert same == decisions.digest(evidence(), MonitorConfig())
    assert same != decisions.digest(evidence((1.0, 2.5)), MonitorConfig())
    assert same != decisions.digest(evidence(), MonitorConfig(false_alarm_interval=99))
    other = pd.concat([evidence().sums, evidence(version="m/2").sums])
    assert same == decisions.digest(evidence()._replace(sums=other), MonitorConfig())


def test_what_was_acted_on_is_not_acted_on_again():
    acted = decided("old", acted=True, origin=decisions.newest_origin(evidence()))
    until = decisions.acted_until([acted], evidence(), "new")
    assert until == np.datetime64("2024-01-08")
    assert decisions.acted_until([acted], evidence(), "old") is None  # the check that acted
    assert decisions.acted_until([decided("old")], evidence(), "new") is None


def test_a_damaged_file_of_decisions_is_refused(tmp_path):
    (tmp_path / decisions.DECISIONS).write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataRefused, match=r"decisions.jsonl"):
        decisions.read(tmp_path)
