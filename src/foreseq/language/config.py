"""The configuration of a language model: corpus, network, training, gate and sampling."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from foreseq.config import Config, LearningConfig, Rate, ResolvedCells, Source, build, read_yaml
from foreseq.config.network import Units

BUILT_IN = "pydoc_data.topics"
"""A source that needs no file: the help texts of Python itself, 460,000 characters of English."""

Share = Annotated[float, Field(gt=0, lt=1)]


class CorpusConfig(Config):
    """Where text comes from, and how it is read and divided."""

    name: str = Field(default="python-topics", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the corpus."""
    source: Source = BUILT_IN
    """File, folder of `.txt` files (each a document), URL, or the help texts of Python."""
    copy_at: str = ""
    """Local file or folder to read instead of `source` if it exists."""
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest that the text must have, in UTF-8 after all changes below; empty: any."""
    encoding: str = "utf-8"
    """Encoding of the bytes; a byte that does not fit it is an error, never replaced."""
    newlines: Literal["unix", "keep"] = "unix"
    """Turn CR LF and CR into LF, or keep them."""
    starts_after: str = ""
    """Leave out everything up to the first line that holds this, and that line."""
    ends_before: str = ""
    """Leave out the first line that holds this, and everything after it."""
    lowercase: bool = False
    """Convert to lower case."""
    unknown: Annotated[str, Field(max_length=1)] = ""
    """Symbol for characters that the corpus does not hold; empty: they are an error."""
    validation: Share = 0.05
    """Share of the text, at its beginning, for early stopping."""
    test: Share = 0.1
    """Share of the text, at its end, that the gate scores models on."""

    @model_validator(mode="after")
    def _leave_text_for_training(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must be less than the whole")
        return self


class LanguageCells(ResolvedCells):
    """The recurrent stack, of one layer by default."""

    units: Units = (256,)
    """Width of each layer, from the input upwards."""


class LanguageConfig(Config):
    """The network that predicts the next character."""

    cells: LanguageCells = LanguageCells()
    """As in forecasts."""
    embedding: PositiveInt = 64
    """Dimensions of the embedding of a character."""
    dropout: Rate = 0.0
    """Share of the top states that is dropped, one mask for all steps of a chunk."""


class TextTrainingConfig(LearningConfig):
    """How the network is trained."""

    epochs: PositiveInt = 8
    """Most epochs; the learning rate falls towards the last."""
    streams: PositiveInt = 16
    """Batch size: places of the text that are read in parallel."""
    chunk: PositiveInt = 64
    """Characters that gradients reach back; states are carried on, from chunk to chunk."""
    learning_rate: PositiveFloat = 4e-3
    """First learning rate; it falls to a hundredth along a cosine."""
    patience: PositiveInt = 3
    """Epochs without improvement on the validation part before training stops."""
    jit: bool = True
    """Compile the training step with XLA, except on a GPU, which has fused kernels."""


class SamplingConfig(Config):
    """How characters are drawn from the predicted distribution."""

    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Below 1 more predictable, above 1 more random; 0 always takes the most probable."""
    top_k: PositiveInt | None = None
    """Draw only from so many of the most probable; None: from all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Draw from the fewest symbols that together have at least this probability."""
    length: PositiveInt = 400
    """Characters to write."""
    seed: NonNegativeInt = 1
    """Same network, prompt and seed give the same text on one machine."""


class TextGateConfig(Config):
    """When a challenger becomes champion."""

    order: Annotated[int, Field(ge=1, le=12)] = 5
    """Characters of the n-gram to beat, the predicted one included."""
    margin: NonNegativeFloat = 0.0
    """Nats per character by which the challenger must beat n-gram and champion."""


class TextExperimentConfig(Config):
    """One language model: its corpus, network, training and gate."""

    name: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")
    """Name of the model in the registry; empty: `text-` and the name of the corpus."""
    corpus: CorpusConfig = CorpusConfig()
    """Its text."""
    network: LanguageConfig = LanguageConfig()
    """Its cells and widths."""
    training: TextTrainingConfig = TextTrainingConfig()
    """How it is trained."""
    gate: TextGateConfig = TextGateConfig()
    """What it must beat to be published."""

    @property
    def model(self) -> str:
        """The name in the registry."""
        return self.name or f"text-{self.corpus.name}"


def load_text_experiment(
    path: Path | None = None, overrides: Sequence[str] = ()
) -> TextExperimentConfig:
    """Read a language model's experiment from YAML, if any, and apply `a.b=value` overrides.

    Raises:
        ConfigError: If the file is missing, is not YAML, or a field is unknown or out of bounds.

    Example:
        >>> load_text_experiment(overrides=["network.cells.kind=lstm"]).network.cells.kind
        'lstm'
    """
    fields = read_yaml(path) if path else {}
    return build(TextExperimentConfig, fields, overrides, origin=str(path or "configuration"))
