"""Forecasts of a million series: how fast, in how much memory, and on Dask against one process.

    uv run python tests/benchmarks/bulk.py --series 1000000 --folder /tmp/bulk

Trains a forecaster of months, writes as many made-up series of 120 months as asked for, forecasts
them by each way named, and holds the ways against each other byte by byte and against the input
series by series. The folder is kept: a second call measures only what is missing in it.
"""

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyarrow.compute as pc
import pyarrow.dataset as parquet
from distributed import LocalCluster

from foreseq.forecasting import writer

FORESEQ = Path(sys.executable).with_name("foreseq")
HORIZON = 12
WAYS = ("1", "2", "dask")


def main() -> None:
    args = arguments()
    args.folder.mkdir(parents=True, exist_ok=True)
    if not (args.folder / "trained").exists():
        foreseq(args.folder, "example-data", "train.csv", *months(300))
        quick = ("--set", "auto.time_budget=0", "--set", "training.max_steps=200")
        horizon = ("--horizon", str(HORIZON))
        foreseq(args.folder, "run", "--data", "train.csv", *horizon, *quick, "--output", "trained")
    source = f"series-{args.series}"
    if not (args.folder / source).exists():
        foreseq(args.folder, "example-data", source, *months(args.series))
    seconds = {way: measure(args.folder, source, way, args.series) for way in args.ways}
    parts = [writer.read_manifest(args.folder / f"{source}-{way}").parts for way in args.ways]
    say(f"the same bytes by every way: {all(each == parts[0] for each in parts)}")
    check(args.folder / source, args.folder / f"{source}-{args.ways[0]}")
    first = args.ways[0]
    for way in args.ways[1:]:
        say(f"{way} against {first}: {seconds[first] / seconds[way]:.2f} times as fast")


def measure(folder: Path, source: str, way: str, series: int) -> float:
    """Forecast by one way; return the seconds it took."""
    with cluster() if way == "dask" else none() as address:
        how = ("--dask", address) if way == "dask" else ("--workers", way)
        begun = time.monotonic()
        with memory() as peak:
            output = f"{source}-{way}"
            model = ("--model", "train@champion")
            foreseq(folder, "forecast", *model, "--input", source, "--output", output, *how)
        seconds = time.monotonic() - begun
    say(
        f"{way}: {series:,} series in {seconds:.0f} s, {series / seconds:,.0f} a second, start-up"
        f" included; peak memory of all processes {max(peak) / 1e9:.2f} GB"
    )
    return seconds


def check(source: Path, output: Path) -> None:
    """See that each series of the input has its rows once."""
    wanted = pc.unique(column(source)).sort()
    counted = column(output).value_counts()
    found, rows = counted.field("values"), counted.field("counts")
    say(f"series lost or strange: {not pc.all(pc.equal(found.sort(), wanted)).as_py()}")
    say(f"series with other than {HORIZON} rows: {pc.sum(pc.not_equal(rows, HORIZON)).as_py()}")


def column(folder: Path) -> "object":
    return parquet.dataset(folder).to_table(columns=["unique_id"]).column(0).combine_chunks()


def foreseq(folder: Path, *words: str) -> None:
    subprocess.run([FORESEQ, *words], cwd=folder, check=True)  # noqa: S603 our own command


def months(series: int) -> tuple[str, ...]:
    return ("--series", str(series), "--freq", "MS", "--length", "120")


@contextmanager
def cluster() -> Iterator[str]:
    with LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as local:
        yield local.scheduler_address


@contextmanager
def none() -> Iterator[str]:
    yield ""


@contextmanager
def memory() -> Iterator[list[int]]:
    """Yield what is used in all by the processes that this one started, every second."""
    seen, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(1):
            used = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    used += process.memory_full_info().pss
                except psutil.Error:  # it has just ended
                    continue
            seen.append(used)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, default=Path("bulk"))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["1", "2", "dask"])
    return parser.parse_args()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
