"""What rules cannot tell, tried out: short trainings on the training span, judged on validation.

One field after the other is varied around what the rules chose, and a change must earn its place.
Nothing here sees the test span. The time that is left then decides how many members there are.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from foreseq.config import ExperimentConfig, settled
from foreseq.durable.resume_log import Journal
from foreseq.selection import rules
from foreseq.selection.rules import Choice, Facts
from foreseq.selection.space import change
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.training import workers
from foreseq.training.fitting import EARNED, ON, Pace, Task

LUCK = 0.1
"""Share of the best error so far by which a change must lower it on a single validation window; on
many, over the root of their number, but never less than what is `EARNED`."""
DOUBT = 0.3
"""The same, over the number of series, where made-up series are to be done without: windows of one
series err alike, and what they say in favour of learning from that series alone is mostly luck."""
LATE = 5.0
"""The same, over the root of a short training's steps: what made-up series teach comes later, and
counts for more when training is whole."""
HOPELESS = 1.25
"""Times the error to beat from which, without made-up series, no variation is tried any more."""
PROBE = (60, 1600)
"""Fewest and most steps of a short training: a quarter of the whole one between them."""
SHARE = 0.4
"""Share of the time that short trainings may take."""
PROBES = 8
"""Short trainings that this share should be enough for."""
LEAST_STEPS = 100
"""Steps that a training has, however short the time."""
PLANNED = 0.9
"""Share of the time left after all short trainings that is planned for: paces change."""


class Candidate(NamedTuple):
    """One short training."""

    field: str
    """What was varied; empty: nothing, as the rules have it."""
    value: Any
    error: float
    """Validation error: mean over series of the error over the seasonal-naive error."""
    seconds: float


STEPS, MEMBERS = "training.steps", "training.members"
UNCOMPILED = {"training.jit": False}
"""What a short training changes: to compile it takes longer than its steps gain."""
AS_RULED = Choice("", None, "before anything is varied")


class _Varied(NamedTuple):
    """How far varying one field after the other has come."""

    experiment: ExperimentConfig
    told: dict[str, Choice]
    error: float
    """Of the best short training; infinite before the first."""
    pace: Pace
    """Of an uncompiled training of what varying began with."""
    short: int
    """Steps of the short trainings."""
    ruled: Choice | None
    """The steps that the rules chose; None: the user did."""
    changed: bool = False
    """Whether the experiment is another than at the beginning."""


class _Ground(NamedTuple):
    """Where candidates are tried."""

    panel: Panel
    facts: Facts
    parts: windows.Split
    """What is learned from and what judges."""
    kept: Journal
    """What an earlier search tried, and this one."""
    report: Callable[[Candidate], None]
    """Told after each short training."""
    candidates: list[Candidate]
    """All that were tried."""

    def task(self, steps: int) -> Task:
        """Return what there is to learn from."""
        return Task(self.panel, self.parts.train_ends, self.parts.validation, steps)

    def pace(self, experiment: ExperimentConfig) -> Pace:
        """Measure how fast a training goes."""
        task = self.task(settled(experiment.training.steps))
        return Pace(**self.kept.once(lambda: workers.pace(task, experiment)._asdict()))

    def short_pace(self, experiment: ExperimentConfig) -> Pace:
        """Measure how fast a short training goes."""
        return self.pace(change(experiment, UNCOMPILED))

    def probe(self, experiment: ExperimentConfig, task: Task, varied: Choice) -> Candidate:
        """Try one out, or bring back what came of it."""
        candidate = Candidate(
            varied.field, varied.value, **self.kept.once(lambda: _probe(experiment, task))
        )
        self.candidates.append(candidate)
        self.report(candidate)
        return candidate


class Found(NamedTuple):
    """What the search brought."""

    experiment: ExperimentConfig
    choices: list[Choice]
    """Those of the rules, where a field was tried with what that showed."""
    candidates: list[Candidate]


def search(
    experiment: ExperimentConfig,
    choices: list[Choice],
    panel: Panel,
    *,
    journal: Journal | None = None,
    report: Callable[[Candidate], None] = lambda _: None,
) -> Found:
    """Try out the fields that the rules chose, within the time budget.

    Args:
        experiment: Settled by the rules.
        choices: What the rules chose; no other field is touched.
        panel: The data.
        journal: Keeps what was tried and decided, and brings back what an earlier search kept.
        report: Told after each short training.
    """
    budget = experiment.auto.time_budget
    if not budget or not choices:
        return Found(experiment, choices, [])
    kept = journal or Journal()
    parts = windows.split(panel, experiment.dataset.horizon, experiment.split)
    ground = _Ground(panel, rules.facts_of(experiment, panel), parts, kept, report, [])
    aided = any(choice.field == "training.synthetic" and choice.value for choice in choices)
    pace = ground.short_pace(experiment)
    affordable = _affordable(experiment, pace.step, budget - _limit(experiment))
    if aided and affordable < rules.TOO_FEW:
        aided, reason = False, rules.too_few(affordable)
        experiment, choices = rules.unaided(experiment, choices, panel, reason)
        pace = ground.short_pace(experiment)
    found = _unvaried(experiment, choices, pace)
    if (aided or _can_vary(ground, found)) and _has_time_for_two(ground, found):
        found = _vary(ground, found, AS_RULED)
        if aided:
            found = _rivalled(ground, found, *rules.unaided(experiment, choices, panel))
    return Found(*_within_time(ground, found), ground.candidates)


def _rivalled(
    ground: _Ground, found: _Varied, experiment: ExperimentConfig, choices: list[Choice]
) -> _Varied:
    """Return what was found, or what comes of doing without made-up series if that is better."""
    doubt = DOUBT / ground.panel.n_series + LATE / np.sqrt(found.short)
    to_beat = _to_beat(found.error, doubt)
    rival = _unvaried(experiment, choices, ground.short_pace(experiment))
    other = _vary(ground, rival, choices[0], worth=HOPELESS * to_beat)
    return other if other.error < to_beat else found


def _within_time(ground: _Ground, found: _Varied) -> tuple[ExperimentConfig, list[Choice]]:
    """Choose steps and members that the time left allows, of these what the user has not told."""
    experiment, told, kept = found.experiment, found.told, ground.kept
    if found.ruled or MEMBERS in told:
        anew = found.changed or settled(experiment.training.jit)
        pace = ground.pace(experiment) if anew else found.pace
        budget = experiment.auto.time_budget
        left = kept.once(lambda: {"left": budget - kept.elapsed})["left"]
        learning = max(0.0, left - pace.start - experiment.training.refit * pace.again)
        if found.ruled:
            planned = PLANNED * learning
            experiment, told[STEPS] = _steps(experiment, found.ruled, pace.step, planned)
        if MEMBERS in told:
            experiment, told[MEMBERS] = _members(experiment, pace.step, learning)
    return experiment, list(told.values())


def _unvaried(experiment: ExperimentConfig, choices: list[Choice], pace: Pace) -> _Varied:
    """Return where varying begins: with as many steps as short trainings leave time for.

    Args:
        experiment: With every choice settled.
        choices: What the rules chose in it.
        pace: Of a short training.
    """
    told = {choice.field: choice for choice in choices}
    limit, ruled = _limit(experiment), told.get(STEPS)
    if ruled:
        left = experiment.auto.time_budget - limit
        experiment, told[STEPS] = _steps(experiment, ruled, pace.step, left)
    affordable = int(limit / PROBES / pace.step)
    short = int(np.clip(min(settled(experiment.training.steps) // 4, affordable), *PROBE))
    return _Varied(experiment, told, np.inf, pace, short, ruled)


def _fields(begun: _Varied) -> list[str]:
    """Return what to vary of what the rules chose."""
    barred = FULL if settled(begun.experiment.training.synthetic) else ()
    return [field for field in ALTERNATIVES if field in begun.told and field not in barred]


def _can_vary(ground: _Ground, begun: _Varied) -> bool:
    """Tell whether there is anything to try."""
    tries = (ALTERNATIVES[field](ground.facts, begun.experiment) for field in _fields(begun))
    return any(True for values in tries for _ in values)


def _has_time_for_two(ground: _Ground, begun: _Varied) -> bool:
    """Tell whether one short training can be compared with another: alone it tells nothing."""
    return _goes_on(ground.kept, _limit(begun.experiment) - 2 * _takes(begun))


def _takes(begun: _Varied) -> float:
    """Return about how many seconds a short training takes."""
    return begun.pace.start + begun.short * begun.pace.step


def _vary(ground: _Ground, begun: _Varied, named: Choice, *, worth: float = np.inf) -> _Varied:
    """Vary one chosen field after the other, and keep what earns its place.

    Args:
        ground: Where they are tried.
        begun: What to begin with.
        named: What tells this beginning from the experiment as the rules have it.
        worth: Its error up to which anything is varied.
    """
    told, experiment = dict(begun.told), begun.experiment
    limit, short = _limit(experiment), ground.task(begun.short)
    luck = LUCK / np.sqrt(ground.parts.validation.count)
    best = ground.probe(experiment, short, named)
    for field in _fields(begun) if best.error <= worth else ():
        for value in ALTERNATIVES[field](ground.facts, experiment):
            if not _goes_on(ground.kept, limit - max(best.seconds, _takes(begun))):
                break
            tried = change(experiment, {field: value})
            candidate = ground.probe(tried, short, Choice(field, value, ""))
            if candidate.error < _to_beat(best.error, luck):
                reason = f"validation error {candidate.error:.4f}, before {best.error:.4f}"
                told[field] = Choice(field, value, reason)
                experiment, best = tried, candidate
    changed = experiment != begun.experiment
    return begun._replace(experiment=experiment, told=told, error=best.error, changed=changed)


def _limit(experiment: ExperimentConfig) -> float:
    """Return the seconds that short trainings may take."""
    return SHARE * experiment.auto.time_budget


def _to_beat(error: float, luck: float) -> float:
    """Return the error below which a change has earned its place."""
    return (1 - max(EARNED, luck)) * error


def _goes_on(journal: Journal, until: float) -> bool:
    """Tell whether there was time for one more training when it was first asked."""
    return bool(journal.once(lambda: {"goes on": journal.elapsed <= until})["goes on"])


def _shares(facts: Facts, experiment: ExperimentConfig) -> Iterator[float]:
    show_all = facts.are_long and facts.panel.n_series > rules.MANY_LONG
    barred = rules.barred(experiment.network.multivariate, experiment.training.steps)
    if facts.teach_enough and not show_all and not barred:
        yield rules.BESIDE


def _baselines(facts: Facts, experiment: ExperimentConfig) -> Iterator[tuple[int, ...]]:
    context = settled(experiment.network.context)
    lags, often = rules.cycles(facts, context), rules.repeats(facts, context)
    for value in dict.fromkeys([(1, *often), often, lags]):
        if value and value != experiment.network.baseline:
            yield value


def _logs(facts: Facts, experiment: ExperimentConfig) -> Iterator[bool]:
    if experiment.network.log or rules.are_positive(facts):
        yield not experiment.network.log


def _losses(facts: Facts, experiment: ExperimentConfig) -> Iterator[str]:
    if rules.are_positive(facts) and experiment.training.loss != "owa":
        yield "owa"


def _contexts(facts: Facts, experiment: ExperimentConfig) -> Iterator[int]:
    patch, context = settled(experiment.network.patch), settled(experiment.network.context)
    longest = max(settled(experiment.network.baseline), default=1)
    farther = (4 * context, 2 * context) if facts.panel.season == 1 else (2 * context,)
    for steps in (*farther, context // 2 // patch * patch):
        if max(longest, patch, 4) <= steps <= facts.typical:
            yield steps


def _directions(_: Facts, experiment: ExperimentConfig) -> Iterator[bool]:
    if experiment.training.mirror:
        yield False


ALTERNATIVES: dict[str, Callable[[Facts, ExperimentConfig], Iterator[Any]]] = {
    "training.synthetic": _shares,
    "training.mirror": _directions,
    "network.baseline": _baselines,
    "network.log": _logs,
    "training.loss": _losses,
    "network.context": _contexts,
}
"""By field, the values to try beside the one an experiment has."""
FULL = ("network.baseline", "network.context")
"""Fields not varied where the rules are those for made-up series: these learn from all lags and as
long a past as there are, and a few windows cannot tell better."""


def _trainings(experiment: ExperimentConfig) -> float:
    """Return how many times its steps each member learns, the refit included."""
    return 1 + ON if experiment.training.refit else 1.0


def _probe(experiment: ExperimentConfig, task: Task) -> dict[str, float]:
    """Train a member a worker for a few steps; the better of two looks is what each is worth."""
    members = settled(experiment.training.workers)
    short = {MEMBERS: members, "training.looks": 2, STEPS: task.steps}
    begun = time.monotonic()
    fitted = workers.fit(task, change(experiment, short | UNCOMPILED))
    error = np.mean([min(look.validation for look in member.looks) for member in fitted])
    return {"error": float(error), "seconds": time.monotonic() - begun}


def _affordable(experiment: ExperimentConfig, seconds: float, left: float) -> int:
    """Return how many steps each member has time for: a single one, or as many as the user said."""
    members, at_once = experiment.training.members, settled(experiment.training.workers)
    rounds = -(-settled(members) // at_once)
    return int(left / (seconds * _trainings(experiment) * rounds))


def _steps(
    experiment: ExperimentConfig, ruled: Choice, seconds: float, left: float
) -> tuple[ExperimentConfig, Choice]:
    """Return the experiment with the steps of the rules, or as many as there is time for."""
    affordable, choice = _affordable(experiment, seconds, left), ruled
    if affordable < ruled.value:
        reason = f"what the time budget allows, at {1000 * seconds:.0f} ms a step"
        choice = Choice(STEPS, max(affordable, LEAST_STEPS), reason)
    return change(experiment, {STEPS: choice.value}), choice


def _members(
    experiment: ExperimentConfig, seconds: float, left: float
) -> tuple[ExperimentConfig, Choice]:
    """Return the experiment with as many members as the time that is left allows."""
    whole = seconds * settled(experiment.training.steps) * _trainings(experiment)
    at_once = settled(experiment.training.workers)
    rounds = max(1, min(int(left / whole), rules.MOST_MEMBERS // at_once))
    members = at_once * rounds
    choice = Choice(MEMBERS, members, f"about {whole:.0f} s each, {left:.0f} s left")
    return change(experiment, {choice.field: members}), choice
