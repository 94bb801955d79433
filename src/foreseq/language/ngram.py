"""The baseline of language models: n-grams interpolated after Witten and Bell (1991).

A context h that occurred N(h) times, followed by T(h) different symbols, gives the share
T / (T + N) to the shorter context h'; without any context, all symbols are equally probable:

    P(w | h) = (N(hw) + T(h) P(w | h')) / (N(h) + T(h))
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.language.corpus import Passage


class Level(NamedTuple):
    """Counts for the contexts of one length."""

    grams: NDArray[np.int64]
    """Context number times alphabet plus symbol, ascending, shape (grams,)."""
    counts: NDArray[np.int64]
    """Of each of these, shape (grams,)."""
    total: NDArray[np.int64]
    """Symbols that followed each context, shape (contexts,)."""
    different: NDArray[np.int64]
    """Different symbols that followed each context, shape (contexts,)."""


class NGram(NamedTuple):
    """Counts for contexts of no, one, two ... symbols of an alphabet."""

    alphabet: int
    levels: tuple[Level, ...]


def fit(passage: Passage, alphabet: int, order: int) -> NGram:
    """Count the n-grams of a text up to length `order`, the predicted symbol included.

    No context reaches into the document before.
    """
    context = np.zeros(passage.length, np.int64)
    contexts = 1
    levels = []
    for _ in range(order):
        inside = context >= 0
        codes = context[inside] * alphabet + passage.symbols[inside]
        grams, gram, counts = np.unique(codes, return_inverse=True, return_counts=True)
        followed = grams // alphabet
        total = np.bincount(followed, weights=counts, minlength=contexts).astype(np.int64)
        levels.append(Level(grams, counts, total, np.bincount(followed, minlength=contexts)))
        numbers = np.full(passage.length, -1)
        numbers[inside] = gram
        context, contexts = _before(numbers, passage.starts), len(grams)
    return NGram(alphabet, tuple(levels))


def probabilities(model: NGram, passage: Passage) -> NDArray[np.float64]:
    """Return the probability of each symbol, given those before it, shape (characters,).

    Example:
        >>> from foreseq.language.corpus import assemble
        >>> passage = assemble(["aab"]).passage
        >>> model = fit(passage, alphabet=2, order=1)
        >>> probabilities(model, passage).tolist()  # (2 + 2/2) / (3 + 2), and (1 + 2/2) / (3 + 2)
        [0.6, 0.6, 0.4]
    """
    shares = np.full(passage.length, 1 / model.alphabet)
    context = np.zeros(passage.length, np.int64)
    for level in model.levels:
        inside = context >= 0
        code = np.where(inside, context * model.alphabet + passage.symbols, -1)
        gram = np.minimum(np.searchsorted(level.grams, code), len(level.grams) - 1)
        is_known = level.grams[gram] == code
        count = np.where(is_known, level.counts[gram], 0)
        total, different = level.total[context], level.different[context]
        refined = (count + different * shares) / np.maximum(total + different, 1)
        shares = np.where(inside & (total > 0), refined, shares)
        context = _before(np.where(is_known, gram, -1), passage.starts)
    return shares


def nats(model: NGram, passage: Passage) -> float:
    """Return the mean negative log-likelihood per symbol, without the first of each document."""
    scored = np.ones(passage.length, bool)
    scored[passage.starts] = False
    return float(-np.log(probabilities(model, passage)[scored]).mean())


def _before(numbers: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number before each position; -1 where a document begins."""
    moved = np.concatenate([[-1], numbers[:-1]])
    moved[starts] = -1
    return moved
