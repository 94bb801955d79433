"""Batches of text: parallel streams that read it chunk by chunk, each character once an epoch.

A chunk never crosses from one document into the next: it is padded with weight zero, and the next
chunk begins with a zero state.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.errors import DataRefused
from foreseq.language.corpus import Passage


class Chunk(NamedTuple):
    """What the streams read in one step, and its targets."""

    symbols: NDArray[np.int32]
    """Shape (streams, chunk)."""
    following: NDArray[np.int32]
    """Targets: the next symbols, shape (streams, chunk)."""
    weight: NDArray[np.float32]
    """One where there is a next symbol of the same document, else zero, shape (streams, chunk)."""
    fresh: NDArray[np.float32]
    """One where a stream starts from a zero state, else zero, shape (streams, 1)."""


class Streams:
    """The chunks of one reading of a text.

    Example:
        >>> from foreseq.language.corpus import assemble
        >>> corpus = assemble(["steep"])
        >>> whole = Streams(corpus.passage, chunk=4, streams=1).chunk(0)
        >>> corpus.vocabulary.decode(whole.symbols[0]), corpus.vocabulary.decode(whole.following[0])
        ('stee', 'teep')
    """

    def __init__(
        self, passage: Passage, *, chunk: int, streams: int, shift: int = 0, before: int = 0
    ) -> None:
        """Divide a text among streams.

        Args:
            passage: The text.
            chunk: Characters of a chunk.
            streams: Number of streams; a text with fewer chunks fills fewer.
            shift: Characters by which the first chunk of every document is shorter, so that epochs
                cut the text at different places; below `chunk`.
            before: Chunks of context, of weight zero, that a stream reads before its own.

        Raises:
            DataRefused: If the text does not fill one chunk.
        """
        if passage.length <= chunk:
            raise DataRefused(
                f"a text needs more than one chunk of {chunk} characters",
                found=f"{passage.length}",
                remedy="bring a longer text or set a shorter training.chunk",
            )
        self.passage, self.size, self.streams, self.before = passage, chunk, streams, before
        self.first, self.length, self.opens = _divide(passage, chunk, shift)
        self.steps = before - (-len(self.first) // streams)

    def chunk(self, step: int) -> Chunk:
        """Return the chunks of one of the `steps` of an epoch."""
        count = self.steps - self.before  # chunks of a stream
        place = np.arange(self.streams) * count + step - self.before
        last = np.minimum((np.arange(self.streams) + 1) * count, len(self.first))
        there = (place >= 0) & (place < last)
        place = np.where(there, place, 0)
        length = np.where(there, self.length[place], 0)
        within = np.arange(self.size)
        real = within < length[:, None]  # (streams, chunk)
        at = np.where(real, self.first[place][:, None] + within, 0)
        counted = real if step >= self.before else np.zeros_like(real)
        return Chunk(
            self.passage.symbols[at],
            np.where(real, self.passage.symbols[np.minimum(at + 1, self.passage.length - 1)], 0),
            counted.astype(np.float32),
            (self.opens[place] | (step == 0) | ~there).astype(np.float32)[:, None],
        )


def _divide(
    passage: Passage, chunk: int, shift: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return position, number of targets, and whether it opens a document, of each chunk."""
    first, length, opens = [], [], []
    for begin, end in zip(passage.starts, [*passage.starts[1:], passage.length], strict=True):
        places = np.arange(begin - shift, end - 1, chunk)
        ends = np.minimum(places + chunk, end - 1)
        places = np.maximum(places, begin)
        kept = ends > places
        first.append(places[kept])
        length.append((ends - places)[kept])
        opens.append(np.arange(kept.sum()) == 0)
    return np.concatenate(first), np.concatenate(length), np.concatenate(opens)
