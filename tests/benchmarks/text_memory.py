"""What the three cells can remember: the adding task and the copy task.

python tests/benchmarks/text_memory.py --length 100 --steps 5000
"""

import argparse
import time

from measuring import say

from foreseq.config import CellsConfig
from foreseq.diagnostics import probes
from foreseq.diagnostics.probes import ProbeConfig

UNITS = 64
NEWEST = 100
"""Batches at the end whose loss is printed; all of them are fresh."""


def main() -> None:
    """Print the loss of each cell beside that of who remembers nothing."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--length", type=int, default=100)
    options.add_argument("--steps", type=int, default=5000)
    options.add_argument("--tasks", nargs="+", default=["adding", "copy"])
    options.add_argument("--kinds", nargs="+", default=["simple", "lstm", "gru"])
    args = options.parse_args()

    say("task    length  cell      loss   without memory   times better   seconds")
    for task in args.tasks:
        blind = probes.ADDING_BLIND if task == "adding" else probes.copy_blind(args.length)
        probe = ProbeConfig(task=task, length=args.length, steps=args.steps)
        for kind in args.kinds:
            start = time.perf_counter()
            losses = probes.train(CellsConfig(kind=kind, units=(UNITS,)), probe).losses
            loss, seconds = losses[-NEWEST:].mean(), time.perf_counter() - start
            say(
                f"{task:<7} {args.length:>6}  {kind:<6} {loss:>8.5f} {blind:>12.5f}"
                f" {blind / loss:>14.1f} {seconds:>9.0f}"
            )


if __name__ == "__main__":
    main()
