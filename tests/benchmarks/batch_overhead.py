"""A batch forecast end to end over the bare network call on the same windows.

    python tests/benchmarks/batch_overhead.py

End to end: a table of histories is in memory as a panel, and a folder of Parquet with its manifest
comes out (`batch.write`), calibrated quantiles as they are by default. Bare: `predict_on_batch` on
the windows, gathered before, as many rows a call as foreseq takes. Both by turns, the best of some
rounds, after a first round of each.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import say, stamp

from foreseq.config import build_experiment
from foreseq.forecasting import bundle, writer
from foreseq.forecasting.ensemble import Ensemble, calibrate
from foreseq.forecasting.writer import ForecastSource
from foreseq.network import predict
from foreseq.selection.choose import by_rules
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.training import loop, model_cache, network_weights


def main() -> None:
    """Print seconds of both, and their ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--series", type=int, default=20_000)
    options.add_argument("--length", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--set", action="append", default=[], dest="overrides")
    args = options.parse_args()
    panel = made(args.series, args.length)
    experiment = build_experiment(
        {"dataset": {"source": "memory", "horizon": 48}},
        ["auto.time_budget=0", "network.context=336", *args.overrides],
    )
    experiment, _, _, _ = by_rules(experiment, panel)
    model = model_cache.build(experiment)
    weights = network_weights.get_weights(model)
    member = loop.Fitted(weights, 1, ())
    state = bundle.state(panel, panel.lengths, [member])
    held_back = windows.split(panel, experiment.dataset.horizon, experiment.split).validation
    known = calibrate(Ensemble(experiment, state), panel, held_back)
    forecaster = Ensemble(experiment, state._replace(calibration=known))
    chosen = windows.newest(panel)
    gathered = [
        predict.inputs(model, panel, part)._asdict()
        for part in windows.batches(chosen, predict.ROWS)
    ]
    ours, bare = [], []
    for _ in range(1 + args.rounds):
        ours.append(timed(lambda: whole(forecaster, panel)))
        bare.append(timed(lambda: [model.predict_on_batch(each) for each in gathered]))
        say(f"  end to end {ours[-1]:.2f} s, bare {bare[-1]:.2f} s")
    best = min(ours[1:]), min(bare[1:])
    say(f"end to end {best[0]:.2f} s, bare {best[1]:.2f} s, ratio {best[0] / best[1]:.2f}")
    say(f"bar 2, aim 1.2; {stamp(series=args.series, context=336, horizon=48)}")


def whole(forecaster, panel):
    """Write the forecasts of all series to a new folder."""
    with tempfile.TemporaryDirectory() as scratch:
        writer.write(
            ForecastSource(forecaster, "benchmark/1", "none"), panel, Path(scratch) / "forecasts"
        )


def timed(work):
    """Return the seconds that it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def made(series, length):
    """Return hourly series with a day and noise."""
    rng = np.random.default_rng(1)
    day = np.sin(np.arange(length) * 2 * np.pi / 24)
    values = 10 + day + rng.normal(0, 0.3, (series, length))
    return Panel(
        values=values.reshape(-1, 1),
        observed=np.ones(series * length, bool),
        offsets=np.arange(series + 1) * length,
        starts=np.repeat(np.datetime64("2020-01-01", "ns"), series),
        ids=np.array([f"s{position:06}" for position in range(series)]),
        freq="h",
        season=24,
    )


if __name__ == "__main__":
    main()
