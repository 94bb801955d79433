"""Accuracy, seconds and peak memory of foreseq and its peers, side by side from one run.

    uv venv PEERS
    uv pip install --python PEERS/bin/python torch neuralforecast statsforecast 'u8darts[torch]'
    python tests/benchmarks/peers.py --python PEERS/bin/python --output peers.md

Everybody is given M4 Hourly's training file (or `--config`'s) without its last horizon, which is
what is judged; with `--test FILE` that file is, and everybody is given the whole training file.
Each runs in a process of its own, one after the other. The networks of the peers have their
defaults but for `--context`, `--steps` and scaling (neuralforecast: robust, darts: to 0 .. 1).
Seconds are of fitting and forecasting, imports apart; memory is the most a process held, imports
included.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import (
    ROOT,
    ask_peer,
    histories,
    m4_owa,
    markdown,
    newest_horizon,
    peak_memory,
    say,
    stamp,
    workers_memory,
)

from foreseq.config import ColumnsConfig, load_experiment
from foreseq.experiment import recipe
from foreseq.forecasting.ensemble import Ensemble
from foreseq.ingest.read import read_table
from foreseq.ingest.table import to_panel
from foreseq.selection.choose import choose
from foreseq.series.windows import Windows

PEERS = (
    "nf.LSTM", "nf.GRU", "nf.NHITS", "darts.LSTM", "sf.AutoETS", "sf.AutoTheta", "sf.AutoARIMA",
    "sf.MSTL",
)  # fmt: skip
"""Library and model, as `peer_forecasts.py` knows them."""


def main() -> None:
    """Ask everybody; print and write the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--python", default="", help="Interpreter that has the peers.")
    options.add_argument("--config", default="configs/forecasters/m4-hourly.yaml")
    options.add_argument("--test", default="", help="Test file, read once.")
    options.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    options.add_argument("--steps", type=int, default=1000, help="Of the peers' networks.")
    options.add_argument("--context", type=int, default=168, help="Of the peers' networks.")
    options.add_argument("--time-budget", type=float, default=600, help="Of foreseq, in seconds.")
    options.add_argument("--patience", type=float, default=3600, help="Seconds for a peer.")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--output", type=Path, help="Markdown; a CSV is written beside it.")
    options.add_argument("--own", type=Path, help=argparse.SUPPRESS)
    args = options.parse_args()
    overrides = [f"training.seed={args.seed}", f"auto.time_budget={args.time_budget}"]
    experiment = load_experiment(ROOT / args.config, overrides)
    panel, given, chosen = judged(experiment, args.test)
    if args.own:
        own(experiment, given, panel, chosen, args.own)
        return
    rows = [row("seasonal naive", panel, chosen, None, {})]
    rows.append(row("foreseq", panel, chosen, *ask_ourselves()))
    past = histories(panel, chosen)
    asked = {
        "horizon": experiment.dataset.horizon, "season": panel.season, "context": args.context,
        "steps": args.steps, "seed": args.seed, "threads": args.threads,
    }  # fmt: skip
    for name in args.peers if args.python else ():
        answer, said = ask_peer(args.python, name, past, asked, args.patience)
        rows.append(row(name, panel, chosen, answer, said))
    part = "test part" if args.test else "newest horizon of the training file"
    note = stamp(config=args.config, seed=args.seed, steps=args.steps, judged=part)
    say(f"{markdown(rows)}\n\n{note}")
    if args.output:
        args.output.write_text(f"{markdown(rows)}\n\n{note}\n", encoding="utf-8")
        pd.DataFrame(rows).assign(run=note).to_csv(args.output.with_suffix(".csv"), index=False)


def judged(experiment, test):
    """Return the panel, what everybody is given of it, and the windows that are judged."""
    if not test:
        return newest_horizon(experiment)
    read = experiment.dataset.model_copy(update={"columns": ColumnsConfig(), "layout": "long"})
    long = read_table(experiment.dataset)
    given, _ = to_panel(long, read)
    ahead = read_table(experiment.dataset.model_copy(update={"source": test}))
    alike = read.model_copy(update={"freq": given.freq, "season": given.season})
    panel, _ = to_panel(pd.concat([long, ahead], ignore_index=True), alike)
    return panel, given, Windows(np.arange(panel.n_series), given.lengths)


def ask_ourselves():
    """Return what foreseq forecasts in a process of its own, and its seconds and memory."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "own.npy"
        command = [sys.executable, __file__, *sys.argv[1:], "--own", str(target)]
        done = subprocess.run(  # noqa: S603 this file
            command, stdout=subprocess.PIPE, text=True, check=True
        )
        return np.load(target), json.loads(done.stdout.strip().splitlines()[-1])


def own(experiment, given, panel, chosen, target):
    """Choose, train, learn on and forecast, as `foreseq run` does; write what came out."""
    imports, begun = peak_memory(), time.perf_counter()
    found = choose(experiment, given)
    fitted = recipe.fit(found.experiment, given, found.split).bundle
    answer = Ensemble(fitted.experiment, fitted.final).point(panel, chosen)
    seconds = time.perf_counter() - begun
    np.save(target, answer)
    workers = found.experiment.training.workers
    peak = peak_memory() + (workers * workers_memory() if workers > 1 else 0)
    say(json.dumps({"seconds": seconds, "peak": peak, "imports": imports}))


def row(name, panel, chosen, answer, said):
    """Return a row of the table; a peer that failed has no figures."""
    args = {"seconds": said.get("seconds", np.nan), "peak MB": said.get("peak", np.nan)}
    if "failed" in said:
        say(f"{name}: {said['failed']}")
        return {"forecaster": name, "OWA": np.nan, "sMAPE": np.nan, "MASE": np.nan, **args}
    owa, scores = m4_owa(panel, chosen, answer)
    row = {"forecaster": name, "OWA": owa, "sMAPE": scores.smape, "MASE": scores.mase, **args}
    say(json.dumps(row))
    return row


if __name__ == "__main__":
    main()
