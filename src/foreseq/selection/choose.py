"""From an open experiment to a resolved one: rules first, then short trainings."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from foreseq.config import ExperimentConfig, ResolvedExperiment
from foreseq.durable.resume import ResumeLog
from foreseq.selection import rules
from foreseq.selection.facts import Facts
from foreseq.selection.rules import Choice
from foreseq.selection.search import Candidate, search
from foreseq.selection.season import infer_season
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Split


class Chosen(NamedTuple):
    """An experiment with nothing open, and the windows it is trained, validated and tested on."""

    experiment: ResolvedExperiment
    split: Split
    choices: list[Choice]
    """What was open, and why it was chosen so."""
    candidates: list[Candidate]
    """The short trainings of the search."""


def choose(
    experiment: ExperimentConfig,
    panel: Panel,
    *,
    log: ResumeLog | None = None,
    report: Callable[[Candidate], None] = lambda _: None,
) -> Chosen:
    """Choose every field left open, within the experiment's time budget.

    Args:
        experiment: What the user set stands.
        panel: The data; the test windows are not read.
        log: Keeps what was tried and decided, so that a search that was stopped can resume.
        report: Called after each short training.

    Raises:
        SeriesTooShort: If no series has a window to train, validate and test on.
        ConfigError: If `network.multivariate` does not list the series of the data.
        DataRefused: If series that are read together do not end together.
    """
    facts = facts_of(experiment, panel)
    resolved = rules.resolve(experiment, facts)
    (resolved, candidates) = search(resolved, facts, log or ResumeLog(), report)
    return Chosen(resolved.experiment, facts.split, resolved.choices, candidates)


def by_rules(experiment: ExperimentConfig, panel: Panel) -> Chosen:
    """Choose every field left open by rules alone, in no time."""
    facts = facts_of(experiment, panel)
    resolved = rules.resolve(experiment, facts)
    return Chosen(resolved.experiment, facts.split, resolved.choices, [])


def facts_of(experiment: ExperimentConfig, panel: Panel, split: Split | None = None) -> Facts:
    """Return what rules and search go by, on the panel with its season.

    Args:
        experiment: The horizon, and how windows are split.
        panel: The data.
        split: Their windows by purpose; None: as the experiment says.
    """
    horizon = experiment.dataset.horizon
    split = split or windows.split(panel, horizon, experiment.split)
    season = experiment.dataset.season or panel.season or infer_season(panel, split.train_ends)
    return Facts(replace(panel, season=season), horizon, split)
