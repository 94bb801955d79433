"""The search space of `foreseq tune`: a range for each field, built in or from YAML."""

import json
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import Field, PositiveFloat, RootModel, ValidationError, model_validator

from foreseq.config import Config, ExperimentConfig, ResolvedExperiment, read_yaml, whole_patches
from foreseq.config.fields import get
from foreseq.errors import ConfigError


class Suggester(Protocol):
    """Suggests values, as a trial of Optuna does."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return an integer, both ends included."""

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        """Return one of several texts."""


class Between(Config):
    """A range of numbers."""

    low: float
    high: float
    log: bool = False
    """Sample its logarithm uniformly."""

    @model_validator(mode="after")
    def _ends_are_in_order(self) -> "Between":
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"low {self.low} must lie below high {self.high}, above 0 with log")
        return self

    def suggest(self, field: str, trial: Suggester, _experiment: ResolvedExperiment) -> float:
        """Return a value of the field."""
        return trial.suggest_float(field, self.low, self.high, log=self.log)

    def find(self, value: Any) -> float | None:
        """Return the parameter that gives a value; None: no parameter does."""
        return float(value) if self.low <= value <= self.high else None


class OneOf(Config):
    """One of several values of any type."""

    one_of: Annotated[tuple[Any, ...], Field(min_length=1)]
    ordered: bool = False
    """Whether they ascend, so that neighbours resemble each other, which samplers can use."""

    def suggest(self, field: str, trial: Suggester, _experiment: ResolvedExperiment) -> Any:
        """Return a value of the field."""
        if self.ordered:
            return self.one_of[trial.suggest_int(field, 0, len(self.one_of) - 1)]
        return json.loads(trial.suggest_categorical(field, self._words()))

    def find(self, value: Any) -> Any:
        """Return the parameter that gives a value; None: no parameter does."""
        word = json.dumps(value)
        if word not in self._words():
            return None
        return self._words().index(word) if self.ordered else word

    def _words(self) -> list[str]:
        return [json.dumps(value) for value in self.one_of]


class Times(Config):
    """The context chosen by rules times a factor, in whole patches that hold the longest lag."""

    times: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]

    def suggest(self, field: str, trial: Suggester, experiment: ResolvedExperiment) -> int:
        """Return a context."""
        factor = self.times[trial.suggest_int(field, 0, len(self.times) - 1)]
        patch = experiment.network.patch
        least = max(experiment.network.naive_lags, default=1)
        patches = round(factor * experiment.network.context / patch)
        return max(patch, patch * patches, whole_patches(least, patch))

    def find(self, _value: Any) -> int | None:
        """Return the parameter of the context as it is; None: no parameter does."""
        return self.times.index(1.0) if 1.0 in self.times else None


class Space(RootModel[dict[str, Between | OneOf | Times]]):
    """A range for each dotted field."""

    @model_validator(mode="after")
    def _only_the_context_is_multiplied(self) -> "Space":
        for field, extent in self.root.items():
            if isinstance(extent, Times) and field != "network.context":
                raise ValueError(f"{field}: times is for network.context")
            if field.partition(".")[0] not in {"network", "training"} or field == MEMBERS:
                raise ValueError(f"{field}: only fields of network and training can be tuned")
        return self

    def suggest(self, trial: Suggester, experiment: ResolvedExperiment) -> dict[str, Any]:
        """Return a value for each field.

        Args:
            trial: Suggests them.
            experiment: By rules; factors refer to it.
        """
        ranges = self.root.items()
        return {field: extent.suggest(field, trial, experiment) for field, extent in ranges}

    def find(self, experiment: ResolvedExperiment) -> dict[str, Any] | None:
        """Return the parameters of the experiment as it is; None: a value is out of its range."""
        fields = experiment.model_dump(mode="json")
        parameters = {name: extent.find(get(fields, name)) for name, extent in self.root.items()}
        return None if None in parameters.values() else parameters

    def without(self, fields: set[str]) -> "Space":
        """Return the space of the other fields."""
        return Space({name: extent for name, extent in self.root.items() if name not in fields})


MEMBERS = "training.members"
"""Never tuned: time decides how many there are, and more are hardly ever worse."""

SPACE = Space(
    {
        "network.cells.kind": OneOf(one_of=("gru", "lstm")),
        "network.cells.units": OneOf(
            one_of=([32], [64], [128], [64, 64], [128, 128], [256, 256]), ordered=True
        ),
        "network.cells.dropout": Between(low=0.0, high=0.4),
        "network.context": Times(times=(0.5, 1.0, 1.5, 2.0)),
        "network.log": OneOf(one_of=(False, True)),
        "training.loss": OneOf(one_of=("mase", "owa", "huber")),
        "training.learning_rate": Between(low=2e-4, high=1e-2, log=True),
        "training.batch_size": OneOf(one_of=(32, 64, 128, 256), ordered=True),
        "training.ema": OneOf(one_of=(0.9, 0.98, 0.99, 0.995), ordered=True),
    }
)
"""The built-in space."""
POSITIVE = {"network.log", "training.loss"}
"""Fields with values that need positive data."""


def open_space(experiment: ExperimentConfig) -> Space:
    """Return the built-in space without the fields that the user set."""
    return SPACE.without({field for field in SPACE.root if _is_set(experiment, field)})


def read_space(path: Path) -> Space:
    """Read a space from YAML, such as `training.batch_size: {one_of: [32, 64], ordered: true}`.

    Raises:
        ConfigError: If the file cannot be read or a range is none.
    """
    try:
        return Space.model_validate(read_yaml(path))
    except ValidationError as error:
        lines = sorted({f"{'.'.join(map(str, p['loc'][:1]))}: {p['msg']}" for p in error.errors()})
        raise ConfigError(*(f"{path}: {line}" for line in lines)) from None


def _is_set(experiment: ExperimentConfig, field: str) -> bool:
    *sections, name = field.split(".")
    inner: Any = experiment
    for section in sections:
        inner = getattr(inner, section)
    return name in inner.model_fields_set
