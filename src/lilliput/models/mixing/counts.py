"""Counts of what followed which context in a text, and what counting alone predicts.

Every context is interpolated with a less specific one by Witten-Bell smoothing (Witten & Bell, "The Zero-Frequency
Problem", IEEE Transactions on Information Theory 37, 1991, method C; the recursive form of Chen & Goodman, "An
Empirical Study of Smoothing Techniques for Language Modeling", TR-10-98, 1998, section 2.5):

    p_n(c | context) = (count(context c) + strength_n types(context) p_{n-1}(c | less specific context))
                       / (total(context) + strength_n types(context))

where `types` is the number of different tokens that followed the context; Witten & Bell use strengths of 1. Any part of
the counted text can be excluded from the counts: then it gets the probabilities of an unseen text.

A context is the last few tokens, or the last words (`words`). Groups of a context and the next token are sorted
integers: rank of the context * base + token. The rank of a group of tokens is that of the next longer context; a
context of words has the rank of its hash. Left out: pruning, and Kneser-Ney discounts, which gain little on characters.

Axes: B rows, T time, P positions before them, N positions, V vocabulary, K levels.
"""

from collections.abc import Sequence
from copy import copy
from functools import partial
from threading import Semaphore
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lilliput.beside import Beside
from lilliput.models.mixing.orders import UNKNOWN, Order, count_followers, count_orders, order_of, runs
from lilliput.models.mixing.words import CONTEXTS, REACH, Words, WordTrail
from lilliput.segments import WHOLE, Starts, segments, starts_behind

MOST_TOKENS = 4_000_000
"""Only the last tokens of a longer text are counted, which bounds memory and time."""
AT_ONCE = 250_000
"""Tokens per batch of word contexts: bounds the memory and does not change the result."""
LONGEST = 8
"""The length of the longest counted group in tokens, the last included."""
_NUMBER_BITS = 41
"""The bits kept of the hash of a context of words; collisions are rare and hardly matter."""
_CHAIN = (0, 1, 2, 3, LONGEST, 4, 5, LONGEST + 1, LONGEST + 2, 6, 7, LONGEST + 3)
"""The levels, the least specific first: below `LONGEST` the tokens in the context, from there on contexts of words."""
LEVELS = len(_CHAIN)


def _count_tokens(ids: NDArray[np.int32], base: int, starts: Starts) -> list[Order]:
    """Count the groups of up to `LONGEST` tokens; orders longer than the text are empty."""
    orders = list(count_orders(ids, LONGEST, base, starts))
    empty = np.zeros(0, dtype=np.int32)
    while len(orders) < LONGEST:
        orders.append(count_followers(empty, empty, base, orders[-1].groups)[0])
    return orders


def _count_words(ids: NDArray[np.int32], base: int, pieces: list["_HashedContexts"]) -> tuple[Order, NDArray[np.int64]]:
    """Count the tokens after one kind of contexts of words; return also the sorted hashes of the contexts."""
    positions, hashes = (np.concatenate(part) for part in zip(*pieces, strict=True))
    pieces.clear()
    bits = (base - 1).bit_length()
    keys = hashes << bits
    keys |= ids[positions + 1]
    keys.sort()
    firsts, counts = runs(keys)
    keys = keys[firsts]
    hashes, tokens = keys >> bits, keys & ((1 << bits) - 1)
    starts, groups = runs(hashes)
    codes = np.repeat(np.arange(len(starts), dtype=np.int64) * base, groups) + tokens
    return order_of(codes, counts, len(starts), base), np.append(hashes[starts], np.iinfo(np.int64).max)


_HashedContexts = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Positions, and the hash of the context at each, of `_NUMBER_BITS` bits."""


def _contexts_of_words(ids: NDArray[np.int32], words: Words, starts: Starts) -> list[list[_HashedContexts]]:
    """Return for each kind of context, in pieces, the positions with a valid context and a next token, and its hash."""
    kinds: list[list[_HashedContexts]] = [[] for _ in CONTEXTS]
    for part in segments(len(ids), starts):
        for start in range(part.start, max(part.start + 1, part.stop - 1), AT_ONCE):
            before = max(part.start, start + 1 - REACH)
            piece = ids[None, before : min(start + AT_ONCE, part.stop - 1)]
            numbers_TW, valid_TW = (array[0, start - before :] for array in words.contexts(piece))
            for column, pieces in enumerate(kinds):
                positions = np.flatnonzero(valid_TW[:, column]).astype(np.int32)
                pieces.append((positions + np.int32(start), _short(numbers_TW[positions, column])))
    return kinds


def _short(numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the upper bits of the hashes, which depend on the whole context."""
    return (numbers >> np.uint64(64 - _NUMBER_BITS)).astype(np.int64)


class Followed(NamedTuple):
    """The counts at N positions, from the least specific level to the most specific."""

    counts_NK: NDArray[np.int32]
    """How often the given token followed the context."""
    totals_NK: NDArray[np.int32]
    """How often any token followed it; 0 for an unknown context."""
    types_NK: NDArray[np.int32]
    """How many different tokens followed it."""


class Counts:
    """The counts of all levels of a text, as a model of the next token.

    Segments begin at `starts`; contexts do not reach across their borders.
    """

    def __init__(self, ids: NDArray[Any], words: Words, vocab_size: int, starts: Starts = WHOLE) -> None:
        self.vocab_size, self._words = vocab_size, words
        counted = ids[-MOST_TOKENS:].astype(np.int32)
        starts = starts_behind(starts, len(ids) - len(counted))
        # Sorting is most of the work and releases the GIL.
        slots = Semaphore(2)
        beside = Beside(partial(_count_tokens, counted, vocab_size, starts), slots)
        contexts = _contexts_of_words(counted, words, starts)
        counting = [Beside(partial(_count_words, counted, vocab_size, context), slots) for context in contexts]
        by_words = [one.result() for one in counting]
        self._suffixes, self._numbers = beside.result(), [numbers for _, numbers in by_words]
        orders = [*self._suffixes, *(order for order, _ in by_words)]
        self._levels = [orders[number] for number in _CHAIN]
        # The tokens after a context are contiguous: from its start to the start of the next context.
        self._starts = [np.append(np.int32(0), np.cumsum(order.types, dtype=np.int32)) for order in self._levels]
        # Below all levels. Tokens that never occur, such as bytes of rare characters, share the weight of one position.
        occurs_V = np.bincount(counted, minlength=vocab_size) > 0
        absent = vocab_size - int(occurs_V.sum())
        rest = 1 / (len(counted) + 1) if absent else 0.0
        self.lowest_V = np.where(occurs_V, (1 - rest) / max(1, vocab_size - absent), rest / max(1, absent))

    def contexts(self, ids_BT: NDArray[Any], before_BP: NDArray[Any]) -> NDArray[np.int32]:
        """Return contexts_BTK: the rank of the context that ends with each position, for every level.

        `before_BP` are the preceding tokens; only the last `REACH` of them matter.
        """
        all_BT, new = np.concatenate((before_BP[:, 1 - REACH :], ids_BT), 1), ids_BT.shape[1]
        # Groups of tokens are shorter than contexts of words.
        near_BT = all_BT[:, max(0, all_BT.shape[1] - new - LONGEST + 2) :]
        groups = [np.zeros(near_BT.shape, dtype=np.int32)]
        for order in self._suffixes[:-1]:
            # The next longer group that ends at a position is this one, ending a position before, and one more token.
            earlier_BT = groups[-1]
            if len(groups) > 1:
                earlier_BT = np.full(near_BT.shape, UNKNOWN, dtype=np.int32)
                earlier_BT[:, 1:] = groups[-1][:, :-1]
            groups.append(order.find(earlier_BT, near_BT))
        ranks = [group[:, near_BT.shape[1] - new :] for group in groups]
        numbers_BTW, valid_BTW = self._words.contexts(all_BT)
        numbers_BTW, valid_BTW = numbers_BTW[:, -new:], valid_BTW[:, -new:]
        for column, numbers in enumerate(self._numbers):
            wanted_BT = _short(numbers_BTW[..., column])
            ranks_BT = np.searchsorted(numbers[:-1], wanted_BT)
            met_BT = valid_BTW[..., column] & (numbers[ranks_BT] == wanted_BT)
            ranks.append(np.where(met_BT, ranks_BT, UNKNOWN).astype(np.int32))
        return np.stack([ranks[number] for number in _CHAIN], -1)

    def followed(self, contexts_NK: NDArray[np.int32], tokens_N: NDArray[Any], leave_out: bool = False) -> Followed:
        """Return the counts of each context and one token after it.

        With `leave_out` the contexts and tokens are positions of the counted text, and all of them are excluded from
        the counts.
        """
        levels = []
        for order, contexts_N in zip(self._levels, contexts_NK.T, strict=True):
            levels.append(order.followed(contexts_N, order.find(contexts_N, tokens_N), leave_out))
        return Followed(*(np.stack(part, 1) for part in zip(*levels, strict=True)))

    def probabilities(self, contexts_NK: NDArray[np.int32], strengths_K: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probabilities of all tokens after each of the contexts; meant for few positions."""
        return np.stack([self.after(contexts_K, strengths_K.tolist()) for contexts_K in contexts_NK.tolist()])

    def after(self, contexts_K: Sequence[int], strengths_K: Sequence[float]) -> NDArray[np.float64]:
        """Return the probabilities of all tokens after one context."""
        tokens, counts, shares, lengths = [], [], [], []
        # From the most specific level down: the probability left for the levels below.
        left = 1.0
        levels = zip(self._levels[::-1], self._starts[::-1], contexts_K[::-1], strengths_K[::-1], strict=True)
        for order, starts, context, strength in levels:
            total = int(order.totals[context])
            if not total:
                continue
            first, end = int(starts[context]), int(starts[context + 1])
            smoothing = strength * (end - first)
            tokens.append(order.codes[first:end] - context * order.base)
            counts.append(order.counts[first:end])
            shares.append(left / (total + smoothing))
            lengths.append(end - first)
            left *= smoothing / (total + smoothing)
        if not tokens:
            return self.lowest_V.copy()
        weights = np.concatenate(counts) * np.repeat(shares, lengths)
        probabilities_V: NDArray[np.float64] = left * self.lowest_V
        probabilities_V += np.bincount(np.concatenate(tokens), weights, self.vocab_size)
        return probabilities_V

    def met(self, contexts_K: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return totals_K and types_K at one position (`Followed`)."""
        pairs = [(order.totals[rank], order.types[rank]) for order, rank in zip(self._levels, contexts_K, strict=True)]
        totals_K, types_K = np.array(pairs).T
        return totals_K, types_K

    def trail(self, before: Sequence[int] = ()) -> "CountTrail":
        """Return a trail, which updates the contexts of a text token by token, starting after these tokens."""
        trail = CountTrail(self._suffixes, self._numbers, self._words.trail())
        for token in before[:-LONGEST]:
            trail.skip(token)
        for token in before[-LONGEST:]:
            trail.add(token)
        return trail

    def known(self, contexts_NK: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return totals_NK and types_NK of the contexts (`Followed`)."""
        pairs = zip(self._levels, contexts_NK.T, strict=True)
        totals, types = zip(*((order.totals[ranks_N], order.types[ranks_N]) for order, ranks_N in pairs), strict=True)
        return np.stack(totals, 1), np.stack(types, 1)


class CountTrail:
    """The contexts of one text, updated token by token: the same as `Counts.contexts`, without arrays."""

    def __init__(self, suffixes: Sequence[Order], numbers: Sequence[NDArray[np.int64]], words: WordTrail) -> None:
        self._suffixes, self._numbers, self._words = suffixes, numbers, words
        self._ranks = [0] + [UNKNOWN] * (LONGEST - 1)
        """The ranks of the groups of the last 0, 1, 2, ... tokens."""

    def __copy__(self) -> "CountTrail":
        other = CountTrail(self._suffixes, self._numbers, copy(self._words))
        other._ranks = self._ranks
        return other

    def skip(self, token: int) -> None:
        """Add a token that only contexts of words need: at least `LONGEST` others must follow."""
        self._words.add(token)

    def add(self, token: int) -> list[int]:
        """Return contexts_K after one more token."""
        ranks = [0]
        for order, earlier in zip(self._suffixes[:-1], self._ranks, strict=False):
            ranks.append(_find(order.codes, earlier * order.base + token) if earlier >= 0 else UNKNOWN)
        self._ranks = ranks
        contexts = list(ranks)
        for numbers, number in zip(self._numbers, self._words.add(token), strict=True):
            contexts.append(UNKNOWN if number is None else _find(numbers, number >> (64 - _NUMBER_BITS)))
        return [contexts[number] for number in _CHAIN]


def _find(values: NDArray[np.int64], wanted: int) -> int:
    """Return the index of a number among sorted ones; `UNKNOWN` if it is missing."""
    index = int(values.searchsorted(wanted))
    return index if values[index] == wanted else UNKNOWN
