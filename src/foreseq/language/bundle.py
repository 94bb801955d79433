"""A language model as one folder: config, alphabet, weights, and a manifest with their digests.

As with forecasters, the network is rebuilt from the config, and the weights are plain arrays.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from foreseq.config import Config
from foreseq.durable import manifest
from foreseq.language import training
from foreseq.language.config import TextExperimentConfig
from foreseq.language.corpus import Vocabulary
from foreseq.training import network_weights
from foreseq.training.network_weights import Weights

FORMAT = 2
"""Raised when bundles written before can no longer be read."""
HOLDS = "language model"
CONFIG, ALPHABET, WEIGHTS = "config.json", "alphabet.json", "weights.npz"
PARTS = (CONFIG, ALPHABET, WEIGHTS)


class Alphabet(Config):
    """The vocabulary, and where it was learned."""

    symbols: str
    unknown: str
    corpus: str
    """Fingerprint of the corpus."""


@dataclass(frozen=True, eq=False)
class LanguageBundle:
    """A language model with all that is needed to use it and to judge it again."""

    experiment: TextExperimentConfig
    alphabet: Alphabet
    weights: Weights

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbols it knows."""
        return Vocabulary(self.alphabet.symbols, self.alphabet.unknown)

    def model(self) -> keras.Model:
        """Rebuild the network.

        Raises:
            BundleRefused: If the weights do not fit it.
        """
        built = training.build(self.experiment, self.vocabulary.size)
        network_weights.set_weights(built, self.weights)
        return built


def save(bundle: LanguageBundle, folder: Path) -> Path:
    """Write a bundle, whole or not at all; the same bundle gives the same bytes."""
    parts = {
        CONFIG: bundle.experiment.model_dump(mode="json"),
        ALPHABET: bundle.alphabet.model_dump(mode="json"),
        WEIGHTS: {f"weight-{i:03}": weight for i, weight in enumerate(bundle.weights)},
    }
    return manifest.write(folder, parts, holds=HOLDS, form=FORMAT)


def load(folder: Path) -> LanguageBundle:
    """Read a bundle whose every byte is as it was written.

    Raises:
        BundleRefused: If a file is missing, altered, or of another format.
    """
    return manifest.read(folder, PARTS, _from_parts, holds=HOLDS, form=FORMAT)


def _from_parts(parts: dict[str, Any]) -> LanguageBundle:
    weights = parts[WEIGHTS]
    return LanguageBundle(
        TextExperimentConfig.model_validate(parts[CONFIG]),
        Alphabet.model_validate(parts[ALPHABET]),
        [weights[name] for name in sorted(weights)],
    )
