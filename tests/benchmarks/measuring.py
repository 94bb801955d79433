"""What the benchmarks share: telling what they see, and asking peers."""

import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from foreseq import metrics
from foreseq.config import ColumnsConfig
from foreseq.evaluation import baselines
from foreseq.experiment import recipe
from foreseq.forecasting.ensemble import Ensemble
from foreseq.ingest.read import read_table
from foreseq.ingest.table import to_panel
from foreseq.selection.choose import choose
from foreseq.series import windows
from foreseq.series.windows import Windows

ROOT = Path(__file__).parents[2]
PEER = Path(__file__).with_name("peer_forecasts.py")


def say(line):
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def looked(progress):
    """Tell how training goes; what `training.fit` wants to be given."""
    look = progress.point
    at = f"  member {progress.member + 1}  step {look.step}"
    say(f"{at}  loss {look.loss:.4f}  validation {look.validation:.4f}")


def judge_each(names, judge, args, **noted):
    """Print the row of scores of each name, and a table of all; write it to `output`.

    Args:
        names: Of what is judged.
        judge: Returns the row of one.
        args: Options; `part`, `time_budget` and `output` are read.
        noted: What else the table was made with.
    """
    rows = []
    for name in names:
        rows.append(judge(name, args))
        say(json.dumps(rows[-1]))
        if args.output:
            note = stamp(part=args.part, budget=f"{args.time_budget:.0f} s", **noted)
            args.output.write_text(f"{markdown(rows)}\n\n{note}\n", encoding="utf-8")
    say(markdown(rows))


def by_itself(name, experiment, given):
    """Return the final forecaster of `foreseq run`, and the seconds it took to choose and train."""
    begun = time.perf_counter()
    found = choose(experiment, given, report=tried)
    for choice in found.choices:
        say(f"  {name}: {choice.field}={choice.value}: {choice.reason}")
    fitted = recipe.fit(found.experiment, given, found.split).bundle
    seconds = time.perf_counter() - begun
    return Ensemble(fitted.experiment, fitted.final), seconds


def tried(candidate):
    """Tell of a short training."""
    say(f"  tried {candidate.field}={candidate.value}: {candidate.error:.4f}")


def classics(name, args, history, series, mase):
    """Return the error of each classical model that is asked for, NaN where it gave none.

    Args:
        name: Of what is judged.
        args: Options; `python`, `classics`, `threads` and `patience` are read.
        history: As `ask_peer` takes it.
        series: What tells their `horizon` and `season`.
        mase: Returns the error of forecasts.
    """
    asked = {"horizon": series.horizon, "season": series.season, "threads": args.threads}
    errors = {}
    for model in args.classics:
        answer, said = ask_peer(args.python, f"sf.{model}", history, asked, args.patience)
        errors[model] = float("nan") if answer is None else mase(answer)
        say(f"  {name}: {model} MASE {errors[model]:.4f} {said}")
    return errors


def ask_peer(python, name, history, options, patience=None):
    """Return a peer's forecasts, shape (series, horizon), and what it says of itself.

    Args:
        python: Interpreter that has the peer's packages.
        name: Library and model, as `peer_forecasts.py` knows them.
        history: Columns unique_id, ds, y; the answer keeps the order of its series.
        options: At least horizon, season, context, seed and threads.
        patience: Seconds after which it is given up; the answer then is None.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.parquet", Path(folder) / "out.parquet"
        history.to_parquet(source, index=False)
        command = [python, str(PEER), name, str(source), str(target), json.dumps(options)]
        peer = subprocess.Popen(  # noqa: S603 the interpreter that the user named
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
        try:
            args, complaint = peer.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            return None, {"seconds": patience, "failed": f"gave up after {patience:.0f} s"}
        finally:
            end_all_of(peer)
        if peer.returncode:
            return None, {"failed": complaint.strip().splitlines()[-1][-200:]}
        table = pd.read_parquet(target)
    wide = table.pivot_table(index="unique_id", columns="step", values="y_hat", dropna=False)
    ordered = wide.loc[history["unique_id"].unique()].to_numpy()
    return ordered, json.loads(args.strip().splitlines()[-1])


def end_all_of(peer):
    """End a process that leads a group, and its workers, which may outlive it."""
    with suppress(ProcessLookupError):
        os.killpg(peer.pid, signal.SIGKILL)
    peer.wait()


def histories(panel, chosen, longest=None):
    """Return what was observed before each window as a long table, a series a window."""
    parts = []
    for row, (series, cutoff) in enumerate(zip(chosen.series, chosen.cutoff, strict=True)):
        first = max(0, cutoff - longest) if longest else 0
        values = panel.series(series)[first:cutoff].copy()
        seen = panel.seen(series)[first:cutoff]
        steps = np.arange(len(values))
        values[~seen] = np.interp(steps[~seen], steps[seen], values[seen])
        parts.append(pd.DataFrame({"unique_id": f"w{row:06}", "ds": steps, "y": values}))
    return pd.concat(parts, ignore_index=True)


def markdown(rows):
    """Return rows of equal keys as a Markdown table."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([shown(row[name]) for name in names] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(value):
    """Return a cell of a table."""
    if isinstance(value, float):
        digits = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 0
        return "" if math.isnan(value) else f"{value:.{digits}f}"
    return str(value)


def stamp(**args):
    """Return what a table of results was made with: commit, machine and arguments."""
    git = shutil.which("git") or "git"
    commit = subprocess.run(  # noqa: S603 a fixed command
        [git, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False,
        cwd=PEER.parent,
    ).stdout.strip()  # fmt: skip
    facts = {"commit": commit, "cores": os.cpu_count(), **args}
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def peak_memory():
    """Return the most memory this process has held, in MB.

    Why not `getrusage`: it starts with what the parent held.
    """
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def workers_memory():
    """Return the most memory that one of the processes that have ended has held, in MB.

    No less than what this process held when it started them.
    """
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def newest_horizon(experiment):
    """Return an experiment's panel, the same without its last horizon, and the windows of that.

    The judged steps are the newest of the training file; whoever forecasts is given what is before.
    """
    long = read_table(experiment.dataset)
    canonical = experiment.dataset.model_copy(update={"columns": ColumnsConfig(), "layout": "long"})
    panel, _ = to_panel(long, canonical)
    ends = panel.lengths - experiment.dataset.horizon
    return panel, heads(panel, ends), Windows(np.arange(panel.n_series), ends)


def heads(panel, ends):
    """Return the panel of the first steps of each series."""
    parts = [np.arange(end) + start for start, end in zip(panel.offsets, ends, strict=False)]
    rows = np.concatenate(parts)
    return replace(
        panel,
        values=panel.values[rows],
        observed=panel.observed[rows],
        offsets=np.concatenate([[0], np.cumsum(ends)]),
    )


def m4_owa(panel, chosen, forecast):
    """Return OWA and scores of a forecast of one window a series; None: of the seasonal naive.

    M4's own measure: Naive2 is computed as the competition did, MASE scaled on what was before.
    """
    horizon = int((panel.lengths[chosen.series] - chosen.cutoff).min())
    actual = windows.futures(panel, chosen, horizon)
    ends = panel.lengths.copy()
    ends[chosen.series] = chosen.cutoff
    scale = metrics.seasonal_errors(panel.values, panel.observed, panel.offsets, ends, panel.season)
    if forecast is None:
        forecast = baselines.seasonal_naive(panel, chosen, horizon)
    past = [panel.series(s)[:end] for s, end in zip(chosen.series, chosen.cutoff, strict=True)]
    rival = np.stack([naive2(values, panel.season, horizon) for values in past])
    ours, theirs = (metrics.score(actual, f, chosen.series, scale) for f in (forecast, rival))
    return metrics.owa(ours, theirs), ours


def naive2(values, season, horizon):
    """Return M4's Naive2: the last value, of the series cleared of its season where it has one."""
    if season == 1 or len(values) < 3 * season or not is_seasonal(values, season):
        return np.full(horizon, values[-1])
    weights = np.ones(season + 1 - season % 2)
    if season % 2 == 0:
        weights[[0, -1]] = 0.5
    trend = np.convolve(values, weights / season, mode="valid")
    half = len(weights) // 2
    ratio = values[half : half + len(trend)] / trend
    phase = (np.arange(len(trend)) + half) % season
    factor = np.array([ratio[phase == p].mean() for p in range(season)])
    factor /= factor.mean()
    ahead = factor[(len(values) + np.arange(horizon)) % season]
    return values[-1] / factor[(len(values) - 1) % season] * ahead


def is_seasonal(values, season):
    """Tell whether the autocorrelation at the season is beyond luck, as M4 tested it (90 %)."""
    away = values - values.mean()
    power = (away**2).sum()
    if power == 0:
        return False
    lags = [(away[lag:] * away[:-lag]).sum() / power for lag in range(1, season + 1)]
    limit = 1.645 * np.sqrt((1 + 2 * np.square(lags[:-1]).sum()) / len(values))
    return abs(lags[-1]) > limit
