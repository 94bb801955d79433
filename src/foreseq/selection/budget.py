"""How the time budget is spent: steps of short trainings, steps and members of the whole one."""

import numpy as np

from foreseq.config import ResolvedExperiment, change
from foreseq.selection.rules import MOST_MEMBERS, Choice
from foreseq.training.fitting import REFIT_SHARE, Pace

SEARCH_SHARE = 0.4
"""Share of the budget for short trainings (auto_vs_classics.py)."""
SHORT_STEPS = (60, 1600)
"""Fewest and most steps of a short training; in between, a quarter of the whole one."""
SHORT_TRAININGS = 8
"""Short trainings that the share above should suffice for."""
LEAST_STEPS = 100
"""Steps of a training, however short the time."""
PLANNED = 0.9
"""Share of the remaining time that is planned for: speed varies."""
MAX_STEPS, MEMBERS = "training.max_steps", "training.members"


def for_search(experiment: ResolvedExperiment) -> float:
    """Return the seconds for short trainings."""
    return SEARCH_SHARE * experiment.auto.time_budget


def short_steps(experiment: ResolvedExperiment, pace: Pace) -> int:
    """Return the steps of a short training."""
    affordable = int(for_search(experiment) / SHORT_TRAININGS / pace.step)
    return int(np.clip(min(experiment.training.max_steps // 4, affordable), *SHORT_STEPS))


def affordable_steps(experiment: ResolvedExperiment, pace: Pace, seconds: float) -> int:
    """Return how many steps of each member fit into some seconds, refit included."""
    rounds = -(-experiment.training.members // experiment.training.workers)
    return int(seconds / (pace.step * _lengths(experiment) * rounds))


def choose_steps(
    experiment: ResolvedExperiment, by_rule: Choice, pace: Pace, seconds: float
) -> tuple[ResolvedExperiment, Choice]:
    """Return the experiment with the steps of the rule, or with as many as there is time for."""
    affordable, choice = affordable_steps(experiment, pace, seconds), by_rule
    if affordable < by_rule.value:
        reason = f"what the time budget allows, at {1000 * pace.step:.0f} ms a step"
        choice = Choice(MAX_STEPS, max(affordable, LEAST_STEPS), reason)
    return change(experiment, {MAX_STEPS: choice.value}), choice


def choose_members(
    experiment: ResolvedExperiment, pace: Pace, seconds: float
) -> tuple[ResolvedExperiment, Choice]:
    """Return the experiment with as many members as there is time for."""
    whole = pace.step * experiment.training.max_steps * _lengths(experiment)
    at_once = experiment.training.workers
    rounds = max(1, min(int(seconds / whole), MOST_MEMBERS // at_once))
    choice = Choice(MEMBERS, at_once * rounds, f"about {whole:.0f} s each, {seconds:.0f} s left")
    return change(experiment, {MEMBERS: choice.value}), choice


def _lengths(experiment: ResolvedExperiment) -> float:
    """Return how many times its steps a member takes, refit included."""
    return 1 + REFIT_SHARE if experiment.training.refit else 1.0
