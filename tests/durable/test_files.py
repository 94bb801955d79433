import hashlib

import pytest

from foreseq.durable import files


def test_a_folder_appears_when_its_block_ends(tmp_path):
    target = tmp_path / "deep" / "folder"
    with files.new_folder(target) as beside:
        (beside / "inner").mkdir()
        (beside / "inner" / "a").write_text("1")
        assert not target.exists()
    assert (target / "inner" / "a").read_text() == "1"
    assert list(target.parent.iterdir()) == [target]


def test_a_new_folder_replaces_the_old_one_whole(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("1")
    with files.new_folder(target) as beside:
        assert (target / "old").exists()
        (beside / "new").write_text("2")
    assert [file.name for file in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("1")
    with pytest.raises(ZeroDivisionError), files.new_folder(target) as beside:
        (beside / "new").write_text(str(1 / 0))
    assert [file.name for file in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_appears_when_its_block_ends(tmp_path):
    target = tmp_path / "deep" / "a.csv"
    with files.new_file(target) as beside:
        beside.write_text("1")
        assert beside.suffix == ".csv"
        assert not target.exists()
    assert target.read_text() == "1"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), files.new_file(target) as beside:
        beside.write_text(str(1 / 0))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_appears_can_be_read_by_others(tmp_path):
    with files.new_file(tmp_path / "a") as beside:
        beside.write_text("1")
    with files.new_folder(tmp_path / "b"):
        pass
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o755


def test_the_digest_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
