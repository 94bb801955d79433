import hashlib
import os
import subprocess
import sys

import pytest

from foreseq.durable import files

DIES = """
import os, signal, sys
from pathlib import Path
from foreseq.durable import files

with files.new_folder(Path(sys.argv[1])) as temporary:
    (temporary / "new").touch()
    if sys.argv[2] == "between":
        rename = Path.rename
        def once(path, target):
            rename(path, target)
            os.kill(os.getpid(), signal.SIGKILL)
        Path.rename = once
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def die(folder, when):
    ran = subprocess.run([sys.executable, "-c", DIES, str(folder), when], check=False)  # noqa: S603
    assert ran.returncode == -9


def test_a_folder_appears_when_its_block_ends(tmp_path):
    target = tmp_path / "deep" / "folder"
    with files.new_folder(target) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "a").write_text("1")
        assert not target.exists()
    assert (target / "inner" / "a").read_text() == "1"
    assert list(target.parent.iterdir()) == [target]


def test_a_new_folder_replaces_the_old_one_whole(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("1")
    with files.new_folder(target) as temporary:
        assert (target / "old").exists()
        (temporary / "new").write_text("2")
    assert [file.name for file in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("1")
    with pytest.raises(ZeroDivisionError), files.new_folder(target) as temporary:
        (temporary / "new").write_text(str(1 / 0))
    assert [file.name for file in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_appears_when_its_block_ends(tmp_path):
    target = tmp_path / "deep" / "a.csv"
    with files.new_file(target) as temporary:
        temporary.write_text("1")
        assert temporary.suffix == ".csv"
        assert not target.exists()
    assert target.read_text() == "1"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), files.new_file(target) as temporary:
        temporary.write_text(str(1 / 0))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_appears_can_be_read_by_others(tmp_path):
    with files.new_file(tmp_path / "a") as temporary:
        temporary.write_text("1")
    with files.new_folder(tmp_path / "b"):
        pass
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o755


def test_the_digest_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_only_entries_of_dead_processes_are_left_behind(tmp_path):
    (tmp_path / f"{files.mark('out')}x1").touch()
    gone = subprocess.run(
        [sys.executable, "-c", "from foreseq.durable.files import mark; print(mark('out'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (tmp_path / f"{gone}x2").touch()
    (tmp_path / f"{gone.replace('out', 'other')}x3").touch()
    assert files.left_behind(tmp_path, "out") == [tmp_path / f"{gone}x2"]


def test_a_folder_that_a_killed_process_was_writing_is_removed_by_the_next_one(tmp_path):
    die(tmp_path / "out", "while writing")
    assert len(os.listdir(tmp_path)) == 1  # noqa: PTH208 - hidden ones too
    with files.new_folder(tmp_path / "out") as temporary:
        (temporary / "newer").touch()
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208


def test_a_folder_that_a_killed_process_was_replacing_comes_back(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    die(tmp_path / "out", "between")
    assert not (tmp_path / "out").exists()
    with files.new_folder(tmp_path / "out"):
        assert (tmp_path / "out" / "old").exists()
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208
