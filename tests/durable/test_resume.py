import threading

import pytest

from foreseq.config import build_experiment
from foreseq.durable import resume


def experiment(*overrides):
    return build_experiment({"dataset": {"source": "a.csv", "horizon": 3}}, overrides)


def test_the_key_changes_with_config_and_data_and_with_nothing_else():
    keys = [
        resume.cache_key(experiment(*config), data)
        for config, data in [((), "1"), ((), "2"), (("training.seed=2",), "1"), ((), "1")]
    ]
    assert len(set(keys)) == 3
    assert keys[0] == keys[3]


def test_what_a_failure_leaves_is_there_for_the_next_one_and_goes_at_the_end(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "checkpoint").write_text("1")
    with pytest.raises(ZeroDivisionError), resume.claim(tmp_path, "w"):
        assert 1 / 0
    with resume.claim(tmp_path, "w") as folder:
        assert (folder / "checkpoint").read_text() == "1"
    assert not folder.exists()


def test_one_process_at_a_time_does_a_piece_of_work(tmp_path):
    order = []
    waiting = threading.Event()

    def second():
        with resume.claim(tmp_path, "w", wait=waiting.set):
            order.append("second")

    with resume.claim(tmp_path, "w"):
        other = threading.Thread(target=second)
        other.start()
        assert waiting.wait(30)
        order.append("first")
    other.join(30)
    assert order == ["first", "second"]


def test_other_work_need_not_wait(tmp_path):
    with resume.claim(tmp_path, "one"), resume.claim(tmp_path, "other"):
        pass
