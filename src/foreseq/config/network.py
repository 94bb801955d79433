"""The recurrent cells, and the network that forecasts with them."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from foreseq.config.fields import Config, Levels, Rate, ascending

OutputDomain = Literal["real", "nonnegative", "integer"]
"""Values a series can take: any number, numbers from zero on, or counts (0, 1, 2, ...)."""
Role = Literal["past", "future", "static"]
"""When a column beside y is known: up to the cutoff, ahead of it too, or fixed for a series."""
Units = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


class CellsConfig(Config):
    """The recurrent stack, shared by forecasts and text."""

    kind: Literal["simple", "lstm", "gru"] = "gru"
    """Cell type."""
    units: Units | None = None
    """Width of each layer, from the input upwards. None: chosen from the data."""
    dropout: Rate = 0.0
    """Share of a layer's inputs dropped, one mask for all steps of a window."""
    recurrent_dropout: Rate = 0.0
    """Share of the recurrent state dropped, one mask for all steps of a window."""
    weight_dropout: Rate = 0.0
    """Share of the recurrent weights dropped, one mask for all windows of a batch; unlike
    `recurrent_dropout` it keeps the fused kernels of a GPU."""
    reset_after: bool = True
    """GRU: apply the reset gate to the product of state and weights (true, what GPUs compute), or
    to the state itself (false, as in textbooks). Two different functions."""
    activation: Literal["tanh", "relu"] = "tanh"
    """Activation of simple cells."""
    initializer: Literal["joint", "orthogonal", "glorot", "identity"] = "joint"
    """First weights: Glorot for inputs and orthogonal for states, drawn for all gates as one matrix
    (`joint`) or gate by gate (`orthogonal`); Glorot for both, gate by gate (`glorot`); for simple
    cells also the identity for states (`identity`), which goes with relu."""
    forget_bias: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """First bias of the gate that keeps the old state: the forget gate of an LSTM, the update gate
    of a GRU; larger values remember longer. None: 1 for an LSTM, 0 for a GRU."""
    layer_norm: bool = False
    """Normalise the input of each layer above the first to mean 0 and variance 1 at every step."""
    residual: bool = False
    """Each layer above the first adds to its input rather than replaces it."""

    @model_validator(mode="after")
    def _options_suit_the_cell(self) -> Self:
        simple = self.kind == "simple"
        if not simple and (self.activation == "relu" or self.initializer == "identity"):
            raise ValueError("relu and identity are for simple cells: gates already keep gradients")
        if simple and self.forget_bias is not None:
            raise ValueError(
                "forget_bias needs a gate that keeps the state; simple cells have none"
            )
        if self.kind != "gru" and not self.reset_after:
            raise ValueError(f"reset_after is a choice of gru cells; {self.kind} cells have none")
        if self.residual and len(set(self.units or ())) > 1:
            raise ValueError(f"residual layers must be equally wide, found {self.units}")
        return self


class ResolvedCells(CellsConfig):
    """The same with the width of each layer known."""

    units: Units


class Covariate(Config):
    """A column beside y as a network reads it."""

    name: str
    """Of the column in the data."""
    role: Role
    """When it is known."""
    location: float = 0.0
    """Of numbers: their median in the training span."""
    spread: PositiveFloat = 1.0
    """Of numbers: their mean distance from it."""
    categories: tuple[str, ...] = ()
    """That the network tells apart, others are unknown; empty: it reads numbers."""


Scale = Literal["mean", "last", "robust", "fixed", "alternating"]
FIXED_SCALES = ("fixed", "alternating")
"""Those that need `fixed_scale`."""


class NetworkConfig(Config):
    """What the network reads, and how it forecasts."""

    cells: CellsConfig = CellsConfig()
    """The recurrent stack."""
    context: PositiveInt | None = None
    """Past steps the network reads. None: chosen from the data."""
    patch: PositiveInt | None = None
    """Time steps folded into one step of the recurrence; 1 is the classic network. None: chosen
    from the data."""
    decoder: Literal["direct", "segment", "recursive"] | None = None
    """`direct`: one dense layer gives the whole horizon. `segment`: the cells run on over the
    horizon, a patch at a time. `recursive`: as `segment`, and each forecast patch is read as if it
    had been observed. None: chosen from the data."""
    scale: Scale | None = None
    """How each window is scaled: by the mean of its newest season, its last value, or the median of
    that season (`robust`, which also takes a median for the spread); `fixed`: all alike, by
    `fixed_scale`, and without `log` far values are compressed; `alternating`: `fixed` for the first
    member and every other one, `mean` for the rest, which follow new levels. None: chosen from the
    data."""
    fixed_scale: tuple[float, ...] | None = None
    """Three quartiles of y in the training span, of a single series: what covariates add to y may
    not depend on how much it varied lately. Empty: there are several. None: chosen from the
    data."""
    log: bool | None = None
    """Forecast the logarithm; needs positive values. None: chosen from the data."""
    naive_lags: tuple[PositiveInt, ...] | None = None
    """Lags of the naive forecast that the network corrects: 1 is the last value, the season gives
    the seasonal naive. Several lags are averaged with weights that the network learns. Empty: the
    mean of the newest season. None: chosen from the data."""
    level_adjustment: bool | Literal["learned"] | None = None
    """Shift the lags of earlier seasons by how much the level has changed since; `learned`: by a
    learned share of it. None: chosen from the data."""
    shrunken_trend: bool | None = None
    """Continue the last value with the mean change of the newest two horizons, shrunk to zero
    unless it is significant (three standard errors). Needs lag 1. None: chosen from the data."""
    output_domain: OutputDomain | None = None
    """Values a forecast can take where the series' own past has no others: `real`, any number;
    `nonnegative`, none below zero; `integer`, counts. None: chosen from the data."""
    recent_inputs: PositiveInt | None = None
    """Newest steps that the output layer sees directly, besides the recurrence. None: one or two
    seasons, at most 96."""
    calendar: bool | None = None
    """Read hour, weekday, day and month. None: if the history is long enough to learn them."""
    covariates: tuple[Covariate, ...] | None = None
    """Columns beside y that are read, see `dataset.covariates` for those that there are. Empty: y
    alone. None: chosen from the data."""
    cold_start: tuple[float, ...] | None = None
    """Three quartiles of y in the training span, by which a series is scaled that has no y yet: it
    is forecast from what is known beside y. Empty: such series are not forecast. None: chosen from
    the data."""
    quantiles: Levels = ()
    """Quantile levels the network learns; empty: it learns a point forecast."""
    multivariate: Literal["all"] | tuple[str, ...] = ()
    """Series that are read together, so that each forecast uses the past of all of them; `all`
    becomes the list of their ids. Empty: each series is forecast from its own past."""

    @property
    def starts_cold(self) -> bool:
        """Whether a series without any y can be forecast, from what is known ahead or static."""
        return bool(self.cold_start) and any(one.role != "past" for one in self.covariates or ())

    @model_validator(mode="after")
    def _context_holds_whole_patches(self) -> Self:
        if self.context is not None and self.patch is not None and self.context % self.patch:
            raise ValueError(f"context {self.context} is not a multiple of patch {self.patch}")
        return self

    @model_validator(mode="after")
    def _context_holds_the_lags(self) -> Self:
        longest = max(self.naive_lags or (), default=0)
        if self.context is not None and self.context < longest:
            raise ValueError(
                f"context {self.context} is shorter than the longest of naive_lags, {longest}"
            )
        return self

    @model_validator(mode="after")
    def _quartiles_have_a_spread(self) -> Self:
        for name in ("fixed_scale", "cold_start"):
            quartiles = getattr(self, name) or ()
            if not quartiles:
                continue
            if len(quartiles) != len(("low", "middle", "high")) or quartiles[0] >= quartiles[-1]:
                raise ValueError(f"{name} must be three quartiles, ascending: {quartiles}")
            if self.log and quartiles[0] <= 0:
                raise ValueError(f"{name} must be above zero with network.log")
        return self

    @model_validator(mode="after")
    def _fixed_has_a_scale(self) -> Self:
        if self.scale in FIXED_SCALES and self.fixed_scale == ():
            raise ValueError(
                f"scale {self.scale} needs fixed_scale, which only a single series has"
            )
        return self

    @model_validator(mode="after")
    def _quantiles_ascend_around_the_median(self) -> Self:
        if self.quantiles:
            ascending(self.quantiles, "quantiles")
        return self


class ResolvedNetwork(NetworkConfig):
    """The same with nothing left open."""

    cells: ResolvedCells
    scale: Scale = "mean"
    fixed_scale: tuple[float, ...] = ()
    context: PositiveInt
    patch: PositiveInt
    decoder: Literal["direct", "segment", "recursive"]
    log: bool
    naive_lags: tuple[PositiveInt, ...]
    level_adjustment: bool | Literal["learned"]
    shrunken_trend: bool
    output_domain: OutputDomain
    recent_inputs: PositiveInt
    calendar: bool
    covariates: tuple[Covariate, ...] = ()
    cold_start: tuple[float, ...] = ()
    multivariate: tuple[str, ...] = ()


def whole_patches(steps: int, patch: int) -> int:
    """Return the fewest steps that are whole patches and hold `steps`.

    Example:
        >>> whole_patches(25, 12), whole_patches(24, 12)
        (36, 24)
    """
    return -(-steps // patch) * patch
