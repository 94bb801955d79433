"""Everything a user can choose about text: the corpus, the network that reads it, how it learns."""

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
"""The source that needs no file: the help texts of Python itself, 460,000 characters of English."""

Share = Annotated[float, Field(gt=0, lt=1)]


class CorpusConfig(Config):
    """Where text comes from, and how its bytes become characters."""

    name: str = Field(default="python-topics", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the corpus, and the model in the registry."""
    source: Source = BUILT_IN
    """File, folder of `.txt` files (each a document) or URL; by default the help texts that every
    Python carries."""
    copy_at: str = ""
    """Local file or folder to read instead of `source` where it is there."""
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """What the text, as it is read, must have as digest in UTF-8; empty: anything goes."""
    encoding: str = "utf-8"
    """How bytes are decoded; one that does not fit is refused, never replaced."""
    newlines: Literal["unix", "keep"] = "unix"
    """Turn CR LF and CR into LF, or keep them as they are."""
    starts_after: str = ""
    """Leave out everything up to the line that holds this, if one does."""
    ends_before: str = ""
    """Leave out the line that holds this and everything after it, if one does."""
    lowercase: bool = False
    """Read everything as lower case."""
    unknown: Annotated[str, Field(max_length=1)] = ""
    """Symbol that stands for characters the corpus does not hold; empty: they are refused."""
    validation: Share = 0.05
    """Share of the text, at its beginning, that stops the training."""
    test: Share = 0.1
    """Share of the text, at its end, that is read once, when all is decided."""

    @model_validator(mode="after")
    def _something_is_left_to_learn_from(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must be less than the whole")
        return self


class LanguageCells(ResolvedCells):
    """The recurrent stack, of one layer unless told otherwise."""

    units: Units = (256,)
    """Width of each layer, from the input upwards."""


class LanguageConfig(Config):
    """What reads text and says which character comes next."""

    cells: LanguageCells = LanguageCells()
    """The recurrent stack, the same that forecasts."""
    embedding: PositiveInt = 64
    """Numbers that stand for a character."""
    dropout: Rate = 0.0
    """Share of the top states dropped before the answer, one mask for all steps of a chunk."""


class TextTrainingConfig(LearningConfig):
    """How the network learns from text."""

    epochs: PositiveInt = 8
    """Times the text is read at most; the rate falls towards the last."""
    streams: PositiveInt = 16
    """Places of the text read at the same time: fewer make more, and noisier, steps."""
    chunk: PositiveInt = 64
    """Characters the gradient reaches back; the state is carried further, from chunk to chunk."""
    learning_rate: PositiveFloat = 4e-3
    """At the start; it falls to a hundredth along a cosine."""
    patience: PositiveInt = 3
    """Epochs without improvement on the validation part before training stops."""
    jit: bool = True
    """Compile the training step with XLA; on a GPU the fused kernels take precedence."""


class SamplingConfig(Config):
    """How a character is drawn from what the network finds likely."""

    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Below 1 bolder, above 1 wilder; 0 always takes the likeliest."""
    top_k: PositiveInt | None = None
    """Draw from so many likeliest only; None, or more than there are: from all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Draw from the fewest likeliest that together are at least this likely."""
    length: PositiveInt = 400
    """Characters to write."""
    seed: NonNegativeInt = 1
    """Same network, prompt and seed give the same text on one machine."""


class TextGateConfig(Config):
    """When a challenger may become champion."""

    order: Annotated[int, Field(ge=1, le=12)] = 5
    """Of the n-gram that must be beaten: its characters, the predicted one included."""
    margin: NonNegativeFloat = 0.0
    """Nats per character by which n-gram and champion must be undercut."""


class TextExperimentConfig(Config):
    """One language model: its corpus, network, training and gate."""

    name: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    """Names the model in the registry; empty: `text-` and the corpus's name."""
    corpus: CorpusConfig = CorpusConfig()
    """What it reads."""
    network: LanguageConfig = LanguageConfig()
    """What it is."""
    training: TextTrainingConfig = TextTrainingConfig()
    """How it learns."""
    gate: TextGateConfig = TextGateConfig()
    """When it is published."""

    @property
    def model(self) -> str:
        """The name in the registry."""
        return self.name or f"text-{self.corpus.name}"


def load_text_experiment(
    path: Path | None = None, overrides: Sequence[str] = ()
) -> TextExperimentConfig:
    """Read a language model's experiment from YAML, then apply `a.b=value` overrides.

    Args:
        path: A file of `configs/text/`; None: every field has its default.
        overrides: Fields to set, the value written as YAML.

    Raises:
        ConfigError: If the file is missing, is not YAML, or a field is unknown or out of bounds.

    Example:
        >>> load_text_experiment(overrides=["network.cells.kind=lstm"]).network.cells.kind
        'lstm'
    """
    told = read_yaml(path) if path else {}
    return build(TextExperimentConfig, told, overrides, origin=str(path or "configuration"))
