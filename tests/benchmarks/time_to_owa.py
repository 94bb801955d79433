"""Seconds until foreseq is as accurate as neuralforecast's LSTM at its end, on one machine.

    python tests/benchmarks/time_to_owa.py --python OTHER/bin/python

Judged on the last horizon of M4 Hourly's training file, which neither side is given; the test part
is not read. The peer runs first, with its defaults (1000 steps) but for a context of a week and
robust scaling. Then foreseq is trained, from scratch each time, with 25, 50, 100, ... steps until
it is as good; counted are all of its trainings, the compilation and the forecasts, so that the
number of steps is found within the time, too. Imports count on neither side.
"""

import argparse
import time

from measuring import ROOT, ask_peer, histories, m4_owa, newest_horizon, say, stamp

from foreseq.config import load_experiment
from foreseq.forecasting import bundle
from foreseq.forecasting.ensemble import Ensemble
from foreseq.selection.choose import by_rules
from foreseq.training import fitting
from foreseq.training.fitting import Task

FIRST, MOST = 25, 6400
"""Steps of the first training and of the last one tried."""


def main() -> None:
    """Print who took how long."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--python", required=True, help="Interpreter that has neuralforecast.")
    options.add_argument("--model", default="LSTM", choices=["LSTM", "GRU", "NHITS"])
    options.add_argument("--context", type=int, default=168)
    options.add_argument("--config", default="configs/forecasters/m4-hourly.yaml")
    options.add_argument("--set", action="append", default=[], dest="overrides")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--steps", type=int, default=0, help="Of the peer; 0: its default, 1000.")
    args = options.parse_args()
    # trainings this short are done sooner than they are compiled
    quick = ("training.members=1", "training.jit=false")
    overrides = [f"training.seed={args.seed}", *quick, *args.overrides]
    experiment = load_experiment(ROOT / args.config, overrides)
    panel, given, chosen = newest_horizon(experiment)
    experiment, _, _, _ = by_rules(experiment, given)
    seasonal, _ = m4_owa(panel, chosen, None)
    say(f"seasonal naive                 OWA {seasonal:.4f}")

    asked = {
        "horizon": experiment.dataset.horizon, "season": panel.season, "context": args.context,
        "seed": args.seed, "steps": args.steps,
    }  # fmt: skip
    answer, said = ask_peer(args.python, f"nf.{args.model}", histories(panel, chosen), asked)
    if answer is None:
        raise SystemExit(said["failed"])
    target, _ = m4_owa(panel, chosen, answer)
    say(f"neuralforecast {args.model:<8}        OWA {target:.4f} after {said['seconds']:.1f} s")

    begun, steps, owa = time.perf_counter(), FIRST, float("inf")
    while owa > target and steps <= MOST:
        (member,) = fitting.fit(Task(given, given.lengths, None, steps), experiment)
        state = bundle.state(given, given.lengths, [member])
        owa, _ = m4_owa(panel, chosen, Ensemble(experiment, state).point(panel, chosen))
        seconds = time.perf_counter() - begun
        say(f"foreseq {steps:>5} steps            OWA {owa:.4f} after {seconds:.1f} s in all")
        steps *= 2
    if owa > target:
        raise SystemExit("foreseq did not get there")
    made = stamp(config=args.config, model=args.model, steps=args.steps or 1000, seed=args.seed)
    say(f"ratio {said['seconds'] / seconds:.1f}  (bar 10, aim 50); {made}")


if __name__ == "__main__":
    main()
