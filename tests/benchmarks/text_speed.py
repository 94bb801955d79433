"""Training speed of a language model beside PyTorch's nn.LSTM of the same size, taken by turns.

    python tests/benchmarks/text_speed.py --torch OTHER/bin/python

PyTorch is no dependency: name an interpreter that has it, or see our own figures only.
"""

import argparse
import subprocess
import time
from pathlib import Path

import numpy as np
from measuring import say

from foreseq.language.config import load_text_experiment
from foreseq.language.corpus import Parts, Passage
from foreseq.language.training import Learner

PEER = Path(__file__).with_name("text_speed_torch.py")
SIZES = ((256, 1), (512, 1), (256, 2))
"""Units and layers."""
STREAMS, CHUNK, SYMBOLS, EMBEDDING = 64, 100, 65, 64


def main() -> None:
    """Print characters per second, best of some rounds."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--torch", default="", help="Python interpreter that has PyTorch.")
    options.add_argument("--rounds", type=int, default=3, help="Turns each side takes.")
    options.add_argument("--seconds", type=float, default=5.0, help="Length of a turn.")
    options.add_argument("--kind", default="lstm", choices=["lstm", "gru"])
    options.add_argument("--threads", type=int, default=2, help="PyTorch's: the cores there are.")
    args = options.parse_args()
    say("units x layers   foreseq chars/s   PyTorch chars/s   ratio")
    for units, layers in SIZES:
        turn = prepare(args.kind, units, layers)
        ours, theirs = [], []
        for _ in range(args.rounds):
            ours.append(measure(turn, args.seconds))
            if args.torch:
                theirs.append(peer(args, units, layers))
        best = max(theirs, default=float("nan"))
        say(f"{units:>5} x {layers:<8} {max(ours):>16.0f} {best:>17.0f} {max(ours) / best:>7.2f}")


def prepare(kind, units, layers):
    """Build a network and return what trains it on one chunk."""
    experiment = load_text_experiment(
        None,
        [
            f"network.cells.kind={kind}",
            f"network.cells.units={[units] * layers}",
            f"network.embedding={EMBEDDING}",
            f"training.streams={STREAMS}",
            f"training.chunk={CHUNK}",
            "training.ema=0",
        ],
    )
    symbols = np.random.default_rng(1).integers(0, SYMBOLS, 4 * STREAMS * CHUNK).astype(np.int32)
    passage = Passage(symbols, np.array([0]))
    learner = Learner(Parts(passage, passage, passage), SYMBOLS, experiment)
    chunk = learner.streams(0).chunk(1)
    learner.step(chunk)
    return lambda: learner.step(chunk)


def measure(turn, seconds):
    """Return characters per second, the best of all steps within the time."""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        turn()
        best = min(best, time.perf_counter() - start)
    return STREAMS * CHUNK / best


def peer(args, units, layers):
    """Return the same of PyTorch."""
    words = [
        args.kind,
        units,
        layers,
        STREAMS,
        CHUNK,
        SYMBOLS,
        EMBEDDING,
        args.threads,
        args.seconds,
    ]
    done = subprocess.run(  # noqa: S603 the interpreter that the user named
        [args.torch, str(PEER), *map(str, words)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
