"""One forecaster: its data, network, training, test and gate, with choices open or resolved."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from foreseq.config.dataset import DatasetConfig, ResolvedDataset
from foreseq.config.fields import DEFAULT_LEVELS, Config, Levels, ascending, put
from foreseq.config.network import NetworkConfig, ResolvedNetwork
from foreseq.config.training import (
    AutoConfig,
    ResolvedSplit,
    ResolvedTraining,
    SplitConfig,
    TrainingConfig,
)
from foreseq.errors import ConfigError

Retrain = Literal["auto", "never"]
"""Whether a monitor acts on what it finds."""


class IntervalsConfig(Config):
    """Quantiles of the forecast."""

    levels: Levels | None = None
    """Quantile levels of the forecast table, calibrated on the validation windows. None: those of
    the network, or else 0.1, 0.5 and 0.9. Empty: a point forecast alone."""

    @field_validator("levels")
    @classmethod
    def _ascend_around_the_median(cls, levels: Levels | None) -> Levels | None:
        return levels and ascending(levels, "levels")


class StatisticalBaselinesConfig(Config):
    """How much ETS, Theta and ARIMA, which are compared in every test, may cost."""

    windows: NonNegativeInt = 100
    """Test windows that they forecast, sampled with a seed; 0: none."""
    history: PositiveInt = 1000
    """Newest steps of each that they see."""
    seconds: PositiveFloat = 30.0
    """Start no further window after this time."""


class GateConfig(Config):
    """When a challenger becomes champion."""

    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """Confidence required that the challenger's error is lower than each baseline's and the
    champion's; 0.5 compares the errors alone."""
    min_skill: Annotated[float, Field(lt=1, allow_inf_nan=False)] = 0.02
    """Skill required over the seasonal naive, the naive and the historic median; above zero since
    of many trainings on noise a few end slightly better by chance."""
    margin: NonNegativeFloat = 0.0
    """Share by which the champion's error must be undercut."""
    unproven: Literal["reject", "publish"] = "reject"
    """What becomes of a challenger whose errors are lower, but not with the confidence required, on
    test windows of less than ten periods of a horizon or a season, which show little."""


class MonitorConfig(Config):
    """When past forecasts call for recalibration or retraining."""

    false_alarm_interval: Annotated[int, Field(ge=10)] = 10_000
    """Forecasts between two false alarms, on average (ARL0): 27 years of nightly forecasts."""
    error_tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.25
    """Share by which live errors must exceed the backtest's to call for retraining; a sudden,
    significant rise does so in any case."""
    coverage_tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Difference between nominal and live coverage that calls for recalibration."""


class ExperimentConfig(Config):
    """One forecaster: its data, network, training, test and gate."""

    name: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")
    """Name of the model in the registry; empty: the dataset's name."""
    dataset: DatasetConfig
    """Its data; in YAML also the path of a file under `configs/datasets/`."""
    network: NetworkConfig = NetworkConfig()
    """What it reads and how it forecasts."""
    training: TrainingConfig = TrainingConfig()
    """How it learns."""
    split: SplitConfig = SplitConfig()
    """Windows it is judged on."""
    auto: AutoConfig = AutoConfig()
    """How open choices are made."""
    intervals: IntervalsConfig = IntervalsConfig()
    """Quantiles of its forecasts."""
    statistical_baselines: StatisticalBaselinesConfig = StatisticalBaselinesConfig()
    """How much the statistical baselines may cost."""
    gate: GateConfig = GateConfig()
    """When it is published."""
    monitor: MonitorConfig = MonitorConfig()
    """When it is recalibrated or retrained."""

    @model_validator(mode="after")
    def _cutoffs_share_a_pass(self) -> Self:
        decoder, kind = self.network.decoder, self.network.cells.kind
        apart = decoder == "recursive" or (decoder == "segment" and kind == "lstm")
        cutoffs = self.training.cutoffs_per_window or 1
        if cutoffs > 1 and apart:
            raise ValueError(
                f"training.cutoffs_per_window={cutoffs} needs the states at each cutoff, which"
                f" {decoder} with {kind} cells does not have; use direct, or segment with gru"
            )
        return self

    @model_validator(mode="after")
    def _synthetic_series_are_univariate(self) -> Self:
        if self.network.multivariate and self.training.synthetic:
            raise ValueError(
                "training.synthetic > 0 is not supported with network.multivariate; set one of them"
                " to 0 or []"
            )
        return self

    @property
    def levels(self) -> Levels:
        """The quantile levels of the forecast table; empty for a point forecast alone."""
        if self.intervals.levels is None:
            return self.network.quantiles or DEFAULT_LEVELS
        return self.intervals.levels

    @property
    def model(self) -> str:
        """The name in the registry."""
        return self.name or self.dataset.name


class ResolvedExperiment(ExperimentConfig):
    """An experiment with nothing left open: what a network is built, trained and stored with."""

    dataset: ResolvedDataset
    network: ResolvedNetwork
    training: ResolvedTraining
    split: ResolvedSplit


def change(experiment: ResolvedExperiment, values: dict[str, Any]) -> ResolvedExperiment:
    """Return the experiment with dotted fields changed, validated again.

    Raises:
        ConfigError: If the values do not go together.
    """
    fields = experiment.model_dump(mode="json")
    for name, value in values.items():
        put(fields, name, value)
    network = fields["network"]
    network["recent_inputs"] = min(network["context"], network["recent_inputs"])
    try:
        return ResolvedExperiment.model_validate(fields)
    except ValidationError as error:
        raise ConfigError("; ".join(problem["msg"] for problem in error.errors())) from None
