"""Why context matters: the last letter of words whose last letters before it are ambiguous.

    python tests/benchmarks/text_context.py --figure context.png

The same trained network predicts from the whole word and from its newest letters only.
"""

import argparse

import numpy as np
from matplotlib.figure import Figure
from measuring import say

from foreseq.language import network, training
from foreseq.language.config import load_text_experiment
from foreseq.language.corpus import assemble, split

WORDS = (
    "rosebud", "phosebut", "stamen", "flamer", "carton", "bartos", "planet", "magnes",
    "winter", "splinted", "sister", "blistet", "garden", "hardes",
)  # fmt: skip
PLAN = (
    "network.cells.units=[64]", "network.embedding=16", "training.chunk=16", "training.streams=8",
    "training.epochs=12", "training.ema=0.9", "training.learning_rate=0.01",
)  # fmt: skip


def main() -> None:
    """Print the share of last letters predicted right, by letters seen."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--figure", default="", help="Picture to write.")
    args = options.parse_args()
    whole = assemble(WORDS * 60)
    plan = load_text_experiment(None, PLAN)
    model = training.fit(split(whole.passage, 0.1, 0.1), whole.vocabulary.size, plan).model
    longest = max(map(len, WORDS)) - 1
    right = [share_right(model, whole.vocabulary, seen) for seen in range(1, longest + 1)]
    say("letters seen   last letters right   best possible")
    for seen, share in enumerate(right, start=1):
        say(f"{seen:>12} {share:>20.0%} {best_possible(seen):>15.0%}")
    if args.figure:
        picture(right).savefig(args.figure)


def share_right(model, vocabulary, seen):
    """Return the share of words whose last letter is the likeliest after the `seen` before it."""
    right = 0
    for word in WORDS:
        prompt = vocabulary.encode(word[:-1][-seen:])[None]
        logits, _ = network.read(model, prompt, network.zero_state(model, 1))
        right += vocabulary.symbols[int(logits[0, -1].argmax())] == word[-1]
    return right / len(WORDS)


def best_possible(seen):
    """Return the share that anyone could get right who sees so many letters only."""
    endings = {}
    for word in WORDS:
        endings.setdefault(word[:-1][-seen:], []).append(word[-1])
    return sum(max(map(ends.count, ends)) for ends in endings.values()) / len(WORDS)


def picture(right):
    """Draw both shares by letters seen."""
    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    letters = np.arange(1, len(right) + 1)
    axes.step(letters, [best_possible(seen) for seen in letters], where="mid", color="#6b7580")
    axes.plot(letters, right, "o-", color="#0072b2")
    axes.set_xlabel("letters seen before the last one")
    axes.set_ylabel("last letters predicted right")
    axes.set_ylim(0, 1.05)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("rosebu is followed by d: blue the network, grey what anyone could know")
    return figure


if __name__ == "__main__":
    main()
