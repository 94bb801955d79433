"""Peak memory of training on many long series, over what the imports take and what the data are.

    python tests/benchmarks/memory.py --series 10000 --length 10000

The data are generated and written as foreseq stores a panel (values and what was observed,
9 bytes a step), in a process of their own. A second process then does what `foreseq run` does from
the stored panel on: search and rules, training, test, learning on, the pictures, the tables and
the bundle, and a forecast of every series. Counted is the most memory that this process holds
(VmHWM), memory-mapped pages of the panel among it, less what it held after its imports.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import peak_memory, say, stamp

MEGABYTE = 2**20
WEEK = 168


def main() -> None:
    """Generate, train, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--series", type=int, default=10_000)
    options.add_argument("--length", type=int, default=10_000)
    options.add_argument("--steps", type=int, default=200)
    options.add_argument("--folder", type=Path, help="Holds the panel; made if it is not there.")
    options.add_argument("--part", choices=["generate", "train"], help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.part:
        {"generate": generate, "train": train}[args.part](args)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch) / "panel"
        words = [*sys.argv[1:], "--folder", str(folder)]
        for part in ["train"] if folder.exists() else ["generate", "train"]:
            command = [sys.executable, __file__, *words, "--part", part]
            subprocess.run(command, check=True)  # noqa: S603 this file


def generate(args):
    """Write hourly series with a level, a day, a week and noise, a few at a time."""
    from foreseq.series import panel  # noqa: PLC0415 each part imports what it needs
    from foreseq.series.panel import Panel  # noqa: PLC0415

    steps = np.arange(args.length)
    total = args.series * args.length
    values = np.empty(total)
    day, week = np.sin(steps * 2 * np.pi / 24), np.sin(steps * 2 * np.pi / WEEK)
    for position in range(args.series):
        rng = np.random.default_rng(position)
        level, swing = rng.uniform(50, 500), rng.uniform(0.1, 0.4, 2)
        shape = 1 + swing[0] * day + swing[1] * week
        noise = rng.normal(1, 0.1, args.length)
        values[position * args.length : (position + 1) * args.length] = level * shape * noise
    made = Panel(
        values=values,
        observed=np.ones(total, bool),
        offsets=np.arange(args.series + 1) * args.length,
        starts=np.repeat(np.datetime64("2020-01-01", "ns"), args.series),
        ids=np.array([f"s{position:06}" for position in range(args.series)]),
        freq="h",
        season=24,
    )
    args.folder.mkdir(parents=True)
    panel.save(made, args.folder)


def train(args):
    """Do what `foreseq run` does from the stored panel on, and tell the peak after each part."""
    from foreseq.config import build_experiment  # noqa: PLC0415
    from foreseq.experiment import recipe  # noqa: PLC0415
    from foreseq.forecasting import bundle, writer  # noqa: PLC0415
    from foreseq.forecasting.ensemble import Ensemble  # noqa: PLC0415
    from foreseq.ingest.repairs import Repairs  # noqa: PLC0415
    from foreseq.report import pictures  # noqa: PLC0415
    from foreseq.report.findings import Training, findings  # noqa: PLC0415
    from foreseq.selection.choose import choose  # noqa: PLC0415
    from foreseq.series import panel  # noqa: PLC0415

    experiment = build_experiment(
        {"dataset": {"source": "memory", "horizon": 24}},
        [
            f"training.max_steps={args.steps}",
            "training.members=1",
            "training.jit=true",  # as of long trainings
            "auto.time_budget=120",
        ],
    )
    imports, begun = peak_memory(), time.perf_counter()
    data = args.series * args.length * 9 / MEGABYTE
    say(f"imports {imports:.0f} MB, data {data:.0f} MB")

    def tell(part):
        over = peak_memory() - imports - data
        say(
            f"{part:<10} {time.perf_counter() - begun:6.0f} s  peak - imports - data {over:7.0f} MB"
        )

    series = panel.load(args.folder)
    found = choose(experiment, series)
    tell("search")
    outcome = recipe.fit(found.experiment, series, found.split)
    tell("training")
    repairs = Repairs(0, series.n_series, len(series.values), "", "")
    pictures.draw(findings(Training("memory", series, repairs, found, *outcome), "", ""))
    tell("pictures")
    with tempfile.TemporaryDirectory() as scratch:
        sealed = bundle.save(outcome.bundle, Path(scratch) / "bundle")
        tell("bundle")
        forecaster = Ensemble(outcome.bundle.experiment, outcome.bundle.final)
        source = writer.ForecastSource(forecaster, "memory/1", bundle.digest(sealed))
        writer.write(source, series, Path(scratch) / "forecasts")
    tell("forecast")
    say(f"bar 1024, aim 300; {stamp(series=args.series, length=args.length, seed=1)}")


if __name__ == "__main__":
    main()
