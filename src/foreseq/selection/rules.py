"""Rules that choose what a user leaves open: each returns a value and the reason.

Values that were tuned name the benchmark behind them; all were compared on validation windows.
One of the longer modules: a list of small rules, in the order in which they are applied.
"""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from foreseq.config import (
    FIXED_SCALES,
    ExperimentConfig,
    OutputDomain,
    ResolvedExperiment,
    whole_patches,
)
from foreseq.config.fields import get, put
from foreseq.network.cells import has_gpu
from foreseq.selection import covariate_rules, start
from foreseq.selection import facts as data
from foreseq.selection.facts import Facts
from foreseq.selection.start import Fields
from foreseq.series import calendar, covariates, multivariate, windows
from foreseq.training import workers

LONGEST_PATCH = 48
"""Steps beyond which one recurrent step takes in too much at once (auto_vs_classics.py)."""
LONGEST_CYCLE = 200
"""Steps of the longest cycle of which the context holds two."""
NO_SEASON_CONTEXT = 60
"""Steps of context where no season is known (competitions.py)."""
MANY_SEASONS, FARTHEST, FEW_SEASONS = 10, 240, 3
"""Seasons in the context, as long as they are no more than so many steps; else three
(competitions.py)."""
GROWS = 0.5
"""Exponent of `swing ~ level ** p` from which the logarithm evens out more than it distorts."""
SOME_ZEROS = 0.01
"""Share of zeros from which whole numbers are counts."""
DOMAINS: dict[OutputDomain, str] = {
    "integer": "the others positive integers",
    "nonnegative": "none is negative",
}
"""Output domains, the narrowest first, and the evidence for each."""
CALENDAR_YEARS = 3
"""Years of history from which calendar effects can be learned."""
SEARCHED_SHARE, MANY_LONG = 0.5, 100
"""Share of synthetic series that the search tries beside data that teach enough, and number of long
series from which it does not (auto_vs_classics.py)."""
SYNTHETIC_STEPS = 18_000
"""Steps with synthetic series: one network trained for long is better than several that are not
(competitions.py at 9293133)."""
SYNTHETIC_BATCH = 128
"""Batch size with synthetic series: a smaller batch would hardly hold a real one."""
BATCH, CUTOFFS = 32, 8
"""Batch size without synthetic series, and cutoffs per window: many small steps beat few large ones
in the same time, and a pass over the past costs as much for one cutoff (peers.py)."""
LEAST_SYNTHETIC_STEPS = 250
"""With fewer steps, synthetic series teach less than the data (competitions.py, 20 s)."""
EPOCHS = 10
"""Times that training may meet an observation before it memorises it (competitions.py)."""
WITH_COVARIATES = 0.5
"""Share of synthetic series, which have none, where there are covariates to learn from."""
LEAST_SHARE, LARGEST_SHARE = 0.8, 0.99
"""Bounds of the share of synthetic series, if there are any (competitions.py)."""
MOST_MEMBERS = 6
"""Members beyond which the ensemble hardly changes (m4-hourly.yaml)."""
LONG_BUDGET, MANY_STEPS = 180.0, 1000
"""Seconds and steps from which compiling and worker processes pay off (overhead.py)."""
TIME_TO_TRAIN = 30.0
"""Seconds below which a pretrained network is taken as it is: compiling takes half of them."""
MOST_COPIED = 20_000_000
"""Most steps of the data of which each worker gets a copy (memory.py)."""

COVARIATES = "network.covariates"
Rule = Callable[[Facts, Fields], tuple[Any, str]]
"""Returns a value and the reason."""


class Choice(NamedTuple):
    """One field that was chosen, and why."""

    field: str
    value: Any
    reason: str


class Resolved(NamedTuple):
    """An experiment with nothing open, and what was chosen in it."""

    experiment: ResolvedExperiment
    choices: list[Choice]


def resolve(experiment: ExperimentConfig, facts: Facts) -> Resolved:
    """Choose every field left open.

    Raises:
        ConfigError: If `network.multivariate` does not list the series of the data, or
            `dataset.covariates` names columns that they lack.
        DataRefused: If series that are read together do not end together.
    """
    fields = experiment.model_dump()
    panel = facts.panel
    fields["dataset"]["freq"] = panel.freq
    covariate_rules.check(experiment.dataset, panel)
    fields["dataset"]["covariates"] = covariates.roles(panel.covariates)
    if panel.covariates is None:  # nothing to choose from
        fields["network"]["covariates"] = ()
    names = fields["network"]["multivariate"]
    if names:
        fields["network"]["multivariate"] = multivariate.series_names(panel, names)
    chosen = start.choose(fields, fields["dataset"]["season"] or panel.season)
    choices = [Choice(*each) for each in chosen]
    for name, (rule, with_synthetic) in RULES.items():  # `training.synthetic` tells which applies
        if get(fields, name) is None:
            synthetic = fields["training"]["synthetic"]
            value, reason = (with_synthetic if synthetic else rule)(facts, fields)
            put(fields, name, value)
            choices.append(Choice(name, shown(name, value), reason))
    return Resolved(ResolvedExperiment.model_validate(fields), choices)


def shown(field: str, value: Any) -> Any:
    """Return a value as it is shown: of covariates, their names."""
    return tuple(one.name for one in value) if field == COVARIATES else value


def with_random_start(resolved: Resolved, facts: Facts) -> Resolved:
    """Return the same experiment resolved with random first weights; what the user set stays."""
    return _again(resolved, facts, Choice(start.START, "random", "the data teach more"))


def without_covariates(resolved: Resolved, facts: Facts) -> Resolved:
    """Return the same experiment resolved for y alone; what the user set stays."""
    if COVARIATES not in {choice.field for choice in resolved.choices}:
        return resolved
    return _again(resolved, facts, Choice(COVARIATES, (), "covariates do not lower the error"))


def without_synthetic(
    resolved: Resolved, facts: Facts, reason: str = "the data teach more"
) -> Resolved:
    """Return the same experiment resolved without synthetic series; what the user set stays."""
    return _again(resolved, facts, Choice("training.synthetic", 0.0, reason))


def _again(resolved: Resolved, facts: Facts, first: Choice) -> Resolved:
    """Return the same experiment resolved anew, with one choice made first."""
    fields = resolved.experiment.model_dump()
    for choice in resolved.choices:
        put(fields, choice.field, start.OPEN.get(choice.field))
    made = [*(choice for choice in resolved.choices if choice.field == start.START), first]
    for choice in made:
        put(fields, choice.field, choice.value)
    again = resolve(ExperimentConfig.model_validate(fields), facts)
    return Resolved(
        again.experiment, [*{choice.field: choice for choice in made}.values(), *again.choices]
    )


def too_few_steps(steps: int) -> str:
    """Return why a training of so few steps does without synthetic series."""
    return f"{steps} steps are too few to learn from synthetic series"


def synthetic_disallowed(names: object, steps: int | None) -> str:
    """Return why there can be no synthetic series; empty if there can.

    Args:
        names: Series that are read together, if any are.
        steps: Of the training; None: not known yet.
    """
    if names:
        return "synthetic series are univariate"
    too_few = steps is not None and steps < LEAST_SYNTHETIC_STEPS
    return too_few_steps(steps or 0) if too_few else ""


def _season(facts: Facts, _: Fields) -> tuple[int, str]:
    if facts.panel.season == 1:
        return 1, "nothing repeats in the training span"
    return facts.panel.season, "what repeats in the training span"


def _synthetic(facts: Facts, fields: Fields) -> tuple[float, str]:
    count, training = facts.observations, fields["training"]
    reason = synthetic_disallowed(fields["network"]["multivariate"], training["max_steps"])
    if reason:
        return 0.0, reason
    if fields["network"]["scale"] in FIXED_SCALES:
        return 0.0, "synthetic series are on scales of their own"
    if facts.teach_enough:
        kind = "of long series" if facts.are_long else f"at over {data.MONTHLY} steps a year"
        return 0.0, f"{count} observations {kind} are enough to learn from"
    if fields["network"]["covariates"]:
        return WITH_COVARIATES, f"{count} observations are few, but they alone have covariates"
    windows_read = SYNTHETIC_STEPS * (training["batch_size"] or SYNTHETIC_BATCH)
    share = min(max(1 - EPOCHS * count / windows_read, LEAST_SHARE), LARGEST_SHARE)
    return round(share, 2), f"{count} observations are too few to learn from alone"


def _sign_flip(facts: Facts, fields: Fields) -> tuple[bool, str]:
    if fields["network"]["covariates"]:
        return False, "covariates tell up from down"
    if facts.panel.season > 1:
        return False, "with a season, up and down differ"
    return True, "without a season, up and down are alike"


def _learning_rate(_: Facts, fields: Fields) -> tuple[float, str]:
    if fields["network"]["covariates"] and get(fields, start.START) == "pretrained":
        return 3e-3, "pretrained weights know nothing of covariates yet"
    return 1e-3, "the data alone are learned slowly"


def _cutoffs(_: Facts, fields: Fields) -> tuple[int, str]:
    if fields["network"]["decoder"] == "direct":
        return CUTOFFS, "one pass over the past serves several"
    return 1, "the decoder would have to run from each cutoff"


def _segment(_: Facts, fields: Fields) -> tuple[str, str]:
    cutoffs = fields["training"]["cutoffs_per_window"] or 1
    if cutoffs > 1 and fields["network"]["cells"]["kind"] == "lstm":
        return "direct", "several cutoffs share a pass"
    return "segment", "best for series like the synthetic ones"


def _test_windows(facts: Facts, _: Fields) -> tuple[int, str]:
    count, most = facts.split.test_span.cutoffs, "at most half of a typical history"
    return count, f"the gate needs several times to tell skill from luck; {most}"


def _stride(facts: Facts, _: Fields) -> tuple[int, str]:
    return facts.split.test_span.stride, "the horizon: no step is tested twice"


def _validation_stride(facts: Facts, _: Fields) -> tuple[int, str]:
    stride = facts.split.validation_span.stride
    if stride == facts.horizon:
        return stride, "the horizon: windows need not overlap"
    return stride, "a quarter of the horizon"


def _validation_windows(facts: Facts, _: Fields) -> tuple[int, str]:
    share = "a fifth (two horizons: a third) of a typical history"
    reason = f"{windows.VALIDATION_CUTOFFS} cutoffs, {windows.VALIDATION_WINDOWS} windows, {share}"
    return facts.split.validation_span.cutoffs, reason


def _patch(facts: Facts, fields: Fields) -> tuple[int, str]:
    season, context = facts.panel.season, fields["network"]["context"]
    if context is not None:
        best = max(n for n in range(1, min(context, max(season, 8)) + 1) if context % n == 0)
        return best, f"the longest that divides the context of {context} steps"
    if season == 1:
        return min(4, facts.horizon), "no season to fold"
    if season <= LONGEST_PATCH:
        return season, "one season"
    most = min(LONGEST_PATCH, season // 4)
    divisors = [n for n in range(season // 16, most + 1) if n > 1 and season % n == 0]
    if divisors:
        return max(divisors), f"divides the season of {season}"
    return min(LONGEST_PATCH, season // 13), f"about a thirteenth of the season of {season}"


def _context(facts: Facts, fields: Fields) -> tuple[int, str]:
    typical = facts.typical
    if facts.panel.season == 1:
        far = min(NO_SEASON_CONTEXT, typical // 4)
        reason = f"up to {NO_SEASON_CONTEXT} steps where no season is known"
    else:
        far, reason = _seasons(facts, typical // 3, "a third of a typical history")
    # beyond, training windows would be padded where those to forecast are not
    return _reach(facts, fields, far, reason, typical - facts.horizon)


def _longer_context(facts: Facts, fields: Fields) -> tuple[int, str]:
    if facts.panel.season == 1:
        far, reason = NO_SEASON_CONTEXT, f"{NO_SEASON_CONTEXT} steps where no season is known"
    else:
        far, reason = _seasons(facts, FARTHEST, f"{FARTHEST} steps")
    # synthetic series are as long as need be, and as padded as those that are forecast
    room = int(np.quantile(facts.panel.lengths, data.NEARLY_ALL))
    return _reach(facts, fields, far, reason, room)


def _seasons(facts: Facts, most: int, name: str) -> tuple[int, str]:
    season = facts.panel.season
    far = max(FEW_SEASONS * season, min(MANY_SEASONS * season, FARTHEST, most))
    return far, f"{FEW_SEASONS} seasons, up to {MANY_SEASONS} within {name}"


def _reach(facts: Facts, fields: Fields, far: int, reason: str, room: int) -> tuple[int, str]:
    """Return a context of `far` steps that also holds two cycles and two horizons, if they fit."""
    patch, season = fields["network"]["patch"], facts.panel.season
    longest = min(facts.typical // 4, LONGEST_CYCLE)
    cycle = max([season, *(n for n in calendar.seasons(facts.panel.freq) if n <= longest)])
    wanted = max(2 * cycle, far, 2 * facts.horizon, 4 * patch)
    if wanted > room:
        wanted, reason = max(room, patch), f"histories leave room for {room} steps"
    else:
        reason = f"two of the longest cycle, {reason}, twice the horizon"
    return whole_patches(wanted, patch), reason


def _log(facts: Facts, _: Fields) -> tuple[bool, str]:
    if not data.are_positive(facts):
        return False, "some values are not positive"
    exponent = data.growth_of_swings(facts)
    if exponent > GROWS:
        return True, f"swings grow with the level (exponent {exponent:.2f})"
    return False, f"swings hardly grow with the level (exponent {exponent:.2f})"


def _output_domain(facts: Facts, _: Fields) -> tuple[OutputDomain, str]:
    zeros = data.share_of_zeros(facts)
    if zeros < SOME_ZEROS:
        if data.nearly_all_in(facts, "nonnegative"):
            return "nonnegative", "no value is negative"
        return "real", "some values are negative"
    for domain, reason in DOMAINS.items():
        if data.nearly_all_in(facts, domain):
            return domain, f"{zeros:.0%} of the values are zero, {reason}"
    return "real", "some values are negative"


def _naive_lags(facts: Facts, fields: Fields) -> tuple[tuple[int, ...], str]:
    lags = data.repeated_cycles(facts, fields["network"]["context"])
    if not lags:
        return (1,), "no season fits into the context"
    return (1, *lags), "the newest value and the seasons before it"


def _shrunken_trend(facts: Facts, _: Fields) -> tuple[bool, str]:
    if facts.panel.season > 1:
        return False, "a season hides the trend of the last steps"
    return True, "without a season, a significant trend goes on"


def _recent(facts: Facts, fields: Fields) -> tuple[int, str]:
    return _newest(facts, fields, 2 * facts.panel.season), "two seasons"


def _shorter_recent(facts: Facts, fields: Fields) -> tuple[int, str]:
    return _newest(facts, fields, facts.panel.season), "one season"


def _newest(facts: Facts, fields: Fields, wanted: int) -> int:
    context: int = fields["network"]["context"]
    return min(context, max(wanted, min(facts.horizon, 16)), 96)


def _calendar(facts: Facts, _: Fields) -> tuple[bool, str]:
    if not calendar.feature_names(facts.panel.freq):
        return False, "the frequency has no calendar"
    needed = CALENDAR_YEARS * calendar.steps_per_year(facts.panel.freq)
    if facts.typical >= needed:
        return True, f"{CALENDAR_YEARS} years to learn the calendar from"
    return False, f"a typical history of {facts.typical} steps is less than {CALENDAR_YEARS} years"


def _if_there_is_time(rule: Rule) -> Rule:
    """Return a rule for the steps that is zero where there is time for the first weights only."""

    def steps(facts: Facts, fields: Fields) -> tuple[Any, str]:
        hurried = 0 < fields["auto"]["time_budget"] < TIME_TO_TRAIN
        if fields["network"]["covariates"]:
            hurried = False  # what they tell has to be learned
        if hurried and get(fields, start.START) == "pretrained":
            return 0, "no time for more than the pretrained network"
        return rule(facts, fields)

    return steps


def _max_steps(facts: Facts, _: Fields) -> tuple[int, str]:
    points = max(facts.observations, 1000)
    return int(min(600 * (points / 1000) ** 0.45, 12_000)), f"{points} observations to learn from"


def _workers(facts: Facts, fields: Fields) -> tuple[int, str]:
    members, most = fields["training"]["members"], workers.max_workers()
    if members == 1:
        return 1, "a single member"
    if most == 1:
        return 1, "a single core, or one GPU for all"
    if _is_short(fields):
        return 1, "done sooner than processes are started"
    if len(facts.panel.values) > MOST_COPIED:
        return 1, "the data are too large to copy to every process"
    return min(most, members or MOST_MEMBERS), "one for each core"


def _jit(_: Facts, fields: Fields) -> tuple[bool, str]:
    if sys.platform != "linux" or has_gpu():
        return False, "measured on Linux's CPUs only"
    if _is_short(fields):
        return False, "done sooner than it is compiled"
    return True, "steps take two thirds of the time once they are compiled"


def _is_short(fields: Fields) -> bool:
    """Tell whether training is too short for preparations to pay off."""
    steps, budget = fields["training"]["max_steps"], fields["auto"]["time_budget"]
    return (steps or MANY_STEPS) < MANY_STEPS or budget < LONG_BUDGET


def _always(value: Any, reason: str) -> Rule:
    return lambda _facts, _fields: (value, reason)


def _both(rule: Rule) -> tuple[Rule, Rule]:
    return rule, rule


RULES: dict[str, tuple[Rule, Rule]] = {
    COVARIATES: _both(covariate_rules.reads),
    "training.synthetic": _both(_synthetic),
    "network.cells.units": (
        _always((128, 128), "enough for long series"),
        _always((64, 64), "two small layers learn faster from synthetic series"),
    ),
    "network.decoder": (_always("direct", "the whole horizon at once"), _segment),
    "training.batch_size": (
        _always(BATCH, "many small steps beat few large ones"),
        _always(SYNTHETIC_BATCH, "large enough to hold some real series"),
    ),
    "training.cutoffs_per_window": (
        _cutoffs,
        _always(1, "synthetic windows are never scarce"),
    ),
    "training.half_life": _both(covariate_rules.half_life),
    "training.sign_flip": (_sign_flip, _always(False, "synthetic series resemble the data")),
    "training.learning_rate": (
        _learning_rate,
        _always(6e-3, "synthetic series are too many to memorise"),
    ),
    "split.test_windows": _both(_test_windows),
    "split.stride": _both(_stride),
    "split.validation_stride": _both(_validation_stride),
    "split.validation_windows": _both(_validation_windows),
    "network.patch": _both(_patch),
    "network.context": (_context, _longer_context),
    "network.log": _both(_log),
    "network.output_domain": _both(_output_domain),
    "network.cold_start": _both(covariate_rules.cold_start),
    "network.fixed_scale": _both(covariate_rules.fixed_scale),
    "network.scale": _both(_always("mean", "each window by the mean of its newest season")),
    "network.naive_lags": _both(_naive_lags),
    "network.level_adjustment": (
        _always("learned", "the data tell how far levels move on"),
        _always(True, "earlier seasons count as much once they are at the newest level"),
    ),
    "network.shrunken_trend": (
        _shrunken_trend,
        _always(False, "synthetic series show how trends go on"),
    ),
    "network.recent_inputs": (_recent, _shorter_recent),
    "network.calendar": _both(_calendar),
    "training.loss": _both(_always("mase", "the measure of the test")),
    "training.max_steps": (
        _if_there_is_time(_max_steps),
        _if_there_is_time(_always(SYNTHETIC_STEPS, "usual with synthetic series")),
    ),
    "training.jit": _both(_jit),
    "training.workers": _both(_workers),
    "training.members": _both(_always(1, "no time was given for more")),
    "dataset.season": _both(_season),
}
"""By field, without and with synthetic series, in the order in which they build on each other."""
