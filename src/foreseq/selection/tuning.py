"""A study of many trainings with other values, compared on validation windows by Optuna.

Several processes may run trials of one study, and a study that was stopped resumes. Each trial has
a sampler seeded by the study's seed and the trial's number, so that with one worker a resumed study
tries the same values as an undisturbed one. Nothing here sees the test windows.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import yaml
from filelock import FileLock, Timeout

from foreseq.config import ExperimentConfig, ResolvedExperiment, change
from foreseq.durable import files
from foreseq.errors import ConfigError
from foreseq.selection.space import MEMBERS, Space
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.training import fitting
from foreseq.training.fitting import Progress, Task

try:
    import optuna
    from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIISampler, TPESampler
    from optuna.trial import TrialState
except ImportError:  # pragma: no cover - the tests have it
    raise ConfigError("tuning needs Optuna; run `uv sync --extra tune`") from None

optuna.logging.set_verbosity(optuna.logging.WARNING)

SAMPLERS = ("tpe", "cmaes", "evolutionary")
STARTUP = 4
"""Completed trials before any is pruned, and random trials before TPE uses their results."""
WARMUP = 0.25
"""Share of its steps before which a training is not pruned."""
POPULATION = 8
"""Trials in a generation of the evolutionary sampler."""
BUSY = 120.0
"""Seconds to wait while another worker writes to the storage."""
TAKEN = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Study:
    """What is tuned, how, and where results are stored; every worker process gets the same."""

    name: str
    storage: Path
    """SQLite file."""
    experiment: ResolvedExperiment
    """By the rules."""
    space: Space
    sampler: Literal["tpe", "cmaes", "evolutionary"] = "tpe"
    trials: int = 20
    """Total number, including those of earlier calls."""
    deadline: float = float("inf")
    """Time (`time.time`) after which no trial starts, and none goes on once one is complete."""


class Trial(NamedTuple):
    """One trial that has ended."""

    number: int
    values: dict[str, object]
    error: float
    """Lowest validation error; NaN if the values do not go together."""
    pruned: bool


class Record(Protocol):
    """Where a trial is recorded."""

    def report(self, stage: str, progress: Progress) -> None:
        """Record one validation."""

    def conclude(self, trial: Trial) -> None:
        """Record how the trial ended."""


class Best(NamedTuple):
    """The best trial of a study."""

    number: int
    error: float
    values: dict[str, object]
    completed: int
    """Trials that ran to their end."""
    pruned: int


Recorder = Callable[[int, ResolvedExperiment], AbstractContextManager[Record]]
"""Opens the record of a trial, given its number and experiment."""


class _Pruned(Exception):
    """Ends a training early."""


@contextmanager
def opened(study: Study, panel: Panel) -> Iterator[None]:
    """Lock a study against other callers; inside, any number of processes may `attempt` trials.

    Trials that were running when an earlier caller died are tried again.

    Raises:
        ConfigError: If it is being tuned already, or was started with other data or another config.
    """
    study.storage.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(_beside(study, "open"), timeout=0):
            _begin(study, panel)
            yield
    except Timeout:
        raise ConfigError(
            f"study {study.name} is being tuned by another process; use --workers for several"
        ) from None


def attempt(study: Study, panel: Panel, record: Recorder) -> Trial | None:
    """Run the next trial; return None once trials or time are used up.

    Args:
        study: Must be `opened`, by this process or another.
        panel: The data.
        record: Opens the record of the trial.
    """
    stored = _load(study)
    trial = _claim(study, stored)
    if trial is None:
        return None
    try:
        return _try(study, panel, stored, trial, record)
    except Exception:
        stored.tell(trial, state=TrialState.FAIL)
        raise


def best(study: Study) -> Best:
    """Return the best trial.

    Raises:
        ConfigError: If none has ended.
    """
    trials = _load(study).get_trials(deepcopy=False)
    completed = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not completed:
        raise ConfigError(
            f"study {study.name} has no completed trial; give it more time or fewer steps"
        )
    first = min(completed, key=lambda trial: (trial.value, trial.number))
    pruned = sum(trial.state == TrialState.PRUNED for trial in trials)
    values = json.loads(first.user_attrs["values"])
    return Best(first.number, first.value or 0.0, values, len(completed), pruned)


def write_best(study: Study, experiment: ExperimentConfig, file: Path) -> ExperimentConfig:
    """Write the best trial as YAML that says only what differs from the defaults.

    Fields of network and training that the rules chose are written too: the tuned values belong to
    them. Members, split and season are left to the rules again.

    Args:
        experiment: With the fields that the user set.
        file: Replaced if it exists.
    """
    tuned = change(study.experiment, best(study).values).model_dump()
    tuned["training"]["members"] = experiment.training.members
    written = ExperimentConfig.model_validate(
        {**experiment.model_dump(), "network": tuned["network"], "training": tuned["training"]}
    )
    text = yaml.safe_dump(written.model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    with files.new_file(file) as beside:
        beside.write_text(text, encoding="utf-8")
    return written


def _begin(study: Study, panel: Panel) -> None:
    """Create the study or check that it is the same; enqueue what was left unfinished."""
    stored = optuna.create_study(
        study_name=study.name, storage=_storage(study), load_if_exists=True
    )
    identity = _identity(study, panel)
    known = stored.user_attrs.get("identity")
    if known is None:
        stored.set_user_attr("identity", identity)
        by_rules = study.space.find(study.experiment)
        if by_rules is not None:  # so that the best is never worse than the rules
            stored.enqueue_trial(by_rules)
    elif known != identity:
        raise ConfigError(
            f"study {study.name} was started with other data, another config or space; name a new"
            " one with --study"
        )
    for left in stored.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        stored.tell(left.number, state=TrialState.FAIL)
        if left.params:
            stored.enqueue_trial(left.params)


def _identity(study: Study, panel: Panel) -> str:
    parts = [study.experiment.model_dump_json(), study.space.model_dump_json(), panel.fingerprint()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _claim(study: Study, stored: optuna.Study) -> optuna.Trial | None:
    """Return a trial for this worker alone, or None if there is nothing left to do."""
    with FileLock(_beside(study, "claim"), timeout=BUSY):
        taken = stored.get_trials(deepcopy=False, states=TAKEN)
        if len(taken) >= study.trials or time.time() > study.deadline:
            return None
        number = len(stored.get_trials(deepcopy=False))
        stored.sampler = _sampler(study, number)
        trial = stored.ask()
        trial.set_user_attr("values", json.dumps(study.space.suggest(trial, study.experiment)))
        return trial


def _try(
    study: Study, panel: Panel, stored: optuna.Study, trial: optuna.Trial, record: Recorder
) -> Trial:
    """Train once; report to study and record how it ended."""
    values = json.loads(trial.user_attrs["values"])
    try:
        experiment = change(study.experiment, {**values, MEMBERS: 1})
    except ConfigError:  # they do not go together
        stored.tell(trial, state=TrialState.PRUNED)
        return Trial(trial.number, values, float("nan"), pruned=True)
    errors: list[float] = []
    with record(trial.number, experiment) as run:

        def report(progress: Progress) -> None:
            run.report("fit", progress)
            errors.append(progress.point.validation)
            trial.report(progress.point.validation, progress.point.step)
            if trial.should_prune() or _is_late(study, stored):
                raise _Pruned

        cut_short = _train(panel, experiment, report)
        error = min((error for error in errors if isfinite(error)), default=float("nan"))
        pruned = cut_short or not isfinite(error)
        if pruned:
            stored.tell(trial, state=TrialState.PRUNED)
        else:
            stored.tell(trial, error)
        ended = Trial(trial.number, values, error, pruned)
        run.conclude(ended)
    return ended


def _train(
    panel: Panel, experiment: ResolvedExperiment, report: Callable[[Progress], None]
) -> bool:
    """Train a single member; return whether it was cut short."""
    split = windows.split(panel, experiment.dataset.horizon, experiment.split)
    steps = experiment.training.max_steps
    try:
        task = Task(panel, split.train_ends, split.validation, steps)
        fitting.fit(task, experiment, report=report)
    except _Pruned:
        return True
    return False


def _is_late(study: Study, stored: optuna.Study) -> bool:
    """Return whether time is over; a study without a completed trial gets the time for one."""
    late = time.time() > study.deadline
    return late and bool(stored.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def _sampler(study: Study, number: int) -> BaseSampler:
    seed = 10_000 * study.experiment.training.seed + number
    if study.sampler == "cmaes":
        return CmaEsSampler(
            seed=seed,
            warn_independent_sampling=False,
            independent_sampler=TPESampler(seed=seed, n_startup_trials=STARTUP),
        )
    if study.sampler == "evolutionary":
        return NSGAIISampler(seed=seed, population_size=POPULATION)
    return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=False)


def _load(study: Study) -> optuna.Study:
    steps = study.experiment.training.max_steps
    pruner = optuna.pruners.MedianPruner(STARTUP, n_warmup_steps=int(WARMUP * steps))
    return optuna.load_study(study_name=study.name, storage=_storage(study), pruner=pruner)


def _storage(study: Study) -> optuna.storages.RDBStorage:
    return optuna.storages.RDBStorage(
        f"sqlite:///{study.storage.absolute().as_posix()}",
        engine_kwargs={"connect_args": {"timeout": BUSY}},
    )


def _beside(study: Study, purpose: str) -> Path:
    return study.storage.with_name(f".{study.storage.stem}-{study.name}.{purpose}.lock")
