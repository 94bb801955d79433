"""A corpus: documents end to end as numbers, divided by position."""

import hashlib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import DatasetConfig
from foreseq.errors import ConfigError, DataRefused
from foreseq.ingest.fetch import fetch
from foreseq.language.config import BUILT_IN, CorpusConfig

MIN_SYMBOLS = 2
"""With fewer different symbols there is nothing to predict."""


@dataclass(frozen=True)
class Vocabulary:
    """The characters a language model knows, in the order of their numbers.

    Example:
        >>> vocabulary = Vocabulary("epst")
        >>> vocabulary.encode("steep").tolist()
        [2, 3, 0, 0, 1]
        >>> vocabulary.decode(vocabulary.encode("steep"))
        'steep'
    """

    symbols: str
    """Unique, ascending by code point."""
    unknown: str = ""
    """The symbol that stands for all other characters; empty: these are refused."""

    @property
    def size(self) -> int:
        """Number of symbols."""
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


class Passage(NamedTuple):
    """A stretch of text, which may begin and end within a document."""

    symbols: NDArray[np.int32]
    """Shape (characters,)."""
    starts: NDArray[np.int64]
    """Position of the first character of each document; ascending, the first is 0."""

    @property
    def length(self) -> int:
        """Number of characters."""
        return len(self.symbols)


class Parts(NamedTuple):
    """A text divided into training, validation and test."""

    train: Passage
    validation: Passage
    test: Passage


@dataclass(frozen=True, eq=False)
class Corpus:
    """A whole text and its vocabulary."""

    passage: Passage
    vocabulary: Vocabulary

    def fingerprint(self) -> str:
        """Return the SHA-256 of the text and its vocabulary."""
        digest = hashlib.sha256(self.vocabulary.digest().encode())
        for array in self.passage:
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def locate(config: CorpusConfig, raw: Path) -> Path | None:
    """Return the file or folder of a corpus on this machine; None for the one Python carries.

    A URL is copied into `raw`, unless `copy_at` exists.

    Raises:
        ConfigError: If no installed package reads such a URL.
        DataRefused: If the source is absent or cannot be reached.
    """
    if config.copy_at and Path(config.copy_at).exists():
        return Path(config.copy_at)
    if config.source == BUILT_IN:
        return None
    return fetch(DatasetConfig(source=config.source, horizon=1), raw)


def read(config: CorpusConfig, place: Path | None) -> Corpus:
    """Read a corpus from where `locate` says it is, and learn its vocabulary.

    Raises:
        ConfigError: If Python knows no such encoding.
        DataRefused: If it is empty, not text, has another digest than the config states, or has
            nothing to predict.
    """
    documents = _documents(config, place)
    _verify(documents, config)
    return assemble(documents, config.unknown)


def read_as(config: CorpusConfig, place: Path | None, known: Vocabulary) -> Passage:
    """Read a text in the symbols of a vocabulary learned before.

    Raises:
        ConfigError: If Python knows no such encoding.
        DataRefused: If it is too short to predict anything, not text, or holds a character that is
            not known.
    """
    documents = [document for document in _documents(config, place) if document]
    _verify(documents, config)
    passage = join([known.encode(document, file=str(place or "")) for document in documents])
    if passage.length <= len(passage.starts):
        raise DataRefused(
            "a text needs at least two characters of one document",
            found=f"{passage.length}",
            file=str(place or ""),
            remedy="bring a longer text",
        )
    return passage


def assemble(documents: Sequence[str], unknown: str = "") -> Corpus:
    """Put documents end to end.

    Example:
        >>> corpus = assemble(["ab", "", "ba"])
        >>> corpus.passage.symbols.tolist(), corpus.passage.starts.tolist()
        ([0, 1, 1, 0], [0, 2])
    """
    filled = [document for document in documents if document]
    vocabulary = learn_vocabulary("".join(filled), unknown)
    return Corpus(join([vocabulary.encode(document) for document in filled]), vocabulary)


def learn_vocabulary(text: str, unknown: str = "") -> Vocabulary:
    """Return the vocabulary of a whole corpus, its test part too.

    Why the test part too: models of one corpus can only be compared when they divide probability
    among the same symbols.

    Args:
        text: The whole corpus.
        unknown: A symbol that is to stand for all others; it may occur in the text itself.

    Raises:
        DataRefused: If the text has fewer than `MIN_SYMBOLS` different characters.
    """
    if len(set(text)) < MIN_SYMBOLS:
        raise DataRefused(
            f"a text needs at least {MIN_SYMBOLS} different characters",
            found=f"only {text[:1]!r}" if text else "none",
            remedy="bring a text that has something to predict",
        )
    return Vocabulary("".join(sorted(set(text) | set(unknown))), unknown)


def join(documents: Sequence[NDArray[np.int32]]) -> Passage:
    """Return encoded documents, none of them empty, as one passage."""
    starts = np.cumsum([0, *map(len, documents)], dtype=np.int64)[:-1]
    return Passage(np.concatenate(documents), starts)


def split(passage: Passage, validation: float, test: float) -> Parts:
    """Divide a text by shares: its beginning for the validation, its end for the test.

    Training text thus reaches up to the test: names and subjects change along a book.

    Raises:
        DataRefused: If a part would have nothing to predict.

    Example:
        >>> parts = split(Passage(np.arange(20, dtype=np.int32), np.array([0, 3])), 0.2, 0.1)
        >>> [part.length for part in parts], parts.validation.starts.tolist()
        ([14, 4, 2], [0, 3])
    """
    count = passage.length
    last = count - round(count * test)
    first = round(count * validation)
    parts = Parts(_cut(passage, first, last), _cut(passage, 0, first), _cut(passage, last, count))
    for name, part in parts._asdict().items():
        if part.length <= len(part.starts):
            raise DataRefused(
                f"the {name} part needs at least two characters of one document",
                found=f"{part.length} of {count} characters",
                remedy="bring a longer text or change the shares of corpus.validation and .test",
            )
    return parts


def _documents(config: CorpusConfig, place: Path | None) -> list[str]:
    """Return the texts of a source, a file each, as the config wants them read."""
    if place is None:
        topics = importlib.import_module(BUILT_IN).topics
        return [_shape(topics[name], config) for name in sorted(topics)]
    files = sorted(place.rglob("*.txt")) if place.is_dir() else [place]
    return [_shape(_decode(file, config.encoding), config) for file in files]


def _decode(file: Path, encoding: str) -> str:
    content = file.read_bytes()
    if b"\0" in content and encoding.lower().startswith("utf-8"):
        row = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise DataRefused(
            "must be text",
            found="a zero byte, as only binary files have",
            file=str(file),
            row=row,
            remedy="name a text file, or its corpus.encoding if it is UTF-16 or UTF-32",
        )
    try:
        return content.decode(encoding)
    except LookupError:
        raise ConfigError(
            f"corpus.encoding: Python knows no encoding {encoding!r}; take utf-8 or latin-1"
        ) from None
    except UnicodeDecodeError as error:
        raise DataRefused(
            f"must be text in {encoding}",
            found=f"the byte {content[error.start]:#04x} at position {error.start}",
            file=str(file),
            row=content.count(b"\n", 0, error.start) + 1,
            remedy="set corpus.encoding to the one it was written in",
        ) from None


def _shape(text: str, config: CorpusConfig) -> str:
    """Apply what the config says about newlines, limits and case."""
    text = text.removeprefix("\ufeff")  # a byte order mark is no character of the text
    if config.newlines == "unix":
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if config.starts_after and config.starts_after in text:
        text = text.partition(config.starts_after)[2].partition("\n")[2].lstrip()
    if config.ends_before and config.ends_before in text:
        before = text.partition(config.ends_before)[0]
        text = before[: before.rfind("\n") + 1].rstrip() + "\n"
    return text.lower() if config.lowercase else text


def _verify(documents: list[str], config: CorpusConfig) -> None:
    if not any(documents):
        raise DataRefused(
            "must hold text",
            found="nothing" if documents else "no .txt file",
            file=config.source,
            remedy="name a text file or a folder of .txt files",
        )
    digest = hashlib.sha256("".join(documents).encode()).hexdigest()
    if config.sha256 and digest != config.sha256:
        raise DataRefused(
            f"the text must have SHA-256 {config.sha256}",
            found=digest,
            file=config.source,
            remedy="fetch it again, or change corpus.sha256 if this text is the one you mean",
        )


def _cut(passage: Passage, first: int, last: int) -> Passage:
    inside = passage.starts[(passage.starts > first) & (passage.starts < last)]
    return Passage(passage.symbols[first:last], np.concatenate([[0], inside - first]))
