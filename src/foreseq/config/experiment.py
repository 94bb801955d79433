"""Everything a user can choose: each choice one field in one place, with its bounds and meaning.

A field left at None is chosen from the data; `auto.settle` fills it in, so that a tracked run
always says what it really used.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from foreseq.errors import ConfigError

Retrain = Literal["auto", "never"]
"""Whether what the evidence asks for is done."""
Support = Literal["real", "nonnegative", "counts"]
"""What values a series takes: any, those from zero on, or the whole ones among these."""
MEDIAN = 0.5
"""The level that becomes `y_hat`."""

Levels = tuple[float, ...]
DEFAULT_LEVELS: Levels = (0.1, MEDIAN, 0.9)

Value = TypeVar("Value")

Rate = Annotated[float, Field(ge=0, lt=1)]
"""A share to drop; 1 would drop everything, which Keras silently reads as dropping nothing."""


class Config(BaseModel):
    """A frozen value that knows all its fields and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Told = TypeVar("Told", bound=Config)


def _keep_no_password(source: str) -> str:
    if re.search(r"://[^/@]*:(?!\$\{)[^/@]+@", source):
        raise ValueError(
            "a password here would be kept in every bundle and run; write ${NAME} for it, and set"
            " NAME in the environment"
        )
    return source


Source = Annotated[str, AfterValidator(_keep_no_password)]
"""A path or URL; `${NAME}` in a URL stands for a variable of the environment when it is read."""


class ColumnsConfig(Config):
    """What the columns of the long table are called in the user's file."""

    unique_id: str = "unique_id"
    """Which series a row belongs to; a file without this column holds one series."""
    ds: str = "ds"
    """When: a timestamp or an integer step."""
    y: str = "y"
    """How much."""


class DatasetConfig(Config):
    """Where series come from, and what is done about their flaws."""

    name: str = Field(default="panel", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the panel in `data/series/` and the model in the registry."""
    source: Source
    """File, folder of Parquet files or fsspec URL; relative to the working directory. In a URL
    `${NAME}` is read from the environment, each time anew: for passwords and keys."""
    layout: Literal["long", "wide"] = "long"
    """`long`: a row per series and time. `wide`: a time column and a column per series."""
    columns: ColumnsConfig = ColumnsConfig()
    """The user's names of the three columns."""
    freq: str | PositiveInt | None = None
    """Pandas alias (`h`, `D`, `W`, `MS`, `15min`) or, of integers, the step; None: inferred."""
    season: PositiveInt | None = None
    """Steps after which the pattern repeats; 1 means no season; None: inferred."""
    horizon: PositiveInt
    """Steps to forecast after the last observation."""
    gaps: Literal["mark", "interpolate", "refuse"] = "mark"
    """Steps without a row: left unobserved, filled on a line between neighbours, or refused."""
    missing: Literal["mark", "interpolate", "zero", "refuse"] = "mark"
    """Rows whose y is empty: as for `gaps`, or read as zero."""
    until: datetime | None = None
    """Only observations timed before it count, in UTC where they tell a zone. None: all."""
    update: Literal["replace", "append"] = "replace"
    """`replace`: the source holds all rows, and what it lacks is gone. `append`: it holds only new
    and corrected rows, which are added to those ingested before."""
    duplicates: Literal["equal", "first", "last", "mean", "sum", "refuse"] = "equal"
    """Rows for one series and time: `equal` collapses rows that agree and refuses the others."""

    @field_validator("until")
    @classmethod
    def _tell_utc_without_zone(cls, until: datetime | None) -> datetime | None:
        return until.astimezone(UTC).replace(tzinfo=None) if until and until.tzinfo else until


class CellsConfig(Config):
    """The recurrent stack, shared by forecasts and text."""

    kind: Literal["simple", "lstm", "gru"] = "gru"
    """Which recurrence."""
    units: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | None = None
    """Width of each layer, from the input upwards. None: chosen from the data."""
    dropout: Rate = 0.0
    """Share of a layer's inputs dropped, one mask for all steps of a window."""
    recurrent_dropout: Rate = 0.0
    """Share of the recurrent state dropped, one mask for all steps of a window."""
    weight_dropout: Rate = 0.0
    """Share of the recurrent weights dropped, one mask for all windows of a batch; unlike
    `recurrent_dropout` it leaves a GPU its fused kernels."""
    reset: Literal["after", "before"] = "after"
    """GRU: the reset gate acts on the product of state and weights (`after`, what GPUs compute), or
    on the state itself (`before`, the textbook's). Two different functions."""
    activation: Literal["tanh", "relu"] = "tanh"
    """Simple cells: what bends the state."""
    start: Literal["joint", "orthogonal", "xavier", "identity"] = "joint"
    """First weights: Glorot for the input, orthogonal for the state, drawn for all gates as one
    matrix (`joint`) or gate by gate (`orthogonal`); Glorot for both, gate by gate (`xavier`); for
    simple cells also the identity for the state, which goes with relu."""
    memory_bias: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """First bias of the gate that keeps the old state: the forget gate of an LSTM, the update gate
    of a GRU; larger remembers longer. None: 1 for an LSTM, 0 for a GRU."""
    normalise: bool = False
    """Bring the input of each layer above the first to mean 0 and variance 1, at every step."""
    residual: bool = False
    """Each layer above the first adds to its input rather than replaces it."""

    @model_validator(mode="after")
    def _options_suit_the_cell(self) -> Self:
        simple = self.kind == "simple"
        if not simple and (self.activation == "relu" or self.start == "identity"):
            raise ValueError("relu and identity are for simple cells: gates already keep gradients")
        if simple and self.memory_bias is not None:
            raise ValueError(
                "memory_bias needs a gate that keeps the state; simple cells have none"
            )
        if self.kind != "gru" and self.reset == "before":
            raise ValueError(f"reset is a gate of gru cells, {self.kind} cells have none")
        if self.residual and len(set(self.units or ())) > 1:
            raise ValueError(f"residual layers must be equally wide, found {self.units}")
        return self


def wide(*units: int) -> AfterValidator:
    """Return what gives cells their units where nothing is said and no data can tell."""
    return AfterValidator(
        lambda cells: cells if cells.units else cells.model_copy(update={"units": units})
    )


class NetworkConfig(Config):
    """What the forecaster reads, and how it answers."""

    cells: CellsConfig = CellsConfig()
    """The recurrent stack."""
    context: PositiveInt | None = None
    """Past steps the network reads; older ones are out of sight. None: chosen from the data."""
    patch: PositiveInt | None = None
    """Steps folded into one recurrent step; 1 is the classic network. None: chosen from data."""
    decoder: Literal["direct", "segment", "recursive"] | None = None
    """`direct`: last state, position in the horizon and calendar give the whole horizon at once.
    `segment`: the cells run on over the horizon, a patch at a time. `recursive`: as `segment`, each
    patch of the forecast read as if it had been observed. None: chosen from the data."""
    scale: Literal["mean", "last", "robust"] = "mean"
    """What each window is brought near zero by: the mean of its newest season, its last value, or
    the median of that season; `robust` also measures the spread by a median."""
    log: bool | None = None
    """Work on the logarithm; needs positive values. None: chosen from the data."""
    baseline: tuple[PositiveInt, ...] | None = None
    """Lags, in steps, of the values that the network learns the difference from: 1 is the last
    value, the season gives the seasonal naive. Several are weighed up, window by window and step by
    step. Empty: the level of the newest season. None: chosen from the data."""
    relevel: bool | Literal["learned"] | None = None
    """Move what the baseline takes from the second season before, the third and so on by as much as
    the level has changed since; `learned`: by a share of it, window by window and step by step.
    None: chosen from the data."""
    drift: bool | None = None
    """Let the last value, where the baseline has it, go on as it moved over the last two horizons,
    as far as that is not luck: not at all within three standard errors. None: chosen from the
    data."""
    support: Support | None = None
    """What forecasts may be of series whose past is as well: `real`, any number; `nonnegative`, not
    below zero; `counts`, whole as well. None: chosen from the data."""
    recent: PositiveInt | None = None
    """Newest steps shown to the head directly, past the recurrence. None: two seasons at most."""
    calendar: bool | None = None
    """Show hour, weekday, day and month. None: where the data are long enough to teach them."""
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    """Levels to forecast beside the median; none: a point forecast."""
    multivariate: Literal["all"] | tuple[str, ...] = ()
    """Series that are read together, so that each forecast is drawn from the past of all: those of
    the data (`all`), which stay listed here. Empty: each series by itself."""

    @model_validator(mode="after")
    def _context_holds_whole_patches(self) -> Self:
        if self.context is not None and self.patch is not None and self.context % self.patch:
            raise ValueError(f"context {self.context} is not a multiple of patch {self.patch}")
        return self

    @model_validator(mode="after")
    def _context_holds_the_baseline(self) -> Self:
        longest = max(self.baseline or (), default=0)
        if self.context is not None and self.context < longest:
            raise ValueError(
                f"context {self.context} does not hold the baseline's lag of {longest} steps"
            )
        return self

    @model_validator(mode="after")
    def _quantiles_ascend_around_the_median(self) -> Self:
        if self.quantiles:
            _ascending(self.quantiles, "quantiles")
        return self


class TrainingConfig(Config):
    """How the network learns."""

    loss: Literal["mase", "mae", "huber", "smape", "owa"] | None = None
    """Error minimised. `mase`: absolute, over the seasonal-naive error of the series; `huber`: the
    same, squared below 1; `mae`: plain; `smape`: over the values; `owa`: `mase` and `smape` alike,
    each over the seasonal naive's. Quantiles use the pinball form. None: chosen from the data."""
    steps: PositiveInt | None = None
    """Batches to learn from at most. None: chosen from the data."""
    batch: PositiveInt | None = None
    """Windows in a batch. None: chosen from the data."""
    cutoffs: PositiveInt | None = None
    """Cutoffs of each window that are learned from in one pass: its own and those one patch, two
    patches ... before. None: chosen from the data."""
    synthetic: Rate | None = None
    """Share of each batch from series that are made up in the manner of the real ones, so that few
    and short series need not teach what a slope or a season is. None: chosen from the data."""
    mirror: bool | None = None
    """Turn half of the windows upside down, so that nothing is learned of up that would not hold of
    down: what series happened to do in one direction is no evidence if they wander. None: chosen
    from the data."""
    learning_rate: PositiveFloat | None = None
    """RMSProp's rate at the start; it falls to a hundredth along a cosine. None: chosen from the
    data."""
    clip_norm: PositiveFloat = 1.0
    """Longest gradient, all weights taken together."""
    weight_decay: NonNegativeFloat = 0.0
    """Share of a weight lost in each step, times the rate."""
    average: Rate = 0.99
    """Momentum of the running mean of the weights, which is what forecasts; 0: the last weights."""
    patience: PositiveInt = 20
    """Looks at the validation windows without improvement before training stops; as many as there
    are `looks`: it goes to its end, for weights settle as the rate falls."""
    looks: PositiveInt = 20
    """Looks at the validation windows spread over `steps`."""
    members: PositiveInt | None = None
    """Networks that differ by seed; their median is the forecast. None: as many as time allows."""
    workers: PositiveInt | None = None
    """Processes that fit the members side by side, with one core each; 1: this process, with all
    cores, fits one after the other. None: chosen from the time and the cores there are."""
    refit: bool = True
    """After the test, learn on from all observations, a third as many steps as were best."""
    seed: NonNegativeInt = 1
    """Same config, data and seed give the same weights on one machine."""
    jit: bool | None = None
    """Compile the training step with XLA: its steps then take about two thirds of the time, and
    each process some 300 MB more. None: where training is long enough to be worth it."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the cells compute in while they learn: `bfloat16` is faster on GPUs that have units for
    it. Weights, validation and forecasts are float32 either way."""


class SplitConfig(Config):
    """Which cutoffs serve which purpose; always the newest for the test, then the validation."""

    test_windows: PositiveInt = 1
    """Cutoffs of each series held back for the final test."""
    stride: PositiveInt | None = None
    """Steps between two of them. None: the horizon."""
    validation_windows: PositiveInt | None = None
    """Cutoffs of each series, before the test span, that stop the training. None: chosen from the
    data."""
    validation_stride: PositiveInt | None = None
    """Steps between two of those. None: a quarter of the horizon."""


class AutoConfig(Config):
    """How the choices left open are made."""

    time_budget: NonNegativeFloat = 600.0
    """Seconds on this machine for search, training and refit. 0: rules alone, one member."""


class IntervalsConfig(Config):
    """How sure a forecast says it is."""

    levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] | None = None
    """Quantiles of the forecast table, calibrated on the validation windows. None: those of the
    network, or else 0.1, 0.5 and 0.9. Empty: a point forecast alone."""

    @field_validator("levels")
    @classmethod
    def _ascend_around_the_median(cls, levels: Levels | None) -> Levels | None:
        return levels and _ascending(levels, "levels")


class ClassicsConfig(Config):
    """What ETS, Theta and ARIMA, which stand beside every test, may cost."""

    windows: NonNegativeInt = 100
    """Test windows that they forecast, drawn with a seed; 0: none."""
    history: PositiveInt = 1000
    """Newest steps that they see of each."""
    seconds: PositiveFloat = 30.0
    """After so long no further window is begun."""


class GateConfig(Config):
    """When a challenger may become champion."""

    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """How sure it must be that the challenger errs less than each rival; 0.5 is the plain
    comparison."""
    min_skill: Annotated[float, Field(lt=1, allow_inf_nan=False)] = 0.02
    """Skill over the seasonal naive, the naive and the median of the past that must be exceeded;
    above zero, as of many trainings on pure luck a few end just better."""
    margin: NonNegativeFloat = 0.0
    """Share by which the champion's error must be undercut."""


class MonitorConfig(Config):
    """When past forecasts speak against a forecaster."""

    alarm_every: Annotated[int, Field(ge=10)] = 10_000
    """Moments of forecasting between two false alarms, on average: of a forecast every night, 27
    years."""
    error_gap: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.25
    """Share by which lasting errors must exceed the promised ones to be worth a retraining; a
    sudden rise beyond luck is worth one in any case."""
    coverage_gap: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Difference between promised and found coverage that is worth a recalibration."""


class ExperimentConfig(Config):
    """One forecaster: its data, network, training, test and gate."""

    name: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    """Names the model in the registry; empty: the dataset's name."""
    dataset: DatasetConfig
    """Its data; in YAML also the path of a file under `configs/datasets/`."""
    network: NetworkConfig = NetworkConfig()
    """What it reads and how it answers."""
    training: TrainingConfig = TrainingConfig()
    """How it learns."""
    split: SplitConfig = SplitConfig()
    """What it is judged on."""
    auto: AutoConfig = AutoConfig()
    """How what is left open is chosen."""
    intervals: IntervalsConfig = IntervalsConfig()
    """How sure its forecasts say they are."""
    classics: ClassicsConfig = ClassicsConfig()
    """What the classical methods beside it may cost."""
    gate: GateConfig = GateConfig()
    """When it is published."""
    monitor: MonitorConfig = MonitorConfig()
    """When it is recalibrated or retrained."""

    @model_validator(mode="after")
    def _cutoffs_share_a_pass(self) -> Self:
        decoder, kind = self.network.decoder, self.network.cells.kind
        apart = decoder == "recursive" or (decoder == "segment" and kind == "lstm")
        if (self.training.cutoffs or 1) > 1 and apart:
            raise ValueError(
                f"training.cutoffs={self.training.cutoffs} goes on from the states at each cutoff,"
                f" which {decoder} with {kind} cells does not have; use direct, or segment with gru"
            )
        return self

    @model_validator(mode="after")
    def _made_up_series_stand_alone(self) -> Self:
        if self.network.multivariate and self.training.synthetic:
            raise ValueError("made-up series (training.synthetic) go with network.multivariate=[]")
        return self

    @property
    def levels(self) -> Levels:
        """The quantiles of the forecast table; none for a point forecast alone."""
        if self.intervals.levels is None:
            return self.network.quantiles or DEFAULT_LEVELS
        return self.intervals.levels

    @property
    def model(self) -> str:
        """The name in the registry."""
        return self.name or self.dataset.name


def settled(value: Value | None) -> Value:
    """Return a choice that is no longer open.

    Raises:
        ConfigError: If it still is.
    """
    if value is None:
        raise ConfigError("a field is still open (None); let auto.settle choose it from the data")
    return value


def _ascending(levels: Levels, name: str) -> Levels:
    if list(levels) != sorted(set(levels)) or MEDIAN not in levels:
        raise ValueError(f"{name} must ascend and hold 0.5, the median that becomes y_hat")
    return levels


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read an experiment from YAML, then apply `a.b=value` overrides.

    Args:
        path: A file of `configs/forecasters/`; its `dataset` may name another YAML file,
            relative to this one.
        overrides: Fields to set, the value written as YAML.

    Raises:
        ConfigError: If a file is missing, is not YAML, or a field is unknown or out of bounds.
    """
    told = read_yaml(path)
    if isinstance(told.get("dataset"), str):
        told["dataset"] = read_yaml(path.parent / told["dataset"])
    return build_experiment(told, overrides, origin=str(path))


def build_experiment(
    told: dict[str, Any], overrides: Sequence[str] = (), *, origin: str = "configuration"
) -> ExperimentConfig:
    """Validate what was told, then apply `a.b=value` overrides.

    Raises:
        ConfigError: If a field is unknown or out of bounds; the message names `origin`.

    Example:
        >>> experiment = build_experiment(
        ...     {"dataset": {"source": "a.csv", "horizon": 12}}, ["training.steps=50"])
        >>> experiment.training.steps
        50
    """
    return build(ExperimentConfig, told, overrides, origin=origin)


def build(
    kind: type[Told], told: dict[str, Any], overrides: Sequence[str] = (), *, origin: str
) -> Told:
    """Validate what was told of any config, after its `a.b=value` overrides.

    Raises:
        ConfigError: If a field is unknown or out of bounds; the message names `origin`.
    """
    for override in overrides:
        told = _override(told, override)
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        lines = [_plain(origin, dict(problem)) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the fields and values of a YAML file.

    Raises:
        ConfigError: If it cannot be read, is not YAML, or holds something else.
    """
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); check the path of the configuration"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from None
    if not isinstance(told, dict):
        raise ConfigError(f"{path}: must hold fields and values, found {type(told).__name__}")
    return told


def _override(told: dict[str, Any], override: str) -> dict[str, Any]:
    """Return `told` with one `a.b=value` applied; the argument stays as it was."""
    field, sign, value = override.partition("=")
    if not sign or not field.strip():
        raise ConfigError(f"--set {override}: write it as field.subfield=value")
    first, _, rest = field.strip().partition(".")
    if not rest:
        try:
            return {**told, first: yaml.safe_load(value)}
        except yaml.YAMLError:
            raise ConfigError(f"--set {override}: {value!r} is not a YAML value") from None
    inner = told.get(first) or {}
    if not isinstance(inner, dict):
        raise ConfigError(f"--set {override}: {first} holds no fields")
    return {**told, first: _override(inner, f"{rest}={value}")}


def _plain(origin: str, problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "experiment"
    if problem["type"] == "extra_forbidden":
        return f"{origin}: {where}: no such field; see configs/README.md for those there are"
    if problem["type"] == "missing":
        return f"{origin}: {where}: is required"
    found = re.sub(r"//[^/@]*@", "//", repr(problem["input"]))  # no password on any screen
    return f"{origin}: {where}: {problem['msg']}, found {found}"
