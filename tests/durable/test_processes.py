import os
import subprocess
import sys

from foreseq.durable import files, processes

DIES = """
import os, signal, sys
from pathlib import Path
from foreseq.durable import files

with files.new_folder(Path(sys.argv[1])) as beside:
    (beside / "new").touch()
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


def test_marked_entries_of_the_dead_are_found_and_those_of_the_living_are_not(tmp_path):
    (tmp_path / f"{processes.mark('out')}x1").touch()
    gone = subprocess.run(
        [sys.executable, "-c", "from foreseq.durable.processes import mark; print(mark('out'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (tmp_path / f"{gone}x2").touch()
    (tmp_path / f"{gone.replace('out', 'other')}x3").touch()
    assert processes.left_behind(tmp_path, "out") == [tmp_path / f"{gone}x2"]


def test_a_folder_that_a_killed_process_was_writing_goes_with_the_next_one(tmp_path):
    die(tmp_path / "out", "while writing")
    assert len(os.listdir(tmp_path)) == 1  # noqa: PTH208 - hidden ones too
    with files.new_folder(tmp_path / "out") as beside:
        (beside / "newer").touch()
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208


def test_a_folder_that_a_killed_process_was_replacing_comes_back(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    die(tmp_path / "out", "between")
    assert not (tmp_path / "out").exists()
    with files.new_folder(tmp_path / "out"):
        assert (tmp_path / "out" / "old").exists()
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208
