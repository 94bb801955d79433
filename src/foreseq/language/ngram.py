"""The model to beat: n-grams interpolated after Witten and Bell (1991).

A context h that was followed T(h) different ways in N(h) times leaves the share T / (T + N) to the
shorter context h', down to no context, where all symbols are alike:

    P(w | h) = (N(hw) + T(h) P(w | h')) / (N(h) + T(h))
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.language.corpus import Passage


class Level(NamedTuple):
    """What was seen after contexts of one length."""

    grams: NDArray[np.int64]
    """Context number times alphabet plus symbol, ascending, shape (grams,)."""
    seen: NDArray[np.int64]
    """How often each was, shape (grams,)."""
    total: NDArray[np.int64]
    """Symbols that followed each context, shape (contexts,)."""
    kinds: NDArray[np.int64]
    """Different symbols that followed each context, shape (contexts,)."""


class NGram(NamedTuple):
    """Counts for contexts of no, one, two ... symbols."""

    alphabet: int
    levels: tuple[Level, ...]


def fit(passage: Passage, alphabet: int, order: int) -> NGram:
    """Count a text.

    Args:
        passage: The text; no context reaches into the document before.
        alphabet: Symbols there are.
        order: Longest n-gram, the predicted symbol included.
    """
    context = np.zeros(passage.length, np.int64)
    contexts = 1
    levels = []
    for _ in range(order):
        inside = context >= 0
        codes = context[inside] * alphabet + passage.symbols[inside]
        grams, gram, seen = np.unique(codes, return_inverse=True, return_counts=True)
        followed = grams // alphabet
        total = np.bincount(followed, weights=seen, minlength=contexts).astype(np.int64)
        levels.append(Level(grams, seen, total, np.bincount(followed, minlength=contexts)))
        numbers = np.full(passage.length, -1)
        numbers[inside] = gram
        context, contexts = _before(numbers, passage.starts), len(grams)
    return NGram(alphabet, tuple(levels))


def probabilities(model: NGram, passage: Passage) -> NDArray[np.float64]:
    """Return how likely each symbol was, given those before it, shape (characters,).

    Example:
        >>> from foreseq.language.corpus import assemble
        >>> seen = assemble(["aab"]).passage
        >>> model = fit(seen, alphabet=2, order=1)
        >>> probabilities(model, seen).tolist()  # (2 + 2/2) / (3 + 2), and (1 + 2/2) / (3 + 2)
        [0.6, 0.6, 0.4]
    """
    likely = np.full(passage.length, 1 / model.alphabet)
    context = np.zeros(passage.length, np.int64)
    for level in model.levels:
        known = context >= 0
        code = np.where(known, context * model.alphabet + passage.symbols, -1)
        gram = np.minimum(np.searchsorted(level.grams, code), len(level.grams) - 1)
        found = level.grams[gram] == code
        seen = np.where(found, level.seen[gram], 0)
        total, kinds = level.total[context], level.kinds[context]
        refined = (seen + kinds * likely) / np.maximum(total + kinds, 1)
        likely = np.where(known & (total > 0), refined, likely)
        context = _before(np.where(found, gram, -1), passage.starts)
    return likely


def nats(model: NGram, passage: Passage) -> float:
    """Return the mean surprise per symbol, those left out that begin a document."""
    judged = np.ones(passage.length, bool)
    judged[passage.starts] = False
    return float(-np.log(probabilities(model, passage)[judged]).mean())


def _before(numbers: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number that stands before each place; -1 where a document begins."""
    moved = np.concatenate([[-1], numbers[:-1]])
    moved[starts] = -1
    return moved
