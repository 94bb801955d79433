"""Speed of writing, beside the same network asked naively: `model.predict` for every character.

python tests/benchmarks/text_generation.py
"""

import argparse
import time

import numpy as np
from measuring import say

from foreseq.language import network, training
from foreseq.language.config import SamplingConfig, load_text_experiment
from foreseq.language.corpus import Vocabulary
from foreseq.language.sampling import complete

BATCHES = (1, 64)
SYMBOLS = 65
NAIVE_STEPS = 20


def main() -> None:
    """Print characters per second."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--units", type=int, default=512)
    options.add_argument("--kind", default="gru", choices=["simple", "lstm", "gru"])
    options.add_argument("--length", type=int, default=500)
    args = options.parse_args()

    experiment = load_text_experiment(
        None, [f"network.cells.kind={args.kind}", f"network.cells.units=[{args.units}]"]
    )
    model = training.build(experiment, SYMBOLS)
    vocabulary = Vocabulary("".join(map(chr, range(48, 48 + SYMBOLS))))
    say("batch   foreseq chars/s   naive chars/s   ratio")
    for batch in BATCHES:
        prompts = ["0"] * batch
        complete(model, vocabulary, prompts, SamplingConfig(length=2))
        start = time.perf_counter()
        complete(model, vocabulary, prompts, SamplingConfig(length=args.length))
        ours = batch * args.length / (time.perf_counter() - start)
        theirs = naive(model, batch)
        say(f"{batch:>5} {ours:>17.0f} {theirs:>15.0f} {ours / theirs:>7.1f}")


def naive(model, batch):
    """Return characters per second of `model.predict` for each one, states handed round."""
    state = network.zero_state(model, batch)
    symbols = np.zeros((batch, 1), np.int32)
    rng = np.random.default_rng(1)
    model.predict([symbols, *state], verbose=0)
    start = time.perf_counter()
    for _ in range(NAIVE_STEPS):
        logits, *state = model.predict([symbols, *state], verbose=0)
        odds = np.exp(logits[:, 0].astype(np.float64))
        odds /= odds.sum(axis=1, keepdims=True)
        symbols = np.array([[rng.choice(SYMBOLS, p=row)] for row in odds], np.int32)
    return batch * NAIVE_STEPS / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
