"""What a user leaves open, chosen from the data by rules that can be read."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import ExperimentConfig, Support
from foreseq.network import output_domain
from foreseq.network.cells import has_gpu
from foreseq.selection import space
from foreseq.series import calendar, multivariate, windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Span
from foreseq.training import workers

PROBED = 2000
"""Series a rule looks at: more cost time and hardly change a median."""

LONGEST_PATCH = 48
"""Steps beyond which one recurrent step takes in too much at once."""
LONGEST_CYCLE = 200
"""Steps of the longest cycle that the context is made to hold twice."""
FAR = 60
"""Steps that are read where no season tells how many are worth it."""
MANY_SEASONS, FARTHEST, FEW_SEASONS = 10, 240, 3
"""Seasons that are read, within so many steps; of longer ones, three."""
MOST_REPEATS = 10
"""Times that the longest cycle is looked back."""
GROWS = 0.5
"""Exponent of `swing ~ level ** p` from which the logarithm evens out more than it distorts."""
FEW_BLOCKS, LITTLE_CHANGE = 4, 0.2
"""Fewer blocks, or less change of their log level, cannot tell that exponent."""
NEARLY_ALL = 0.9
"""Share of the series that are read whole beside made-up ones, and that tell what all can be."""
SOME_ZEROS = 0.01
"""Share of values at zero from which that is where they end, not where they happen to pass."""
KINDS: dict[Support, str] = {
    "counts": "the others whole and above",
    "nonnegative": "none is below",
}
"""Supports other than all numbers, the narrowest first, and what tells of them."""
YEARS = 3
"""Years of history from which the calendar can be learned."""
LONG, ENOUGH = 500, 10_000
"""Steps of a typical series, and observations in all, from which they teach more than made-up ones:
of long series each has its own ways, of short ones even many have not shown theirs."""
SLOW, SHARED = 12, 5_000
"""Steps a year beyond which so many observations do of short series as well: days and weeks keep
customs that all of a panel share and that made-up series do not know. Of months and years, trends
and seasons are most of what there is to learn."""
BESIDE, MANY_LONG = 0.5, 100
"""Share of made-up series that the search tries beside those that teach enough, and how many long
ones show for themselves what such series may do."""
LESSONS = 18_000
"""Steps that it takes to learn from made-up series: one network of many is better than several of
few, which all have yet to learn the same."""
AMONG = 128
"""Windows in a batch of these: so few are real that a small one would hardly hold any."""
BATCH, CUTOFFS = 32, 8
"""Windows in a batch where they are real, and cutoffs of each: many small steps go further than few
large ones in the same time, and a pass over the past costs as much for one cutoff."""
TOO_FEW = 250
"""Steps that teach more of the series themselves."""
EPOCHS = 10
"""Times that these steps may meet an observation: oftener, it is learned by heart."""
LEAST_SHARE, MOSTLY = 0.8, 0.99
"""Least and most share of made-up series, if there are any: many short series teach as well beside
few of them as beside many."""
MOST_MEMBERS = 6
"""Members beyond which the median hardly moves."""
STARTED, MANY_STEPS = 180.0, 1000
"""Seconds of time, and steps, from which it is worth to compile and to start processes."""
MOST_COPIED = 20_000_000
"""Most steps of all series together of which every process has a copy."""

Told = dict[str, Any]
"""An experiment as its fields and values, some still None."""
Rule = Callable[["Facts", Told], tuple[Any, str]]
"""Returns a value and the reason."""


class Choice(NamedTuple):
    """One field that was chosen, and why."""

    field: str
    value: Any
    reason: str


class Facts(NamedTuple):
    """What the rules go by; nothing of the test span."""

    panel: Panel
    ends: NDArray[np.int64]
    """Steps of each series that are trained on, shape (n_series,)."""
    before_test: NDArray[np.int64]
    """Steps of each series that train or validate, shape (n_series,)."""
    horizon: int
    test: Span
    validation: Span

    @property
    def typical(self) -> int:
        """Steps in the median series that is long enough to train on."""
        return windows.typical(self.ends, self.horizon)

    @property
    def are_long(self) -> bool:
        """Whether the typical series has ways of its own to show."""
        return self.typical > LONG

    @property
    def teach_enough(self) -> bool:
        """Whether the series can do without made-up ones."""
        count = int(self.ends.sum())
        if self.are_long:
            return count > ENOUGH
        return calendar.steps_per_year(self.panel.freq) > SLOW and count > SHARED

    @property
    def is_taught(self) -> NDArray[np.bool_]:
        """Which series are long enough to train on, shape (n_series,)."""
        return self.ends >= windows.LEAST_PAST + self.horizon


def settle(experiment: ExperimentConfig, panel: Panel) -> tuple[ExperimentConfig, list[Choice]]:
    """Fill in every field left open.

    Returns:
        The experiment with nothing open, and what was chosen.

    Raises:
        SeriesTooShort: If no series has a window to train, validate and test on.
        ConfigError: If the series that are to be read together are not those of the data.
        DataRefused: If they do not end together.
    """
    facts = facts_of(experiment, panel)
    told = experiment.model_dump()
    told["dataset"] |= {"freq": panel.freq, "season": panel.season}
    choices = []
    if told["network"]["multivariate"]:
        told["network"]["multivariate"] = multivariate.listed(
            panel, told["network"]["multivariate"]
        )
    for field in RULES:  # the first tells which rules the others follow
        if space.get(told, field) is None:
            rules = AIDED if told["training"]["synthetic"] else RULES
            value, reason = rules[field](facts, told)
            space.put(told, field, value)
            choices.append(Choice(field, value, reason))
    return ExperimentConfig.model_validate(told), choices


def unaided(
    experiment: ExperimentConfig,
    choices: list[Choice],
    panel: Panel,
    reason: str = "the series themselves teach more",
) -> tuple[ExperimentConfig, list[Choice]]:
    """Settle the same experiment without made-up series; what the user said stays."""
    told = experiment.model_dump()
    for choice in choices:
        space.put(told, choice.field, None)
    space.put(told, "training.synthetic", 0.0)
    settled, others = settle(ExperimentConfig.model_validate(told), panel)
    return settled, [Choice("training.synthetic", 0.0, reason), *others]


def too_few(steps: int) -> str:
    """Return why so few steps do without made-up series."""
    return f"{steps} steps are too few to learn from made-up series"


def barred(multivariate: object, steps: int | None) -> str:
    """Return why there can be no made-up series; empty where there can.

    Args:
        multivariate: Series that are read together, if any are.
        steps: Of the training; None: not known yet.
    """
    if multivariate:
        return "made-up series do not belong together"
    return too_few(steps) if steps is not None and steps < TOO_FEW else ""


def facts_of(experiment: ExperimentConfig, panel: Panel) -> Facts:
    """Return what the rules go by."""
    horizon, plan = experiment.dataset.horizon, experiment.split
    parts, spans = windows.split(panel, horizon, plan), windows.spans(panel, horizon, plan)
    return Facts(panel, parts.train_ends, parts.validation_ends, horizon, *spans)


def _synthetic(facts: Facts, told: Told) -> tuple[float, str]:
    count = int(facts.ends.sum())
    if reason := barred(told["network"]["multivariate"], told["training"]["steps"]):
        return 0.0, reason
    if facts.teach_enough:
        kind = "of long series" if facts.are_long else f"at over {SLOW} a year"
        return 0.0, f"{count} observations {kind} are enough to learn from"
    windows_read = LESSONS * (told["training"]["batch"] or AMONG)
    share = 1 - EPOCHS * count / windows_read
    reason = f"{count} observations do not show all that such series may do"
    return round(min(max(share, LEAST_SHARE), MOSTLY), 2), reason


def _mirror(facts: Facts, _: Told) -> tuple[bool, str]:
    if facts.panel.season > 1:
        return False, "a season has its own up and down"
    return True, "without a season, up and down are alike unless windows tell otherwise"


def _cutoffs(_: Facts, told: Told) -> tuple[int, str]:
    if told["network"]["decoder"] == "direct":
        return CUTOFFS, "one pass over the past serves several"
    return 1, "from each cutoff the cells would have to run on"


def _segment(_: Facts, told: Told) -> tuple[str, str]:
    if (told["training"]["cutoffs"] or 1) > 1 and told["network"]["cells"]["kind"] == "lstm":
        return "direct", "several cutoffs share a pass"
    return "segment", "made-up series go on as they were"


def _stride(facts: Facts, _: Told) -> tuple[int, str]:
    return facts.test.stride, "the horizon: no step is tested twice"


def _validation_stride(facts: Facts, _: Told) -> tuple[int, str]:
    return facts.validation.stride, "a quarter of the horizon"


def _validation_windows(facts: Facts, _: Told) -> tuple[int, str]:
    share = "a fifth (two horizons: a third) of a typical history"
    return facts.validation.cutoffs, f"{windows.MOMENTS} moments, {windows.ENOUGH} windows, {share}"


def _patch(facts: Facts, told: Told) -> tuple[int, str]:
    season, context = facts.panel.season, told["network"]["context"]
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


def _context(facts: Facts, told: Told) -> tuple[int, str]:
    typical = facts.typical
    if facts.panel.season == 1:
        far, why = min(FAR, typical // 4), f"up to {FAR} where no season is known"
    else:
        far, why = _seasons(facts, typical // 3, "a third of a typical history")
    # beyond, windows to learn from would be padded where those to forecast are not
    return _reach(facts, told, far, why, typical - facts.horizon)


def _longer_context(facts: Facts, told: Told) -> tuple[int, str]:
    if facts.panel.season == 1:
        far, why = FAR, f"{FAR} where no season is known"
    else:
        far, why = _seasons(facts, FARTHEST, f"{FARTHEST} steps")
    # made-up series are as long as need be, and as padded as those that are forecast
    return _reach(facts, told, far, why, int(np.quantile(facts.panel.lengths, NEARLY_ALL)))


def _seasons(facts: Facts, most: int, most_is: str) -> tuple[int, str]:
    season = facts.panel.season
    far = max(FEW_SEASONS * season, min(MANY_SEASONS * season, FARTHEST, most))
    return far, f"{FEW_SEASONS} seasons, up to {MANY_SEASONS} within {most_is}"


def _reach(facts: Facts, told: Told, far: int, why: str, room: int) -> tuple[int, str]:
    """Return a context that goes far and holds what else it should, if there is room."""
    patch, season = told["network"]["patch"], facts.panel.season
    longest = min(facts.typical // 4, LONGEST_CYCLE)
    cycle = max([season, *(n for n in calendar.seasons(facts.panel.freq) if n <= longest)])
    wanted = max(2 * cycle, far, 2 * facts.horizon, 4 * patch)
    if wanted > room:
        wanted, why = max(room, patch), f"histories leave room for {room} steps"
    else:
        why = f"two of the longest cycle, {why}, twice the horizon"
    return -(-wanted // patch) * patch, why


def _log(facts: Facts, _: Told) -> tuple[bool, str]:
    if not are_positive(facts):
        return False, "some values are not positive"
    slopes = []
    for position in _probe(facts):
        values = _known(facts.panel, position, facts.ends[position])
        slopes.append(_spread_grows_with_level(values, max(facts.panel.season, 4)))
    slope = np.nanmedian(slopes) if np.isfinite(slopes).any() else 0.0
    if slope > GROWS:
        return True, f"swings grow with the level (exponent {slope:.2f})"
    return False, f"swings hardly grow with the level (exponent {slope:.2f})"


def are_positive(facts: Facts) -> bool:
    """Tell whether the logarithm of every observation exists: one series without it is one lost.

    Series too short to be trained on are forecast as well: of these all before the test counts.
    """
    panel = facts.panel
    ends = np.where(facts.is_taught, facts.ends, np.maximum(facts.before_test, 0))
    return all(
        (_known(panel, position, end) > 0).all() for position, end in enumerate(ends.tolist())
    )


def _known(panel: Panel, position: int, end: int) -> NDArray[np.float64]:
    """Return what was observed of a series in its first `end` steps."""
    return panel.series(position)[:end, 0][panel.seen(position)[:end]]


def _spread_grows_with_level(values: NDArray[np.float64], block: int) -> float:
    """Return p of `swing ~ level ** p` over blocks of one series; NaN if it cannot be told."""
    count = len(values) // block
    blocks = values[len(values) - count * block :].reshape(count, block)
    level, swing = blocks.mean(axis=1), blocks.std(axis=1)
    usable = swing > 0
    if usable.sum() < FEW_BLOCKS or np.ptp(np.log(level[usable])) < LITTLE_CHANGE:
        return float("nan")
    return float(np.polyfit(np.log(level[usable]), np.log(swing[usable]), 1)[0])


def _support(facts: Facts, _: Told) -> tuple[Support, str]:
    known = [_known(facts.panel, position, facts.ends[position]) for position in _probe(facts)]
    zeros = np.mean([(y == 0).mean() for y in known if len(y)] or [0.0])
    if zeros < SOME_ZEROS:
        return "real", "hardly any value is zero"
    for kind, reason in KINDS.items():
        if np.mean([output_domain.holds(kind, y) for y in known]) >= NEARLY_ALL:
            return kind, f"{zeros:.0%} of the values are zero, {reason}"
    return "real", "some values are below zero"


def _baseline(facts: Facts, told: Told) -> tuple[tuple[int, ...], str]:
    often = repeats(facts, told["network"]["context"])
    if not often:
        return (1,), "no season fits into the context"
    return (1, *often), "the newest value and the seasons before, for the network to weigh"


def _drift(facts: Facts, _: Told) -> tuple[bool, str]:
    if facts.panel.season > 1:
        return False, "a season hides what the last steps add up to"
    return True, "without a season, what is certain of a drift goes on"


def cycles(facts: Facts, context: int) -> tuple[int, ...]:
    """Return the season and the longer cycles of the calendar that the context holds."""
    season = facts.panel.season
    longer = [n for n in calendar.seasons(facts.panel.freq) if n > season and n % season == 0]
    return tuple(n for n in (season, *longer) if 1 < n <= context)


def repeats(facts: Facts, context: int) -> tuple[int, ...]:
    """Return the cycles and how often the longest goes into the context: several pasts to weigh."""
    lags = cycles(facts, context)
    longest = max(lags, default=0)
    again = [longest * n for n in range(2, MOST_REPEATS + 1) if 0 < longest * n <= context]
    return (*lags, *again)


def _recent(facts: Facts, told: Told) -> tuple[int, str]:
    return _newest(facts, told, 2 * facts.panel.season), "two seasons"


def _shorter_recent(facts: Facts, told: Told) -> tuple[int, str]:
    return _newest(facts, told, facts.panel.season), "one season"


def _newest(facts: Facts, told: Told, wanted: int) -> int:
    context: int = told["network"]["context"]
    return min(context, max(wanted, min(facts.horizon, 16)), 96)


def _calendar(facts: Facts, _: Told) -> tuple[bool, str]:
    if not calendar.feature_names(facts.panel.freq):
        return False, "the frequency has no calendar"
    needed = YEARS * calendar.steps_per_year(facts.panel.freq)
    if facts.typical >= needed:
        return True, "three years to learn the calendar from"
    return False, f"a typical history of {facts.typical} steps is less than three years"


def _steps(facts: Facts, _: Told) -> tuple[int, str]:
    points = max(int(facts.ends.sum()), 1000)
    return int(min(600 * (points / 1000) ** 0.45, 12_000)), f"{points} observations to learn from"


def _workers(facts: Facts, told: Told) -> tuple[int, str]:
    members, most = told["training"]["members"], workers.most()
    if members == 1:
        return 1, "a single member"
    if most == 1:
        return 1, "a single core, or one GPU for all"
    if _is_soon_done(told):
        return 1, "done sooner than processes are started"
    if len(facts.panel.values) > MOST_COPIED:
        return 1, "data too large for every process to have a copy"
    return min(most, members or MOST_MEMBERS), "one for each core"


def _jit(_: Facts, told: Told) -> tuple[bool, str]:
    if sys.platform != "linux" or has_gpu():
        return False, "tried on Linux's CPUs alone"
    if _is_soon_done(told):
        return False, "done sooner than it is compiled"
    return True, "steps take two thirds of the time once they are compiled"


def _is_soon_done(told: Told) -> bool:
    """Tell whether training is too short for preparations to be worth it."""
    steps, budget = told["training"]["steps"], told["auto"]["time_budget"]
    return (steps or MANY_STEPS) < MANY_STEPS or budget < STARTED


def _always(value: Any, reason: str) -> Rule:
    return lambda _facts, _told: (value, reason)


RULES: dict[str, Rule] = {
    "training.synthetic": _synthetic,
    "network.cells.units": _always((128, 128), "what long series can fill"),
    "network.decoder": _always("direct", "all of the horizon at once"),
    "training.batch": _always(BATCH, "many small steps go further than few large ones"),
    "training.cutoffs": _cutoffs,
    "training.mirror": _mirror,
    "training.learning_rate": _always(1e-3, "what the series themselves can take"),
    "split.stride": _stride,
    "split.validation_stride": _validation_stride,
    "split.validation_windows": _validation_windows,
    "network.patch": _patch,
    "network.context": _context,
    "network.log": _log,
    "network.support": _support,
    "network.baseline": _baseline,
    "network.relevel": _always("learned", "by how much levels moved on is for the data to tell"),
    "network.drift": _drift,
    "network.recent": _recent,
    "network.calendar": _calendar,
    "training.loss": _always("mase", "what forecasts are judged by"),
    "training.steps": _steps,
    "training.jit": _jit,
    "training.workers": _workers,
    "training.members": _always(1, "no time was given for more"),
}
"""By field, in the order in which they build on each other."""
AIDED = RULES | {
    "network.cells.units": _always((64, 64), "made-up series teach two small layers in less time"),
    "network.decoder": _segment,
    "training.batch": _always(AMONG, "some of them real, the others made up"),
    "training.cutoffs": _always(1, "made-up series are never short of windows"),
    "training.mirror": _always(False, "made-up series go where the real ones go"),
    "training.learning_rate": _always(6e-3, "made-up series are too many to be learned by heart"),
    "network.context": _longer_context,
    "network.relevel": _always(True, "seasons before tell as much, once they are at its level"),
    "network.drift": _always(False, "made-up series show what becomes of a trend"),
    "network.recent": _shorter_recent,
    "training.steps": _always(LESSONS, "what made-up series take"),
}
"""The same where a network learns from made-up series as well."""


def _probe(facts: Facts) -> NDArray[np.int64]:
    """Return the positions of some series that are long enough to train on."""
    usable = np.flatnonzero(facts.is_taught)
    return usable[:: -(-len(usable) // PROBED)]
