import json

import pytest

from foreseq.durable.resume import ResumeLog


def count(journal, times):
    """Ask for records that number themselves; return them and how many were new."""
    made = []

    def make():
        made.append(len(made))
        return {"number": len(journal.records)}

    return [journal.once(make)["number"] for _ in range(times)], len(made)


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_what_was_kept_is_not_made_again_and_the_rest_follows(tmp_path, kept):
    file = tmp_path / "journal.json"
    assert count(ResumeLog(file), kept) == (list(range(kept)), kept)
    assert count(ResumeLog(file), 5) == ([0, 1, 2, 3, 4], 5 - kept)


def test_without_a_file_nothing_is_kept():
    assert count(ResumeLog(), 2) == ([0, 1], 2)


def test_the_time_of_earlier_processes_counts(tmp_path):
    file = tmp_path / "journal.json"
    file.write_text(json.dumps({"elapsed": 1000.0, "records": [{"number": 0}]}))
    journal = ResumeLog(file)
    assert 1000 <= journal.elapsed < 1100
    count(journal, 2)
    assert json.loads(file.read_text())["elapsed"] >= 1000
