"""A language model as one folder: config, alphabet, weights, and a manifest that vouches for them.

As with forecasters the network is rebuilt by our own code from the config, and nothing is parsed
before its digest is checked.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import keras
import numpy as np

from foreseq.config import Config
from foreseq.durable import files, manifest
from foreseq.errors import BundleRefused
from foreseq.language import training
from foreseq.language.config import TextExperimentConfig
from foreseq.language.vocabulary import Vocabulary
from foreseq.training import network_weights
from foreseq.training.network_weights import Weights

FORMAT = 1
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
        network_weights.assign(built, self.weights)
        return built


def save(bundle: LanguageBundle, folder: Path) -> Path:
    """Write a bundle, whole or not at all; the same bundle gives the same bytes."""
    with files.new_folder(folder) as beside:
        for name, part in ((CONFIG, bundle.experiment), (ALPHABET, bundle.alphabet)):
            (beside / name).write_text(part.model_dump_json(indent=2), encoding="utf-8")
        arrays = {f"weight-{i:03}": weight for i, weight in enumerate(bundle.weights)}
        np.savez(beside / WEIGHTS, allow_pickle=False, **arrays)
        manifest.seal(beside, PARTS, holds=HOLDS, form=FORMAT)
    return folder


def load(folder: Path) -> LanguageBundle:
    """Read a bundle whose every byte is as it was written.

    Raises:
        BundleRefused: If a file is missing, altered, or of another format.
    """
    manifest.verify(folder, PARTS, holds=HOLDS, form=FORMAT)
    try:
        with (folder / WEIGHTS).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            weights = [stored[name] for name in sorted(stored.files)]
        return LanguageBundle(
            TextExperimentConfig.model_validate_json((folder / CONFIG).read_bytes()),
            Alphabet.model_validate_json((folder / ALPHABET).read_bytes()),
            weights,
        )
    except (ValueError, KeyError, EOFError, BadZipFile) as error:
        raise BundleRefused(
            f"{folder}: was written by another version of foreseq ({error}); train it again"
        ) from None
