"""What Prefect and MLflow cost: `foreseq run` against the same library calls without them.

    uv run python tests/benchmarks/overhead.py

Both read M4 Hourly, train, test beside every baseline, draw the report, pass the gate and forecast,
each in processes and folders of their own, with equal seeds, by turns, and must write the same
bytes. Start-up is what the command takes to read unchanged data again. Beside the seconds by the
clock stand those of all processors together, which a busy machine hardly alters.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import ROOT, say, stamp

CONFIG = ROOT / "configs" / "forecasters" / "m4-hourly.yaml"
FORESEQ = Path(sys.executable).with_name("foreseq")
MOST, PATIENCE = 0.10, 20
"""Share of the time, and seconds of start-up on a quiet machine, that are allowed."""


def main() -> None:
    args = arguments()
    source = (ROOT / (args.source or source_of(CONFIG))).resolve()
    quick = ("auto.time_budget=0", "training.members=1", f"training.max_steps={args.steps}")
    equal = "statistical_baselines.windows=10"  # few enough that no time limit decides how many
    overrides = [f"dataset.source={source}", *quick, equal]
    if args.bare:
        bare(overrides)
        return
    ours = [str(FORESEQ), "{}", str(CONFIG), *(word for o in overrides for word in ("--set", o))]
    plain = [sys.executable, __file__, "--steps", str(args.steps), "--source", str(source)]
    commands = {
        "foreseq": [*(word.format("run") for word in ours), "--output", "out"],
        "foreseq starts": [word.format("ingest") for word in ours],
        "library": [*plain, "--bare"],
    }
    took = {name: [] for name in commands}
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for name, words in commands.items():
                place = Path(folder) / name.partition(" ")[0]
                took[name].append(clock(words, place))
                say(f"{name}: {took[name][-1][0]:.1f} s, of processors {took[name][-1][1]:.1f} s")
            same = digest(Path(folder) / "foreseq") == digest(Path(folder) / "library")
            say(f"the same forecasts by both: {same}")
    for which, meaning in enumerate(("by the clock", "of processors")):
        middle = {name: statistics.median(each[which] for each in took[name]) for name in took}
        more = middle["foreseq"] - middle["library"]
        allowed = MOST * middle["library"] + PATIENCE
        say(
            f"{meaning}: {more:.1f} s more than the library's {middle['library']:.1f} s (bar"
            f" {allowed:.1f} s: a tenth and {PATIENCE} s); start-up"
            f" {middle['foreseq starts']:.1f} s"
        )
    say(stamp(steps=args.steps, rounds=args.rounds))


def bare(overrides: list[str]) -> None:
    """Do what the command does, without Prefect and MLflow."""
    from foreseq.config import load_experiment  # noqa: PLC0415
    from foreseq.evaluation import gate  # noqa: PLC0415
    from foreseq.experiment import recipe  # noqa: PLC0415
    from foreseq.forecasting import bundle, writer  # noqa: PLC0415
    from foreseq.forecasting.ensemble import Ensemble  # noqa: PLC0415
    from foreseq.ingest.store import ingest  # noqa: PLC0415
    from foreseq.report import page, pictures  # noqa: PLC0415
    from foreseq.report.findings import Training, findings  # noqa: PLC0415
    from foreseq.selection.choose import choose  # noqa: PLC0415
    from foreseq.series import panel  # noqa: PLC0415

    experiment = load_experiment(CONFIG, overrides)
    ingested = ingest(experiment.dataset, Path("data/series"))
    series = panel.load(ingested.folder)
    found = choose(experiment, series)
    outcome = recipe.fit(found.experiment, series, found.split, checkpoint=Path("unfinished"))
    training = Training(experiment.model, series, ingested.repairs, found, *outcome)
    content = findings(training, "bare", "")
    html = page.report_page(content, pictures.draw(content))
    Path("report.html").write_text(html, encoding="utf-8")
    fitted = bundle.load(bundle.save(outcome.bundle, Path("bundle")))
    gate.judge(fitted, None, series)
    version = f"{experiment.model}/1"
    source = writer.ForecastSource(Ensemble(fitted.experiment, fitted.final), version, "bare")
    writer.write(source, series, Path("out"))


def clock(words: list[str], place: Path) -> tuple[float, float]:
    """Return the seconds that a command takes in a folder: by the clock, and of processors."""
    place.mkdir(exist_ok=True)
    begun, used = time.monotonic(), processors()
    ran = subprocess.run(  # noqa: S603 our own words
        words, cwd=place, capture_output=True, text=True, check=False
    )
    if ran.returncode not in (0, 4):  # 4: turned down by the gate, which costs as much
        raise SystemExit(ran.stderr[-3000:])
    return time.monotonic() - begun, processors() - used


def processors() -> float:
    """Return the seconds that processors spent on processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def digest(place: Path) -> list[str]:
    """Return what stands for the forecasts in a folder."""
    from foreseq.forecasting import writer  # noqa: PLC0415 the command's start-up is measured without it

    manifest = writer.read_manifest(place / "out")
    return sorted(manifest.parts.values()) if manifest else []


def source_of(config: Path) -> str:
    from foreseq.config import load_experiment  # noqa: PLC0415

    return load_experiment(config).dataset.source


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=300, help="Of the training.")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--source", help="M4 Hourly's training file; without: as the config says.")
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
