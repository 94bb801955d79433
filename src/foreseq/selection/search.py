"""Choices that rules cannot make: short trainings on the training span, compared on validation.

One field after the other is varied around what the rules chose, and a change must earn its place.
Nothing here sees the test windows. The remaining time then decides how many members there are.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from foreseq.config import Covariate, ResolvedExperiment, change
from foreseq.durable.resume import ResumeLog
from foreseq.selection import budget, rules, start
from foreseq.selection import facts as data
from foreseq.selection.budget import MAX_STEPS, MEMBERS
from foreseq.selection.facts import Facts
from foreseq.selection.rules import COVARIATES, Choice, Resolved, shown
from foreseq.training import pretrained, workers
from foreseq.training.fitting import Pace, Task
from foreseq.training.loop import MIN_GAIN

MIN_GAIN_ONE_WINDOW = 0.1
"""Share of the best error by which a change must lower it on a single validation window; on many,
divided by the root of their number, but never less than `MIN_GAIN` (auto_vs_classics.py)."""
MIN_GAIN_ONE_SERIES = 0.3
"""The same, divided by the number of series, for doing without synthetic series: windows of one
series err alike, so what they say for learning from that series alone is mostly noise."""
MIN_GAIN_ONE_STEP = 5.0
"""The same, divided by the root of a short training's steps: what synthetic series teach comes
later, and counts for more in a whole training."""
GIVE_UP_FACTOR = 1.25
"""Times the error to beat from which no variation of a rival is tried: without synthetic series, or
with other first weights."""
UNCOMPILED = {"training.jit": False}
"""What a short training changes: compiling takes longer than its steps gain."""


class Candidate(NamedTuple):
    """One short training."""

    field: str
    """What was varied; empty: nothing."""
    value: Any
    error: float
    """Validation error: mean over series of the error divided by the seasonal naive's."""
    seconds: float


class _State(NamedTuple):
    """How far the variation of one field after the other has come."""

    experiment: ResolvedExperiment
    choices: dict[str, Choice]
    error: float
    """Of the best short training; infinite before the first."""
    pace: Pace
    """Of an uncompiled training of the experiment that variation began with."""
    steps: int
    """Steps of each short training."""
    steps_by_rule: Choice | None
    """None: the user set them."""
    is_changed: bool = False


class _Context(NamedTuple):
    """Where candidates are tried, and who is notified."""

    facts: Facts
    log: ResumeLog
    report: Callable[[Candidate], None]
    candidates: list[Candidate]

    def task(self, experiment: ResolvedExperiment, steps: int) -> Task:
        """Return the data, the steps and the first weights of a training."""
        split = self.facts.split
        return Task(
            self.facts.panel,
            split.train_ends,
            split.validation,
            steps,
            pretrained.start(change(experiment, {MEMBERS: experiment.training.workers})),
        )

    def pace(self, experiment: ResolvedExperiment) -> Pace:
        """Measure how fast a training is."""
        steps = experiment.training.max_steps
        return Pace(
            **self.log.once(
                lambda: workers.pace(self.task(experiment, steps), experiment)._asdict()
            )
        )

    def short_pace(self, experiment: ResolvedExperiment) -> Pace:
        """Measure how fast a short training is."""
        return self.pace(change(experiment, UNCOMPILED))

    def train(self, experiment: ResolvedExperiment, steps: int, varied: Choice) -> Candidate:
        """Run a short training, or return what the log has of it."""
        result = self.log.once(lambda: _short_training(experiment, self.task(experiment, steps)))
        candidate = Candidate(varied.field, varied.value, **result)
        self.candidates.append(candidate)
        self.report(candidate)
        return candidate

    def has_time(self, deadline: float) -> bool:
        """Tell whether a time had not yet passed when this was first asked."""
        log = self.log
        return bool(log.once(lambda: {"has time": log.elapsed <= deadline})["has time"])


def search(
    resolved: Resolved, facts: Facts, log: ResumeLog, report: Callable[[Candidate], None]
) -> tuple[Resolved, list[Candidate]]:
    """Try alternatives to what the rules chose, within the time budget.

    Args:
        resolved: By the rules; only fields that they chose are varied.
        facts: Of the data.
        log: Keeps results and decisions, and returns those of an earlier search.
        report: Called after each short training.
    """
    seconds, training = resolved.experiment.auto.time_budget, resolved.experiment.training
    if not seconds or not resolved.choices or not training.max_steps:
        return resolved, []
    context = _Context(facts, log, report, [])
    limit = budget.for_search(resolved.experiment)
    if training.start == "pretrained" and any(one.field == start.START for one in resolved.choices):
        first, second = resolved, rules.with_random_start(resolved, facts)
        if resolved.experiment.network.covariates and facts.are_long and facts.teach_enough:
            # what many steps tell of covariates is learned best from several cutoffs at a time
            first = second
            if not _needs_covariates(facts, first.experiment):
                second = rules.without_covariates(resolved, facts)
        state = _search(context, first, limit / 2, is_compared=True)
        rival = _search(context, second, limit, worth=GIVE_UP_FACTOR * state.error)
        state = _better(context, state, rival)
    else:
        state = _search(context, resolved, limit)
    return _within_time(context, state), context.candidates


def _search(
    context: _Context,
    resolved: Resolved,
    limit: float,
    *,
    is_compared: bool = False,
    worth: float = np.inf,
) -> _State:
    """Vary what the rules chose, with and without synthetic series if they chose any.

    Args:
        context: Where candidates are tried.
        resolved: Where variation begins.
        limit: Seconds from which no further short training begins.
        is_compared: Whether the result is needed even if nothing can be varied.
        worth: Largest error of the unvaried candidate from which anything is varied.
    """
    facts, seconds = context.facts, resolved.experiment.auto.time_budget
    synthetic = any(choice.field == "training.synthetic" and choice.value for choice in resolved[1])
    pace = context.short_pace(resolved.experiment)
    left = seconds - budget.for_search(resolved.experiment)
    affordable = budget.affordable_steps(resolved.experiment, pace, left)
    if synthetic and affordable < rules.LEAST_SYNTHETIC_STEPS:
        synthetic, reason = False, rules.too_few_steps(affordable)
        resolved = rules.without_synthetic(resolved, facts, reason)
        pace = context.short_pace(resolved.experiment)
    state = _begin(resolved, pace)
    can_vary = is_compared or synthetic or _can_vary(context, state)
    if can_vary and _has_time_for_two(context, state, limit):
        state = _vary(context, state, Choice("", None, ""), limit, worth=worth)
        if synthetic and state.error <= worth:
            other = rules.without_synthetic(resolved, facts)
            state = _compare_without_synthetic(context, state, other, limit)
    return state


def _better(context: _Context, state: _State, other: _State) -> _State:
    """Return the better of two searches; the other one must earn its place."""
    min_gain = MIN_GAIN_ONE_WINDOW / np.sqrt(context.facts.split.validation.count)
    return other if other.error < _to_beat(state.error, min_gain) else state


def _compare_without_synthetic(
    context: _Context, state: _State, resolved: Resolved, limit: float
) -> _State:
    """Return the better of two searches, with and without synthetic series."""
    min_gain = MIN_GAIN_ONE_SERIES / context.facts.panel.n_series
    min_gain += MIN_GAIN_ONE_STEP / np.sqrt(state.steps)
    to_beat = _to_beat(state.error, min_gain)
    begin = _begin(resolved, context.short_pace(resolved.experiment))
    first = Choice("training.synthetic", 0.0, "")
    other = _vary(context, begin, first, limit, worth=GIVE_UP_FACTOR * to_beat)
    return other if other.error < to_beat else state


def _within_time(context: _Context, state: _State) -> Resolved:
    """Choose steps and members by the remaining time, unless the user set them."""
    experiment, choices, log = state.experiment, state.choices, context.log
    if state.steps_by_rule or MEMBERS in choices:
        must_measure = state.is_changed or experiment.training.jit
        pace = context.pace(experiment) if must_measure else state.pace
        seconds = experiment.auto.time_budget
        left = log.once(lambda: {"left": seconds - log.elapsed})["left"]
        learning = max(0.0, left - pace.start - experiment.training.refit * pace.again)
        if state.steps_by_rule:
            planned = budget.PLANNED * learning
            experiment, choices[MAX_STEPS] = budget.choose_steps(
                experiment, state.steps_by_rule, pace, planned
            )
        if MEMBERS in choices:
            experiment, choices[MEMBERS] = budget.choose_members(experiment, pace, learning)
    return Resolved(experiment, list(choices.values()))


def _begin(resolved: Resolved, pace: Pace) -> _State:
    """Return where variation begins: with as many steps as short trainings leave time for.

    Args:
        resolved: By the rules.
        pace: Of a short training.
    """
    experiment, choices = resolved.experiment, {choice.field: choice for choice in resolved.choices}
    by_rule = choices.get(MAX_STEPS)
    if by_rule:
        left = experiment.auto.time_budget - budget.for_search(experiment)
        experiment, choices[MAX_STEPS] = budget.choose_steps(experiment, by_rule, pace, left)
    steps = budget.short_steps(experiment, pace)
    return _State(experiment, choices, np.inf, pace, steps, by_rule)


def _fields(state: _State) -> list[str]:
    """Return the fields to vary among those that the rules chose."""
    training = state.experiment.training
    kept = KEPT if training.synthetic or training.start == "pretrained" else ()
    return [field for field in ALTERNATIVES if field in state.choices and field not in kept]


def _can_vary(context: _Context, state: _State) -> bool:
    alternatives = (ALTERNATIVES[name](context.facts, state.experiment) for name in _fields(state))
    return any(True for values in alternatives for _ in values)


def _has_time_for_two(context: _Context, state: _State, limit: float) -> bool:
    """Tell whether two short trainings fit: one alone has nothing to be compared with."""
    return context.has_time(limit - 2 * _seconds(state))


def _seconds(state: _State) -> float:
    """Return the expected seconds of a short training."""
    return state.pace.start + state.steps * state.pace.step


def _vary(
    context: _Context, state: _State, first: Choice, limit: float, *, worth: float = np.inf
) -> _State:
    """Vary one chosen field after the other, and keep what earns its place.

    Args:
        context: Where candidates are tried.
        state: Where variation begins.
        first: How the unvaried candidate is named.
        limit: Seconds from which no further short training begins.
        worth: Largest error of the unvaried candidate from which variation goes on.
    """
    choices, experiment = dict(state.choices), state.experiment
    min_gain = MIN_GAIN_ONE_WINDOW / np.sqrt(context.facts.split.validation.count)
    best = context.train(experiment, state.steps, first)
    for field in _fields(state) if best.error <= worth else ():
        for value in ALTERNATIVES[field](context.facts, experiment):
            if not context.has_time(limit - max(best.seconds, _seconds(state))):
                break
            varied = change(experiment, {field: value, **_follows(state, field, value)})
            candidate = context.train(varied, state.steps, Choice(field, shown(field, value), ""))
            to_beat = _to_beat(best.error, min_gain)
            if len(varied.network.covariates) < len(experiment.network.covariates):
                to_beat = best.error / (1 - MIN_GAIN)  # these must earn their place, not the lack
            if candidate.error < to_beat:
                reason = f"validation error {candidate.error:.4f}, before {best.error:.4f}"
                choices[field] = Choice(field, shown(field, value), reason)
                for name, with_it in _follows(state, field, value).items():
                    choices[name] = Choice(name, with_it, f"as {field}")
                experiment, best = varied, candidate
    is_changed = experiment != state.experiment
    return state._replace(
        experiment=experiment, choices=choices, error=best.error, is_changed=is_changed
    )


def _follows(state: _State, field: str, value: Any) -> dict[str, Any]:
    """Return what else is changed with a field: without covariates no window counts less."""
    half_life = "training.half_life"
    return (
        {half_life: 0} if field == COVARIATES and not value and half_life in state.choices else {}
    )


def _to_beat(error: float, min_gain: float) -> float:
    """Return the error below which a change has earned its place."""
    return (1 - max(MIN_GAIN, min_gain)) * error


def _short_training(experiment: ResolvedExperiment, task: Task) -> dict[str, float]:
    """Train a member per worker for a few steps; the better of two validations counts."""
    members = experiment.training.workers
    short = {MEMBERS: members, "training.validations": 2, MAX_STEPS: task.steps}
    begin = time.monotonic()
    fitted = workers.fit(task, change(experiment, short | UNCOMPILED))
    error = np.mean([min(point.validation for point in member.curve) for member in fitted])
    return {"error": float(error), "seconds": time.monotonic() - begin}


def _synthetic_shares(facts: Facts, experiment: ResolvedExperiment) -> Iterator[float]:
    many_long = facts.are_long and facts.panel.n_series > rules.MANY_LONG
    names, steps = experiment.network.multivariate, experiment.training.max_steps
    disallowed = rules.synthetic_disallowed(names, steps)
    if facts.teach_enough and not many_long and not disallowed:
        yield rules.SEARCHED_SHARE


def _naive_lags(facts: Facts, experiment: ResolvedExperiment) -> Iterator[tuple[int, ...]]:
    context = experiment.network.context
    once, repeated = data.cycles(facts, context), data.repeated_cycles(facts, context)
    for lags in dict.fromkeys([(1, *repeated), repeated, once]):
        if lags and lags != experiment.network.naive_lags:
            yield lags


def _logs(facts: Facts, experiment: ResolvedExperiment) -> Iterator[bool]:
    if experiment.network.log or data.are_positive(facts):
        yield not experiment.network.log


def _losses(facts: Facts, experiment: ResolvedExperiment) -> Iterator[str]:
    if data.are_positive(facts) and experiment.training.loss != "owa":
        yield "owa"


def _contexts(facts: Facts, experiment: ResolvedExperiment) -> Iterator[int]:
    patch, context = experiment.network.patch, experiment.network.context
    longest = max(experiment.network.naive_lags, default=1)
    farther = (4 * context, 2 * context) if facts.panel.season == 1 else (2 * context,)
    for steps in (*farther, context // 2 // patch * patch):
        if max(longest, patch, 4) <= steps <= facts.typical:
            yield steps


def _sign_flips(_: Facts, experiment: ResolvedExperiment) -> Iterator[bool]:
    if experiment.training.sign_flip:
        yield False


def _covariates(facts: Facts, experiment: ResolvedExperiment) -> Iterator[tuple[Covariate, ...]]:
    """Yield none, and where there are several roles, all but those of one role."""
    reads = experiment.network.covariates
    if _needs_covariates(facts, experiment):
        return
    roles = sorted({column.role for column in reads})
    if reads:
        yield ()
    for role in roles if len(roles) > 1 else ():
        yield tuple(column for column in reads if column.role != role)


def _scales(facts: Facts, experiment: ResolvedExperiment) -> Iterator[str]:
    network = experiment.network
    if network.covariates and network.fixed_scale and facts.are_long:
        yield "alternating"


def _half_lives(_: Facts, experiment: ResolvedExperiment) -> Iterator[int]:
    if experiment.training.half_life:
        yield 0


def _needs_covariates(facts: Facts, experiment: ResolvedExperiment) -> bool:
    """Tell whether some series have no y, and are forecast from covariates alone."""
    return experiment.network.starts_cold and data.some_are_empty(facts)


ALTERNATIVES: dict[str, Callable[[Facts, ResolvedExperiment], Iterator[Any]]] = {
    COVARIATES: _covariates,
    "network.scale": _scales,
    "training.half_life": _half_lives,
    "training.synthetic": _synthetic_shares,
    "training.sign_flip": _sign_flips,
    "network.naive_lags": _naive_lags,
    "network.log": _logs,
    "training.loss": _losses,
    "network.context": _contexts,
}
"""By field, the values to try beside the one an experiment has."""
KEPT = ("network.naive_lags", "network.context", "network.scale")
"""Fields not varied with synthetic series: these learn from all lags and as long a past as there
is, and a few windows cannot tell better; each has a scale of its own. A pretrained network
determines them."""
