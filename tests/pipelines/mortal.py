"""Runs flows in children that are killed at a chosen moment: `python mortal.py < requests`.

A moment is a number of touches of files below the child's folder: opened, renamed, removed, made.
Or it is a number of seconds, which lands amid steps of training and transactions of databases.
Everything slow is imported once, before the children are forked; none of it has run by then.
Each line of the input is JSON: place, and touch or seconds unless it lives. For each one a line
tells how the child ended, and how many touches and seconds it took if it lived.
"""

import json
import os
import signal
import sys
import time
import traceback
from itertools import count
from pathlib import Path

from foreseq.pipelines.runtime import environment

environment.prepare()

from foreseq.config import build_experiment  # noqa: E402 after the environment is set
from foreseq.forecasting.output import Output  # noqa: E402
from foreseq.pipelines.flows import monitor, publish, run  # noqa: E402

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
FORECASTS = Path("forecasts")
QUICK = (
    "auto.time_budget=0", "training.max_steps=20", "training.members=2", "training.validations=2",
    "network.cells.units=[8]", "statistical_baselines.windows=0",
    "gate.min_skill=-9", "gate.confidence=0.5",
)  # fmt: skip


def watch(place: Path, moment: int | None) -> count:
    """Count touches of the place, and die at the chosen one."""
    touches = count()
    below = str(place)

    def hook(event: str, arguments: tuple) -> None:
        if event not in EVENTS or not str(arguments[0]).startswith(below):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            return
        if next(touches) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return touches


def live(place: Path, touch: int | None = None, seconds: float = 0) -> None:
    """Run every flow in the place, up to the moment if there is one."""
    begun = time.monotonic()
    os.chdir(place)
    log = os.open(place / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    touches = watch(place, touch)
    signal.setitimer(signal.ITIMER_REAL, seconds)  # what SIGALRM does is to kill, Python unasked
    dataset = {"name": "shop", "source": "shop.csv", "horizon": 7}
    ran = run.run(build_experiment({"dataset": dataset}, QUICK), Output(folder=FORECASTS / "april"))
    publish.publish(ran.run_id)
    later = {"name": "later", "source": "later.csv"}
    monitor.monitor("shop", later, FORECASTS, retrain="auto")
    took = {"touches": next(touches), "seconds": time.monotonic() - begun}
    (place / "took.json").write_text(json.dumps(took))


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        place = Path(request.pop("place"))
        pid = os.fork()
        if not pid:
            try:
                live(place, **request)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        took = place / "took.json"
        answer = json.loads(took.read_text()) if took.exists() else {}
        answer["ended"] = os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
