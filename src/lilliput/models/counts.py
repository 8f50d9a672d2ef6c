"""Counts of what followed which context in a text, and what counting alone predicts.

Every context is interpolated with a less specific one by Witten-Bell smoothing (Witten & Bell, "The Zero-Frequency
Problem", IEEE Transactions on Information Theory 37, 1991, method C; the recursive form of Chen & Goodman, "An
Empirical Study of Smoothing Techniques for Language Modeling", TR-10-98, 1998, section 2.5):

    p_n(c | context) = (count(context c) + strength_n types(context) p_{n-1}(c | less specific context))
                       / (total(context) + strength_n types(context))

where `types` is the number of different tokens that followed the context; Witten & Bell have strengths of 1. Places of
the counted text can be left out of the counts: then their probabilities are what an unseen text would get.

A context is the last few tokens, or the last words (`words`). What follows is held as sorted integers: rank of the
context * base + token. For tokens the rank of a group is that of the next longer context; a context of words has the
rank of its number. Left out: pruning, and Kneser-Ney discounts, which gain little on characters.

Axes: B rows, T time, P positions before them, N places, V vocabulary, K levels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lilliput.models.words import CONTEXTS, REACH, Words

UNKNOWN = -1
"""The rank of a context that was never counted."""
MOST_TOKENS = 4_000_000
"""Of a longer text its end is counted, which bounds memory and time."""
AT_ONCE = 250_000
"""Tokens whose words are told at a time: bounds the memory; the result does not depend on it."""
LONGEST = 8
"""Tokens of the longest group that is counted, the last included."""
_CHAIN = (0, 1, 2, 3, LONGEST, 4, 5, LONGEST + 1, LONGEST + 2, 6, 7, LONGEST + 3)
"""The levels, the least specific first: below `LONGEST` the tokens in the context, from there on contexts of words."""
LEVELS = len(_CHAIN)


@dataclass(frozen=True)
class Order:
    """What followed the contexts of one level; all arrays end with an entry for what was never met, of rank -1."""

    base: int
    """Tokens are below it."""
    codes: NDArray[np.int64]
    """Sorted: rank of the context * base + token; the position is the rank of the group of both."""
    counts: NDArray[np.int32]
    totals: NDArray[np.int32]
    """By the rank of the context: how often anything followed it."""
    types: NDArray[np.int32]
    """By the rank of the context: how many different tokens followed it."""

    @property
    def groups(self) -> int:
        """Return how many different groups were counted."""
        return len(self.codes) - 1

    def find(self, contexts: NDArray[np.int32], tokens: NDArray[Any]) -> NDArray[np.int32]:
        """Return the ranks of the groups of `contexts` (ranks) and `tokens`."""
        codes = np.where(contexts >= 0, contexts * np.int64(self.base) + tokens, -1)
        places = np.searchsorted(self.codes, codes)
        return np.where(self.codes[places] == codes, places, UNKNOWN).astype(np.int32)

    def followed(
        self, contexts: NDArray[np.int32], ranks: NDArray[np.int32], leave_out: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return how often the groups `ranks` (`find`) were met, and of their contexts totals and types.

        A context that was never met, or met and never continued, has the total 0. With `leave_out` the groups are
        places of the counted text, and none of them is counted.
        """
        counts, totals, types = self.counts[ranks], self.totals[contexts], self.types[contexts]
        if leave_out:
            groups, firsts, places, own = np.unique(ranks, return_index=True, return_inverse=True, return_counts=True)
            gone = self.counts[groups] == own
            counts = counts - np.where(counts > 0, own[places], 0).astype(np.int32)
            met, places = np.unique(contexts, return_inverse=True)
            totals = totals - np.bincount(places, minlength=len(met)).astype(np.int32)[places]
            lost = np.bincount(places[firsts], weights=gone, minlength=len(met)).astype(np.int32)
            types = types - lost[places]
            unknown = contexts == UNKNOWN
            totals[unknown], types[unknown] = 0, 0
        return counts, totals, types


def interpolate(
    counts: NDArray[np.int32], totals: NDArray[np.int32], types: NDArray[np.int32], lower: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probabilities of a level, with a strength of 1, `lower` being those of the next less specific one."""
    return np.where(totals > 0, (counts + types * lower) / np.maximum(totals + types, 1), lower)


def count_orders(ids: NDArray[np.int32], order: int, base: int) -> Iterator[Order]:
    """Yield the counts of the groups of 1 to `order` of the tokens `ids`, which are below `base`.

    A text shorter than `order` has fewer orders.
    """
    ranks, distinct = np.zeros(len(ids), dtype=np.int32), 1
    for n in range(1, min(order, len(ids)) + 1):
        counted, ranks = _count(ranks[: len(ids) - n + 1], ids[n - 1 :], base, distinct)
        distinct = counted.groups
        yield counted
        del counted


def _count(
    contexts: NDArray[np.int32], tokens: NDArray[np.int32], base: int, distinct: int
) -> tuple[Order, NDArray[np.int32]]:
    """Count what followed the contexts (ranks below `distinct`); return also the ranks of the groups of both."""
    codes = contexts.astype(np.int64)
    codes *= base
    codes += tokens
    by_code = np.argsort(codes)
    codes = codes[by_code]
    new = np.append(True, codes[1:] != codes[:-1])[: len(codes)]
    ranks = np.empty(len(codes), dtype=np.int32)
    ranks[by_code] = np.cumsum(new, dtype=np.int32) - 1
    del by_code
    firsts = np.flatnonzero(new)
    unique, counts = codes[firsts], np.diff(firsts, append=len(codes)).astype(np.int32)
    del codes, new, firsts
    parents = unique // base
    totals = np.bincount(parents, weights=counts, minlength=distinct + 1).astype(np.int32)
    types = np.bincount(parents, minlength=distinct + 1).astype(np.int32)
    nothing = np.iinfo(np.int64).max
    return Order(base, np.append(unique, nothing), np.append(counts, np.int32(0)), totals, types), ranks


def _contexts_of_words(
    ids: NDArray[np.int32], words: Words
) -> list[list[tuple[NDArray[np.int32], NDArray[np.uint64]]]]:
    """Return for each kind of context, in pieces, the places before the last that know theirs, and its number."""
    found: list[list[tuple[NDArray[np.int32], NDArray[np.uint64]]]] = [[] for _ in CONTEXTS]
    for start in range(0, max(1, len(ids) - 1), AT_ONCE):
        before = max(0, start + 1 - REACH)
        piece = ids[None, before : min(start + AT_ONCE, len(ids) - 1)]
        numbers_TW, known_TW = (array[0, start - before :] for array in words.contexts(piece))
        for column, pieces in enumerate(found):
            places = np.flatnonzero(known_TW[:, column]).astype(np.int32)
            pieces.append((places + np.int32(start), numbers_TW[places, column]))
    return found


class Followed(NamedTuple):
    """What is known of N places, from the least specific level to the most."""

    counts_NK: NDArray[np.int32]
    """How often the token that is asked for followed the context."""
    totals_NK: NDArray[np.int32]
    """How often anything followed it; 0 if it is not known."""
    types_NK: NDArray[np.int32]
    """How many different tokens followed it."""


class Counts:
    """The counts of all levels of a text, as a model: what comes after any tokens."""

    def __init__(self, ids: NDArray[Any], words: Words, vocab_size: int) -> None:
        self.vocab_size, self._words = vocab_size, words
        counted = ids[-MOST_TOKENS:].astype(np.int32)
        orders = list(count_orders(counted, LONGEST, vocab_size))
        nothing = np.zeros(0, dtype=np.int32)
        while len(orders) < LONGEST:  # the text is shorter
            orders.append(_count(nothing, nothing, vocab_size, orders[-1].groups)[0])
        self._numbers: list[NDArray[np.uint64]] = []
        pieces = _contexts_of_words(counted, words)
        for _ in CONTEXTS:
            places, known = (np.concatenate(part) for part in zip(*pieces.pop(0), strict=True))
            numbers, contexts = np.unique(known, return_inverse=True)
            del known
            self._numbers.append(np.append(numbers, np.iinfo(np.uint64).max))
            orders.append(_count(contexts.astype(np.int32), counted[1:][places], vocab_size, len(numbers))[0])
        self._suffixes = orders[:LONGEST]
        self._levels = [orders[number] for number in _CHAIN]
        # The tokens that follow a context stand together: from its start to the next one's.
        self._starts = [np.append(np.int32(0), np.cumsum(order.types, dtype=np.int32)) for order in self._levels]
        # Below all levels. Tokens that never occur, as those that spell rare characters, share what one place weighs.
        occurs_V = np.bincount(counted, minlength=vocab_size) > 0
        absent = vocab_size - int(occurs_V.sum())
        rest = 1 / (len(counted) + 1) if absent else 0.0
        self.lowest_V = np.where(occurs_V, (1 - rest) / max(1, vocab_size - absent), rest / max(1, absent))

    def contexts(self, ids_BT: NDArray[Any], before_BP: NDArray[Any]) -> NDArray[np.int32]:
        """Return contexts_BTK: the ranks of what stands up to and with each position, for every level.

        `before_BP` are the tokens before; those that are further back than `REACH` do not matter.
        """
        all_BT, new = np.concatenate((before_BP[:, 1 - REACH :], ids_BT), 1), ids_BT.shape[1]
        # Groups of tokens reach less far than words do.
        near_BT = all_BT[:, max(0, all_BT.shape[1] - new - LONGEST + 2) :]
        groups = [np.zeros(near_BT.shape, dtype=np.int32)]
        for order in self._suffixes[:-1]:
            # The next longer group that ends at a position is this one, ending a position before, and one more token.
            earlier_BT = groups[-1]
            if len(groups) > 1:
                earlier_BT = np.full(near_BT.shape, UNKNOWN, dtype=np.int32)
                earlier_BT[:, 1:] = groups[-1][:, :-1]
            groups.append(order.find(earlier_BT, near_BT))
        found = [group[:, near_BT.shape[1] - new :] for group in groups]
        numbers_BTW, known_BTW = (part[:, all_BT.shape[1] - new :] for part in self._words.contexts(all_BT))
        for column, numbers in enumerate(self._numbers):
            places_BT = np.searchsorted(numbers[:-1], numbers_BTW[..., column])
            met_BT = known_BTW[..., column] & (numbers[places_BT] == numbers_BTW[..., column])
            found.append(np.where(met_BT, places_BT, UNKNOWN).astype(np.int32))
        return np.stack([found[number] for number in _CHAIN], -1)

    def followed(self, contexts_NK: NDArray[np.int32], tokens_N: NDArray[Any], leave_out: bool = False) -> Followed:
        """Return what is known of each of the contexts and one token after it.

        With `leave_out` the places are taken as places of the counted text itself, each followed by its token, and all
        of them are left out of the counts.
        """
        levels = []
        for order, contexts_N in zip(self._levels, contexts_NK.T, strict=True):
            levels.append(order.followed(contexts_N, order.find(contexts_N, tokens_N), leave_out))
        return Followed(*(np.stack(part, 1) for part in zip(*levels, strict=True)))

    def probabilities(self, contexts_NK: NDArray[np.int32], strengths_K: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probabilities of all tokens after each of the contexts; it is meant for few places."""
        return np.stack([self._after(contexts_K, strengths_K.tolist()) for contexts_K in contexts_NK.tolist()])

    def _after(self, contexts_K: list[int], strengths_K: list[float]) -> NDArray[np.float64]:
        probabilities_V = self.lowest_V.copy()
        levels = zip(self._levels, self._starts, contexts_K, strengths_K, strict=True)
        for order, starts, context, strength in levels:
            if not order.totals[context]:
                continue
            leaning = strength * int(order.types[context])
            whole = int(order.totals[context]) + leaning
            followers = slice(starts[context], starts[context + 1])
            tokens = order.codes[followers] - context * order.base
            probabilities_V *= leaning / whole
            probabilities_V[tokens] += order.counts[followers] / whole
        return probabilities_V

    def known(self, contexts_NK: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return totals_NK and types_NK of the contexts (`Followed`)."""
        pairs = zip(self._levels, contexts_NK.T, strict=True)
        totals, types = zip(*((order.totals[ranks_N], order.types[ranks_N]) for order, ranks_N in pairs), strict=True)
        return np.stack(totals, 1), np.stack(types, 1)
