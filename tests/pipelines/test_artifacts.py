"""What Prefect's pages show of a training."""

from foreseq.pipelines.runtime import artifacts


def test_a_training_too_short_for_an_update_ends_at_a_hundred_percent(monkeypatch):
    updates = []
    monkeypatch.setattr(artifacts, "create_progress_artifact", lambda **_: "its id")
    monkeypatch.setattr(artifacts, "update_progress_artifact", lambda *words: updates.append(words))
    show = artifacts.tracked(lambda *_: None)
    show("fit", "step 1 of 2", 0.5)
    assert updates == []
    show("test", "statistical baselines")
    assert updates == [("its id", 100.0, "test: statistical baselines")]
