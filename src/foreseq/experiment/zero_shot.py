"""Forecasts by a pretrained network, without any training: a table in, forecasts in seconds out."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from foreseq.config import ExperimentConfig
from foreseq.config.dataset import without_secrets
from foreseq.errors import SeriesTooShort
from foreseq.evaluation.backtest import Backtest
from foreseq.experiment import recipe
from foreseq.forecasting import bundle, writer
from foreseq.forecasting.bundle import Bundle, Origin
from foreseq.forecasting.ensemble import Ensemble, calibrate
from foreseq.forecasting.output import PRETRAINED, Output
from foreseq.forecasting.writer import ForecastSource, Manifest
from foreseq.ingest.read import read_table
from foreseq.ingest.repairs import Repairs
from foreseq.ingest.table import to_panel
from foreseq.selection import rules
from foreseq.selection.choose import by_rules, facts_of
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.training import pretrained
from foreseq.training.loop import Fitted

UNTRAINED = {"start": "pretrained", "max_steps": 0, "members": 1, "workers": 1, "synthetic": 0.0}
"""Fields of `training` of a forecaster that has only been pretrained."""


class Forecasts(NamedTuple):
    """A folder of forecasts by a pretrained network."""

    manifest: Manifest
    repairs: Repairs
    """Of the data."""
    backtest: Backtest | None
    """On the newest windows; None: no series is long enough."""
    freq: str
    season: int


def write(experiment: ExperimentConfig, folder: Path, output: Output | None = None) -> Forecasts:
    """Forecast the source of an experiment into a folder, whole or not at all.

    Args:
        experiment: What is forecast; what it says of training does not count.
        folder: New, empty, or an older output of this function, which is replaced.
        output: How the folder is laid out.

    Raises:
        ConfigError: If there is no pretrained network for the season, or the folder holds other
            files.
        DataRefused: If the source cannot be read or breaks a rule.
    """
    output = output or Output()
    writer.check_replaceable(folder)
    dataset = experiment.dataset
    panel, repairs = to_panel(read_table(dataset), dataset, file=without_secrets(dataset.source))
    fitted, tested = zero_shot(experiment, panel)
    panel = replace(panel, season=fitted.experiment.dataset.season)
    network = pretrained.needed(panel.season)
    source = ForecastSource(
        Ensemble(fitted.experiment, fitted.final),
        f"{PRETRAINED}/{network.name}",
        pretrained.digest(network),
        output.sample_paths,
        by=output.by,
    )
    manifest = writer.write(source, panel, folder)
    return Forecasts(manifest, repairs, tested, panel.freq, panel.season)


def zero_shot(experiment: ExperimentConfig, panel: Panel) -> tuple[Bundle, Backtest | None]:
    """Return the pretrained network for a panel, and its backtest, without any training.

    It is calibrated and tested on the newest windows; where no series is long enough for that, its
    quantiles are its own, and the backtest is None.

    Args:
        experiment: What is forecast; what it says of training does not count.
        panel: The histories.

    Raises:
        ConfigError: If there is no pretrained network for the season.
    """
    training = experiment.training.model_copy(update=UNTRAINED)
    network = experiment.network.model_copy(update={"covariates": ()})  # these must be learned
    plan = experiment.model_copy(update={"training": training, "network": network})
    try:
        chosen = by_rules(plan, panel)
    except SeriesTooShort:
        return _untested(plan, panel), None
    outcome = recipe.fit(chosen.experiment, panel, chosen.split)
    return outcome.bundle, outcome.backtest


def _untested(experiment: ExperimentConfig, panel: Panel) -> Bundle:
    whole = windows.without_split(panel, experiment.dataset.horizon)
    facts = facts_of(experiment, panel, whole)
    panel = facts.panel
    resolved = rules.resolve(experiment, facts).experiment
    (weights,) = pretrained.start(resolved)
    state = bundle.state(panel, panel.lengths, [Fitted(weights, 0, ())])
    calibration = calibrate(Ensemble(resolved, state), panel, facts.split.validation)
    state = state._replace(calibration=calibration)
    return Bundle(resolved, Origin(data=panel.fingerprint(), steps=(0,)), state, state)
