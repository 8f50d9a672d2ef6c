"""A character n-gram count model: what counting alone makes of a text, in well under a second per million characters.

Every order is interpolated with the next lower one by Witten-Bell smoothing (Witten & Bell, "The Zero-Frequency
Problem", IEEE Transactions on Information Theory 37, 1991, method C; the recursive form of Chen & Goodman, "An
Empirical Study of Smoothing Techniques for Language Modeling", TR-10-98, 1998, section 2.5):

    p_n(c | context) = (count(context c) + types(context) p_{n-1}(c | shorter context))
                       / (total(context) + types(context))

where `types` is the number of different characters that followed the context. Below order 1 stands a uniform
distribution over the alphabet of the training text and one escape; the escape is shared equally by all code points of
Unicode, so the probabilities of all characters sum to 1 and no text is impossible.

The n-grams are held as sorted integers. The code of an n-gram is (rank of its first n - 1 characters among the
(n - 1)-grams) * (alphabet + 1) + last character: it stays small at any order and alphabet, and the rank is at once the
index of the context's totals. Left out: pruning, and Kneser-Ney discounts, which gain little on characters.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import CorpusError

CODE_POINTS = 0x110000
"""The number of Unicode code points, over which the escape is uniform."""


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order, and the contexts that they continue."""

    codes: NDArray[np.int64]
    """Sorted codes of the n-grams; the position is the rank."""
    counts: NDArray[np.int64]
    totals: NDArray[np.int64]
    """By the rank of the context: how often anything followed it."""
    types: NDArray[np.int64]
    """By the rank of the context: how many different characters followed it."""


@dataclass(frozen=True)
class NgramModel:
    """Character n-gram counts of a text, as a probability model. `fit` makes one."""

    alphabet: NDArray[np.uint32]
    """The code points of the training text, sorted."""
    tables: tuple[_Order, ...]

    @property
    def order(self) -> int:
        """Return the highest order: the number of characters in an n-gram, its last included."""
        return len(self.tables)

    @classmethod
    def fit(cls, text: str, order: int) -> "NgramModel":
        """Count all n-grams of 1 to `order` characters; a text shorter than `order` gives fewer orders.

        Raises CorpusError for an empty text.
        """
        if not text:
            raise CorpusError("the training text has no characters to count: give a text of at least one character")
        points = _code_points(text)
        alphabet = np.unique(points)
        ids = _ids(points, alphabet)
        tables: list[_Order] = []
        contexts, distinct = np.zeros(len(ids) + 1, dtype=np.int64), 1
        for n in range(1, min(order, len(ids)) + 1):
            table, contexts = _count(contexts[:-1], ids[n - 1 :], distinct, len(alphabet) + 1)
            tables.append(table)
            distinct = len(table.codes)
        return cls(alphabet, tuple(tables))

    def log_probabilities(self, text: str, context: str = "") -> NDArray[np.float64]:
        """Return the natural logarithm of the probability of each character of `text`, shape (len(text),).

        `context` is what stands before `text`; it is not scored. Without it the text starts fresh: its first characters
        are predicted by the lower orders, and the training text does not serve as context.
        """
        *_, probabilities = self.probabilities_by_order(text, context)
        return np.log(probabilities)

    def probabilities_by_order(self, text: str, context: str = "") -> Iterator[NDArray[np.float64]]:
        """Yield, for the orders 1, 2, ..., the probability of each character of `text`, shape (len(text),)."""
        context = context[max(0, len(context) - self.order + 1) :]
        ids = _ids(_code_points(context + text), self.alphabet)
        size = len(self.alphabet)
        escape = 1 / (size + 1) / CODE_POINTS
        probabilities = np.where(ids < size, 1 / (size + 1) + escape, escape)
        ranks = np.zeros(len(ids) + 1, dtype=np.int64)
        for n, table in enumerate(self.tables, start=1):
            contexts = ranks[:-1]
            codes = np.where(contexts >= 0, contexts * (size + 1) + ids[n - 1 :], -1)
            places = np.minimum(np.searchsorted(table.codes, codes), len(table.codes) - 1)
            found = table.codes[places] == codes
            ranks = np.where(found, places, -1)
            counts = np.where(found, table.counts[places], 0)
            # A context of rank -1 was never met; one that ends the training text was met and never continued.
            totals = np.where(contexts >= 0, table.totals[contexts], 0)
            types = table.types[contexts]
            lower = probabilities[n - 1 :]
            higher = (counts + types * lower) / np.maximum(totals + types, 1)
            probabilities = np.concatenate([probabilities[: n - 1], np.where(totals > 0, higher, lower)])
            yield probabilities[len(context) :]


def _count(
    contexts: NDArray[np.int64], ids: NDArray[np.int64], distinct: int, base: int
) -> tuple[_Order, NDArray[np.int64]]:
    """Count the n-grams (context, character); return them and the rank of each along the text."""
    codes = contexts * base + ids
    places = np.argsort(codes)
    ordered = codes[places]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    ranks = np.empty_like(codes)
    ranks[places] = np.cumsum(first) - 1
    unique = ordered[first]
    counts = np.diff(np.append(np.flatnonzero(first), len(codes)))
    parents = unique // base
    totals = np.bincount(parents, weights=counts, minlength=distinct).astype(np.int64)
    types = np.bincount(parents, minlength=distinct).astype(np.int64)
    return _Order(unique, counts, totals, types), ranks


def _code_points(text: str) -> NDArray[np.uint32]:
    # A lone surrogate is a character of a Python string like any other.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _ids(points: NDArray[Any], alphabet: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Number characters by their place in the alphabet; one that is not in it gets the number after the last."""
    table = np.full(CODE_POINTS, len(alphabet), dtype=np.int64)
    table[alphabet] = np.arange(len(alphabet))
    ids: NDArray[np.int64] = table[points]
    return ids
