"""Scheduled nights on a fast clock, with random faults: nothing is lost, torn or made twice.

    python tests/benchmarks/soak.py DIR [--cycles 500] [--seed 1]

In each cycle, a night, a day of sales arrives, a schedule forecasts, another checks past forecasts,
and every seventh night a third trains and publishes. Half of the nights are disturbed, each in a
process of its own: it is killed at any moment, or no file may grow beyond some size as on a full
disk, or another process locks the store, or the delivery is damaged, or Prefect's server is killed
and started again. Nights without a fault share one process, whose memory is followed.

What was begun is finished by the next night. What was refused, as the delivery was damaged, or was
not even begun, is asked for again, as `foreseq backfill` does.

It fails unless every interval has one record in the end; each forecast is whole, byte for byte, and
begins on its day; each training has one version; no run goes on and no temporary file is left; and,
of a hundred nights and more, memory ends within 5% of where it was after the first tenth.
"""

import argparse
import json
import os
import random
import resource
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from statistics import median

import psutil

FIRST, NIGHT = datetime(2000, 4, 5, tzinfo=UTC), timedelta(days=1)
"""First logical date, on which the schedule that trains is due too, and time between two."""
DAYS, SERIES, HORIZON = 95, 2, 7
"""Days of sales before the first night, series, and steps ahead."""
FORECASTER = f"""
dataset: {{name: shop, source: shop.csv, horizon: {HORIZON}}}
auto: {{time_budget: 0}}
training: {{start: random, max_steps: 4, validations: 2, members: 1}}
network: {{cells: {{units: [4]}}}}
statistical_baselines: {{windows: 0}}
gate: {{min_skill: -9, confidence: 0.5}}
"""
EVERY = {"run": 7, "forecast": 1, "monitor": 1}
"""Nights between two intervals of each schedule, which is named as its flow."""
FAULTS = {"kill": 8, "disk": 4, "lock": 3, "delivery": 2, "server": 1}
"""Weight of each in the draw."""
LONGEST = 8.0
"""Seconds within which a process is killed, and for which a store is locked at most."""
SIZES = 4_000, 4_000_000
"""Bytes: the least and the most that a file may have on a full disk."""
FLAT, MANY = 0.05, 100
"""Share by which memory may grow, and nights from which on it is judged."""
PATIENCE = 1800
"""Seconds after which a night has come to a standstill."""
OTHERS = (".state", ".lock", ".artifact.uploading")
"""Hidden files that stay: of Prefect, of locks, and MLflow's own of a run that was cut off."""

Asked = list[tuple[str, datetime]]
"""Schedules and logical dates."""


class Failed(Exception):
    """Something was lost, torn or made twice, or memory grew."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    say(json.dumps(soak(arguments.folder, arguments.cycles, arguments.seed), indent=2))


def soak(folder: Path, cycles: int, seed: int) -> dict[str, object]:
    """Return what was seen in some nights in a new folder.

    Raises:
        Failed: If something was lost, torn or made twice, or memory grew.
    """
    (folder / ".state" / "prefect").mkdir(parents=True)
    os.chdir(folder)
    os.environ.pop("PREFECT_API_URL", None)
    from foreseq.pipelines.runtime import environment, server  # noqa: PLC0415 reads the folder

    environment.prepare()
    server.start()()
    from foreseq.pipelines.flows import scheduled  # noqa: F401, PLC0415 slow: before any fork

    write_schedules()
    resident, drawn = Resident(), random.Random(seed)  # noqa: S311 no secret
    nights = [FIRST + NIGHT * number for number in range(cycles)]
    faults, memory, seconds, again = Counter[str](), [], [], 0
    for night in nights:
        calm = night in (nights[0], nights[-1]) or drawn.random() < 0.5
        fault = "" if calm else drawn.choices([*FAULTS], [*FAULTS.values()])[0]
        faults[fault or "none"] += 1
        deliver(night)
        late = [one for one in missing(night - NIGHT) if not marker(*one).exists()]
        again += len(late)
        asked = [*late, *((flow, night) for flow in EVERY if is_due(flow, night))]
        begun = time.monotonic()
        if fault:
            disturb(fault, asked, night, drawn)
        else:
            memory.append(resident.ask(asked))
            seconds.append(time.monotonic() - begun)
        held = "" if fault else f", {memory[-1]:.0f} MB"
        took = time.monotonic() - begun
        say(f"{night:%Y-%m-%d} {fault:8} {took:5.1f} s for {len(asked)}{held}")
    lost = [one for one in missing(nights[-1]) if one[0] != "run"]
    require(not lost, f"not made up for by the next night: {lost}")
    memory.append(resident.ask(missing(nights[-1])))  # a week has not passed
    resident.end()
    seen = {"nights": cycles, "faults": dict(faults), "asked again": again, **check(nights)}
    seen["seconds"] = [round(part, 1) for part in ends(seconds)]
    seen["megabytes"] = [round(part) for part in ends(memory)]
    first, last = ends(memory)
    require(cycles < MANY or last <= (1 + FLAT) * first, f"memory grew: {seen}")
    return seen


def write_schedules() -> None:
    Path("shop.yaml").write_text(FORECASTER, encoding="utf-8")
    for flow, every in EVERY.items():
        text = f"flow: {flow}\nconfig: shop.yaml\nevery: {every}d\n"
        Path(f"{flow}.yaml").write_text(text, encoding="utf-8")


def deliver(night: datetime) -> None:
    """Write the sales of all days before a night."""
    drawn, rows = random.Random(1), ["unique_id,ds,y\n"]  # noqa: S311 no secret
    for day in range(DAYS + (night - FIRST).days):
        date = FIRST + NIGHT * (day - DAYS)
        for series in range(SERIES):
            sold = 20 + 10 * series + 5 * (date.weekday() > 4) + drawn.gauss(0, 2)
            rows.append(f"{series},{date:%Y-%m-%d},{sold:.3f}\n")
    Path("shop.csv").write_text("".join(rows), encoding="utf-8")


def is_due(flow: str, night: datetime) -> bool:
    return (night - FIRST).days % EVERY[flow] == 0


def missing(last: datetime) -> Asked:
    """Return the intervals up to a night that have no record."""
    nights = [FIRST + NIGHT * number for number in range((last - FIRST).days + 1)]
    every = [(flow, night) for night in nights for flow in EVERY if is_due(flow, night)]
    return [(flow, night) for flow, night in every if not record(flow, night).exists()]


def record(flow: str, night: datetime) -> Path:
    return Path("data/schedules", flow, f"{night:%Y-%m-%dT%H-%M-%S}.json")


def marker(flow: str, night: datetime) -> Path:
    """Return the folder that an interval has as long as it is not finished."""
    return Path("data/unfinished", f"{flow}-{night:%Y-%m-%dT%H-%M-%S}")


def disturb(fault: str, asked: Asked, night: datetime, drawn: random.Random) -> None:
    """Ask for intervals in a process of their own, which a fault disturbs."""
    share = drawn.random()
    if fault == "delivery":
        whole = Path("shop.csv").read_bytes()
        cut = int(share * len(whole))
        Path("shop.csv").write_bytes(whole[:cut] + bytes([0, 255]) * 50 + whole[cut + 50 :])
    child = fork(lambda: suffer(fault, share, asked))
    lifted = [lambda: None]
    if fault == "lock":
        lifted.append(locked(share * LONGEST))
    if fault == "server":
        time.sleep(share * LONGEST)
        (one,) = (each for each in psutil.Process().children() if is_server(each))
        one.kill()
        one.wait()
    wait(child)
    for lift in lifted:
        lift()
    if fault == "server":
        from foreseq.pipelines.runtime import server  # noqa: PLC0415 as above

        port = int(os.environ.pop("PREFECT_API_URL").rpartition(":")[2].partition("/")[0])
        server.start(port)()
    if fault == "delivery":
        deliver(night)


def suffer(fault: str, share: float, asked: Asked) -> None:
    """Ask for intervals, however each ends."""
    if fault == "kill":
        signal.setitimer(signal.ITIMER_REAL, share * LONGEST)  # unhandled, SIGALRM kills
    if fault == "disk":
        least, most = SIZES
        size = int(least * (most / least) ** share)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    for one in asked:
        with suppress(Exception):
            ask(*one)


def ask(flow: str, night: datetime) -> None:
    from foreseq.pipelines.flows.scheduled import scheduled  # noqa: PLC0415 slow: before any fork

    try:
        scheduled(Path(f"{flow}.yaml"), night)
    except Exception:
        traceback.print_exc()
        raise


def locked(seconds: float) -> Callable[[], None]:
    """Lock the store for a time; return what waits until it is over."""

    def lock() -> None:
        with closing(sqlite3.connect("mlruns/mlflow.db", timeout=60)) as store:
            store.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)

    thread = threading.Thread(target=lock)
    thread.start()
    return thread.join


def is_server(process: psutil.Process) -> bool:
    return "foreseq.pipelines.runtime.server" in process.cmdline()


def fork(job: Callable[[], None]) -> int:
    """Do a job in a child that writes to the log; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    with suppress(BaseException):
        log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        job()
        code = 0
    os._exit(code)


def wait(child: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            raise Failed(f"a night has not ended after {PATIENCE} s; see log.txt")
        time.sleep(0.05)


class Resident:
    """A process that serves all undisturbed nights."""

    def __init__(self) -> None:
        """Start it, before this process runs any network."""
        self.line, theirs = Pipe()
        self.pid = fork(lambda: serve(theirs, self.line))

    def ask(self, asked: Asked) -> float:
        """Return its memory in MB after it has carried out intervals."""
        self.line.send(asked)
        require(self.line.poll(PATIENCE), f"a night has not ended after {PATIENCE} s; see log.txt")
        answer = self.line.recv()
        require(isinstance(answer, float), f"an undisturbed night failed: {answer}")
        return answer

    def end(self) -> None:
        """End it."""
        self.line.send(None)
        wait(self.pid)


def serve(line: Connection, other: Connection) -> None:
    other.close()  # so that the line ends with whoever asks
    while (asked := line.recv()) is not None:
        try:
            for one in asked:
                ask(*one)
        except Exception as error:
            line.send(repr(error))
        else:
            line.send(psutil.Process().memory_info().rss / 2**20)


def check(nights: list[datetime]) -> dict[str, int]:
    """Return how many records, forecasts and versions there are, all of them right."""
    from mlflow import MlflowClient  # noqa: PLC0415 slow

    from foreseq.forecasting import writer  # noqa: PLC0415 slow
    from foreseq.pipelines.flows.scheduled import Interval  # noqa: PLC0415 slow

    require(not missing(nights[-1]), f"lost: {missing(nights[-1])}")
    files = sorted(Path("data/schedules").glob("*/*.json"))
    intervals = [Interval.model_validate_json(file.read_bytes()) for file in files]
    due = sum(is_due(flow, night) for night in nights for flow in EVERY)
    require(len(intervals) == due, f"{due} intervals have {len(intervals)} records")
    forecasts = [one for one in intervals if one.schedule != "monitor"]
    for one in forecasts:
        manifest = writer.read_manifest(one.forecast)
        whole = manifest is not None and writer.is_whole(one.forecast, manifest)
        require(whole and manifest.rows == SERIES * HORIZON, f"torn: {one.forecast}")
        first = writer.read(one.forecast)["ds"].min()
        require(first == one.logical.replace(tzinfo=None), f"{one.forecast} begins on {first}")
    client = MlflowClient("sqlite:///mlruns/mlflow.db")
    versions = sorted(f"shop/{one.version}" for one in client.search_model_versions())
    trained = sorted(one.model_version for one in intervals if one.schedule == "run")
    require(versions == trained, f"trained {trained}, found {versions}")
    everywhere = [one.experiment_id for one in client.search_experiments()]
    states = Counter(run.info.status for run in client.search_runs(everywhere))
    require(not states["RUNNING"], f"runs that go on for ever: {states}")
    left = [file for file in Path().rglob(".*") if not file.name.startswith(OTHERS)]
    require(not left, f"left behind: {left}")
    return {"records": len(intervals), "forecasts": len(forecasts), "versions": len(versions)}


def ends(measured: list[float]) -> tuple[float, float]:
    """Return the median of the second tenth, after warming up, and of the last."""
    tenth = max(1, len(measured) // 10)
    return median(measured[tenth : 2 * tenth] or measured), median(measured[-tenth:])


def require(held: object, complaint: str) -> None:
    if not held:
        raise Failed(complaint)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
