"""The characters a language model knows, and their numbers."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foreseq.errors import DataRefused

LEAST = 2
"""Symbols below which there is nothing to predict."""


@dataclass(frozen=True)
class Vocabulary:
    """Symbols in the order of their numbers.

    Example:
        >>> vocabulary = Vocabulary("epst")
        >>> vocabulary.encode("steep").tolist()
        [2, 3, 0, 0, 1]
        >>> vocabulary.decode(vocabulary.encode("steep"))
        'steep'
    """

    symbols: str
    """Each once, ascending by code point."""
    unknown: str = ""
    """Which of them stands for all characters that are not among them; empty: they are refused."""

    @property
    def size(self) -> int:
        """How many symbols there are."""
        return len(self.symbols)

    def encode(self, text: str, *, file: str = "") -> NDArray[np.int32]:
        """Return the numbers of a text's characters, shape (characters,).

        Raises:
            DataRefused: If a character is not known and no symbol stands for such.
        """
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        known = np.frombuffer(self.symbols.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        place = np.minimum(np.searchsorted(known, points), self.size - 1)
        strange = known[place] != points
        if strange.any():
            if not self.unknown:
                raise self._refusal(text, strange, file)
            place[strange] = self.symbols.index(self.unknown)
        return place.astype(np.int32)

    def decode(self, numbers: NDArray[np.integer]) -> str:
        """Return the text of some numbers, shape (characters,)."""
        return "".join(self.symbols[number] for number in numbers.tolist())

    def digest(self) -> str:
        """Return the SHA-256 of the symbols in their order and of which is the unknown."""
        return hashlib.sha256(f"{self.symbols}\0{self.unknown}".encode()).hexdigest()

    def _refusal(self, text: str, strange: NDArray[np.bool_], file: str) -> DataRefused:
        first = int(np.argmax(strange))
        character = text[first]
        return DataRefused(
            f"every character must be among the {self.size} that the model learned from",
            found=f"{character!r} (U+{ord(character):04X}), the first of {int(strange.sum())} such",
            file=file,
            row=text.count("\n", 0, first) + 1,
            remedy="leave such characters out, or train with corpus.unknown set to a symbol for"
            " them",
        )


def learn(text: str, unknown: str = "") -> Vocabulary:
    """Return the vocabulary of a text.

    Why of all of it, the test part too: an alphabet is known beforehand, and models of one corpus
    can only be compared when they divide their belief among the same symbols.

    Args:
        text: The whole corpus.
        unknown: A symbol that is to stand for all others; it may occur in the text itself.

    Raises:
        DataRefused: If there is but one symbol, so that nothing is left to predict.
    """
    symbols = "".join(sorted(set(text) | set(unknown)))
    if len(set(text)) < LEAST:
        raise DataRefused(
            f"a text needs at least {LEAST} different characters",
            found=f"only {text[:1]!r}" if text else "none",
            remedy="bring a text that has something to predict",
        )
    return Vocabulary(symbols, unknown)
