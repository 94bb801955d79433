import numpy as np
import pandas as pd
import pytest

from foreseq.config import MonitorConfig
from foreseq.errors import DataRefused
from foreseq.monitoring import COLUMNS, Decided, Evidence, decision_log


def decided(evidence: str, **told) -> Decided:
    known = {"until": "2024-03-01", "version": "m/1", "action": "keep", "reason": "why"}
    return Decided(**{**known, "evidence": evidence, **told})


def evidence(errors=(1.0, 2.0), version="m/1") -> Evidence:
    moments = pd.to_datetime(["2024-01-01", "2024-01-08"])
    rows = [(version, moment, 1, 1, e, 1.0, 1.0) for moment, e in zip(moments, errors, strict=True)]
    return Evidence("m/1", pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(columns=COLUMNS), 0.8)


def test_what_was_written_is_read_again(tmp_path):
    told = [decided("a"), decided("b", action="retrain", acted=True, outcome="m/2 is champion")]
    decision_log.write(tmp_path, told)
    assert decision_log.read(tmp_path) == told


def test_a_decision_on_the_same_evidence_takes_the_place_of_the_older_one():
    told = decision_log.with_one([decided("a"), decided("b")], decided("a", outcome="done"))
    assert [(each.evidence, each.outcome) for each in told] == [("a", "done"), ("b", "")]
    assert [each.evidence for each in decision_log.with_one(told, decided("c"))] == ["a", "b", "c"]


def test_only_what_was_begun_last_is_gone_on_with(tmp_path):
    assert decision_log.begun(tmp_path) is None
    broken_off = decided("a", action="retrain", outcome=decision_log.BEGUN)
    decision_log.write(tmp_path, [broken_off])
    assert decision_log.begun(tmp_path) == "m/1"
    decision_log.write(tmp_path, [broken_off, decided("b")])
    assert decision_log.begun(tmp_path) is None


def test_the_digest_is_of_the_version_s_own_errors_and_of_the_limits():
    same = decision_log.digest(evidence(), MonitorConfig())
    assert same == decision_log.digest(evidence(), MonitorConfig())
    assert same != decision_log.digest(evidence((1.0, 2.5)), MonitorConfig())
    assert same != decision_log.digest(evidence(), MonitorConfig(false_alarm_interval=99))
    other = pd.concat([evidence().sums, evidence(version="m/2").sums])
    assert same == decision_log.digest(evidence()._replace(sums=other), MonitorConfig())


def test_what_was_acted_on_is_not_acted_on_again():
    acted = decided("old", acted=True, moment=decision_log.newest(evidence()))
    until = decision_log.acted_until([acted], evidence(), "new")
    assert until == np.datetime64("2024-01-08")
    assert decision_log.acted_until([acted], evidence(), "old") is None  # the very look that acted
    assert decision_log.acted_until([decided("old")], evidence(), "new") is None


def test_a_memory_that_was_altered_is_refused(tmp_path):
    (tmp_path / decision_log.DECISIONS).write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataRefused, match=r"decisions.jsonl"):
        decision_log.read(tmp_path)
