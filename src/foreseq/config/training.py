"""How networks learn, on which windows they are judged, and how open choices are made."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from foreseq.config import fields
from foreseq.config.fields import Config, Rate


class LearningConfig(Config):
    """What every training has, of forecasts as of text."""

    optimizer: Literal["rmsprop", "adam", "nadam"] = "rmsprop"
    """Rule that turns gradients into updates."""
    learning_rate: PositiveFloat | None = None
    """Learning rate at the start; it falls to a hundredth along a cosine. None: chosen from the
    data."""
    clip: PositiveFloat = 1.0
    """Largest norm or value of a gradient, see `clip_by`."""
    clip_by: Literal["global_norm", "norm", "value"] = "global_norm"
    """Clip the norm of all gradients together, the norm of each weight's, or each single number."""
    weight_decay: NonNegativeFloat = 0.0
    """Share of a weight lost in each update, times the learning rate."""
    ema: Rate = 0.99
    """Momentum of the exponential moving average of the weights, which is the trained network;
    0: the last weights."""
    seed: NonNegativeInt = 1
    """Same config, data and seed give the same weights on one machine."""
    patience: PositiveInt
    """Validations without improvement after which training stops."""
    jit: bool | None
    """Compile the training step with XLA."""


class TrainingConfig(LearningConfig):
    """How the network learns."""

    start: Literal["random", "pretrained"] | None = None
    """First weights: `random`, or those of the network in this package that has learned from
    synthetic series of the same season, which then determines the architecture. None: chosen from
    the data."""
    loss: Literal["mase", "mae", "huber", "smape", "owa"] | None = None
    """Error to minimise. `mase`: absolute, divided by the seasonal-naive error of the series;
    `huber`: the same, squared below 1; `mae`: absolute; `smape`: relative to the values; `owa`: the
    mean of `mase` and `smape`, each divided by the seasonal naive's. With quantiles, their pinball
    form. None: chosen from the data."""
    max_steps: NonNegativeInt | None = None
    """Batches to learn from at most; 0: the first weights are kept. None: chosen from the data."""
    batch_size: PositiveInt | None = None
    """Windows in a batch. None: chosen from the data."""
    cutoffs_per_window: PositiveInt | None = None
    """Cutoffs of each window that are learned in one pass: its last and those one patch, two
    patches ... before. None: chosen from the data."""
    half_life: NonNegativeInt | None = None
    """Steps back from the end of the training span after which a window is half as likely to be
    drawn: the world of long ago teaches less. 0: all are equally likely. None: chosen from the
    data."""
    synthetic: Rate | None = None
    """Share of synthetic series in each batch, generated to resemble the data, so that few and
    short series need not teach trend and season alone. None: chosen from the data."""
    sign_flip: bool | None = None
    """Mirror half of the windows at their mean, so that the network learns no direction from
    series that happened to rise or fall. None: chosen from the data."""
    validations: PositiveInt = 20
    """Number of validations, spread evenly over `max_steps`."""
    patience: PositiveInt = 20
    """Validations without improvement after which training stops; with as many as `validations`
    it never stops early, since weights settle while the learning rate falls."""
    members: PositiveInt | None = None
    """Networks in the ensemble, which differ by seed; their median is the forecast. None: as many
    as time allows."""
    workers: PositiveInt | None = None
    """Processes that train members in parallel, one core each; 1: this process trains one after
    the other on all cores. None: chosen from the time budget and the number of cores."""
    refit: bool = True
    """After the test, train on with all observations, for a third of the best number of steps."""
    jit: bool | None = None
    """Compile the training step with XLA: a third faster, 300 MB more per process. None: if
    training is long enough to be worth it."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the cells while training: `bfloat16` is faster on GPUs that support it. Weights,
    validation and forecasts are always float32."""


class ResolvedTraining(TrainingConfig):
    """The same with nothing left open."""

    start: Literal["random", "pretrained"] = "random"
    learning_rate: PositiveFloat
    loss: Literal["mase", "mae", "huber", "smape", "owa"]
    max_steps: NonNegativeInt
    batch_size: PositiveInt
    cutoffs_per_window: PositiveInt
    half_life: NonNegativeInt = 0
    synthetic: Rate
    sign_flip: bool
    members: PositiveInt
    workers: PositiveInt
    jit: bool


class SplitConfig(Config):
    """Which windows serve which purpose: always the newest for the test, then the validation."""

    test_windows: PositiveInt | None = None
    """Cutoffs of each series held back for the final test. None: chosen from the data."""
    stride: PositiveInt | None = None
    """Steps between two test cutoffs. None: the horizon."""
    validation_windows: PositiveInt | None = None
    """Cutoffs of each series, before the test windows, for validation. None: chosen from the
    data."""
    validation_stride: PositiveInt | None = None
    """Steps between two validation cutoffs. None: a quarter of the horizon."""


class ResolvedSplit(SplitConfig):
    """The same with nothing left open."""

    test_windows: PositiveInt
    stride: PositiveInt
    validation_windows: PositiveInt
    validation_stride: PositiveInt


def _seconds(value: Any) -> Any:
    seconds = fields.seconds(value) if isinstance(value, str) else None
    return value if seconds is None else seconds


class AutoConfig(Config):
    """How the choices left open are made."""

    time_budget: Annotated[NonNegativeFloat, BeforeValidator(_seconds), Field()] = 600.0
    """Seconds (or `90s`, `10m`, `1h`) for search, training and refit. 0: rules alone, one
    member."""
