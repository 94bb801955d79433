import json

import pytest

BOOK = "\n".join(
    f"{n}: once upon a midnight dreary, while I pondered, weak and weary," for n in range(300)
)
QUICK = (
    "--set", "corpus.source=book.txt", "--set", "corpus.name=raven",
    "--set", "network.cells.units=[48]", "--set", "training.epochs=6",
    "--set", "training.chunk=32", "--set", "training.streams=8",
    "--set", "training.ema=0.9", "--set", "training.learning_rate=0.01",
    "--set", "training.jit=false",
)  # fmt: skip


@pytest.fixture
def book(place):
    file = place / "book.txt"
    file.write_text(BOOK)
    return file


def test_a_model_is_trained_published_writes_and_scores(inside, book, place):
    trained = inside("text", "train", *QUICK, "--json")
    result = json.loads(trained.stdout.splitlines()[-1])
    assert trained.returncode in (0, 4), trained.stderr
    assert "Traceback" not in trained.stderr
    assert "foreseq text generate --model text-raven/1 " in trained.stderr  # rejected or not
    assert {"run_id", "version", "published", "challenger", "ngram"} <= result.keys()
    assert not list((place / "data" / "text").glob("*"))
    model = result["version"]

    sampled = [
        inside("text", "generate", "--model", model, "--prompt", "once", "--length", "20").stdout
        for _ in range(2)
    ]
    assert sampled[0] == sampled[1]
    assert sampled[0].startswith("once")
    assert len(sampled[0]) == 4 + 20 + 1

    (place / "prompts.txt").write_text("once upon\nmid\n")
    many = inside(
        "text", "generate", "--model", model, "--prompts", "prompts.txt", "--length", "9", "--json"
    )
    texts = [json.loads(line) for line in many.stdout.splitlines()]
    assert [(one["prompt"], len(one["text"])) for one in texts] == [("once upon", 9), ("mid", 9)]

    scored = json.loads(inside("text", "score", "book.txt", "--model", model, "--json").stdout)
    assert scored["characters"] == len(BOOK) - 1
    assert 0 < scored["nats_per_character"] < 3

    (place / "strange.txt").write_text("once upon a 夜")
    refused = inside("text", "score", "strange.txt", "--model", model)
    assert refused.returncode == 3
    assert "'夜'" in refused.stderr
