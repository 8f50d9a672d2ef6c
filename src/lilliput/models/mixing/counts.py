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
"""Of a longer text its end is counted, which bounds memory and time."""
AT_ONCE = 250_000
"""Tokens whose words are told at a time: bounds the memory; the result does not depend on it."""
LONGEST = 8
"""Tokens of the longest group that is counted, the last included."""
_NUMBER_BITS = 41
"""Of the numbers of contexts of words so many are kept; that two contexts share one happens, and hardly matters."""
_CHAIN = (0, 1, 2, 3, LONGEST, 4, 5, LONGEST + 1, LONGEST + 2, 6, 7, LONGEST + 3)
"""The levels, the least specific first: below `LONGEST` the tokens in the context, from there on contexts of words."""
LEVELS = len(_CHAIN)


def _count_tokens(ids: NDArray[np.int32], base: int, starts: Starts) -> list[Order]:
    """Count the groups of up to `LONGEST` tokens; of a shorter text the longer ones are empty."""
    orders = list(count_orders(ids, LONGEST, base, starts))
    nothing = np.zeros(0, dtype=np.int32)
    while len(orders) < LONGEST:
        orders.append(count_followers(nothing, nothing, base, orders[-1].groups)[0])
    return orders


def _count_words(ids: NDArray[np.int32], base: int, pieces: list["_Places"]) -> tuple[Order, NDArray[np.int64]]:
    """Count what followed one kind of contexts of words; return also their numbers, in order."""
    places, known = (np.concatenate(part) for part in zip(*pieces, strict=True))
    pieces.clear()
    bits = (base - 1).bit_length()
    keys = known << bits
    keys |= ids[places + 1]
    keys.sort()
    firsts, counts = runs(keys)
    keys = keys[firsts]
    known, tokens = keys >> bits, keys & ((1 << bits) - 1)
    starts, groups = runs(known)
    codes = np.repeat(np.arange(len(starts), dtype=np.int64) * base, groups) + tokens
    return order_of(codes, counts, len(starts), base), np.append(known[starts], np.iinfo(np.int64).max)


_Places = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Some places, and the number of the context there, of `_NUMBER_BITS`."""


def _contexts_of_words(ids: NDArray[np.int32], words: Words, starts: Starts) -> list[list[_Places]]:
    """Return for each kind of context, in pieces, the places before a token that know theirs, and its number."""
    found: list[list[_Places]] = [[] for _ in CONTEXTS]
    for part in segments(len(ids), starts):
        for start in range(part.start, max(part.start + 1, part.stop - 1), AT_ONCE):
            before = max(part.start, start + 1 - REACH)
            piece = ids[None, before : min(start + AT_ONCE, part.stop - 1)]
            numbers_TW, known_TW = (array[0, start - before :] for array in words.contexts(piece))
            for column, pieces in enumerate(found):
                places = np.flatnonzero(known_TW[:, column]).astype(np.int32)
                pieces.append((places + np.int32(start), _short(numbers_TW[places, column])))
    return found


def _short(numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the upper bits of the numbers, which depend on all of a context."""
    return (numbers >> np.uint64(64 - _NUMBER_BITS)).astype(np.int64)


class Followed(NamedTuple):
    """What is known of N places, from the least specific level to the most."""

    counts_NK: NDArray[np.int32]
    """How often the token that is asked for followed the context."""
    totals_NK: NDArray[np.int32]
    """How often anything followed it; 0 if it is not known."""
    types_NK: NDArray[np.int32]
    """How many different tokens followed it."""


class Counts:
    """The counts of all levels of a text, as a model: what comes after any tokens.

    What stands at the end of a segment, as they begin at `starts`, is not followed by the next one.
    """

    def __init__(self, ids: NDArray[Any], words: Words, vocab_size: int, starts: Starts = WHOLE) -> None:
        self.vocab_size, self._words = vocab_size, words
        counted = ids[-MOST_TOKENS:].astype(np.int32)
        starts = starts_behind(starts, len(ids) - len(counted))
        # Sorting, which is most of the work, leaves Python to others.
        places = Semaphore(2)
        beside = Beside(partial(_count_tokens, counted, vocab_size, starts), places)
        contexts = _contexts_of_words(counted, words, starts)
        counting = [Beside(partial(_count_words, counted, vocab_size, context), places) for context in contexts]
        by_words = [one.result() for one in counting]
        self._suffixes, self._numbers = beside.result(), [numbers for _, numbers in by_words]
        orders = [*self._suffixes, *(order for order, _ in by_words)]
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
        numbers_BTW, known_BTW = self._words.contexts(all_BT)
        numbers_BTW, known_BTW = numbers_BTW[:, -new:], known_BTW[:, -new:]
        for column, numbers in enumerate(self._numbers):
            wanted_BT = _short(numbers_BTW[..., column])
            places_BT = np.searchsorted(numbers[:-1], wanted_BT)
            met_BT = known_BTW[..., column] & (numbers[places_BT] == wanted_BT)
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
        return np.stack([self.after(contexts_K, strengths_K.tolist()) for contexts_K in contexts_NK.tolist()])

    def after(self, contexts_K: Sequence[int], strengths_K: Sequence[float]) -> NDArray[np.float64]:
        """Return the probabilities of all tokens after one context."""
        tokens, counts, shares, lengths = [], [], [], []
        # From the most specific level down: what of the whole is left for those below.
        left = 1.0
        levels = zip(self._levels[::-1], self._starts[::-1], contexts_K[::-1], strengths_K[::-1], strict=True)
        for order, starts, context, strength in levels:
            total = int(order.totals[context])
            if not total:
                continue
            first, end = int(starts[context]), int(starts[context + 1])
            leaning = strength * (end - first)
            tokens.append(order.codes[first:end] - context * order.base)
            counts.append(order.counts[first:end])
            shares.append(left / (total + leaning))
            lengths.append(end - first)
            left *= leaning / (total + leaning)
        if not tokens:
            return self.lowest_V.copy()
        weights = np.concatenate(counts) * np.repeat(shares, lengths)
        found_V: NDArray[np.float64] = left * self.lowest_V
        found_V += np.bincount(np.concatenate(tokens), weights, self.vocab_size)
        return found_V

    def met(self, contexts_K: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return totals_K and types_K of one place (`Followed`)."""
        pairs = [(order.totals[rank], order.types[rank]) for order, rank in zip(self._levels, contexts_K, strict=True)]
        totals_K, types_K = np.array(pairs).T
        return totals_K, types_K

    def trail(self, before: Sequence[int] = ()) -> "CountTrail":
        """Return what tells the contexts of a text, of which these tokens are known, token by token."""
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
    """The contexts of one text as its tokens come: the same as those of `Counts.contexts`, without arrays."""

    def __init__(self, suffixes: Sequence[Order], numbers: Sequence[NDArray[np.int64]], words: WordTrail) -> None:
        self._suffixes, self._numbers, self._words = suffixes, numbers, words
        self._ranks = [0] + [UNKNOWN] * (LONGEST - 1)
        """Of the groups of 0, 1, 2, ... tokens that end here."""

    def __copy__(self) -> "CountTrail":
        other = CountTrail(self._suffixes, self._numbers, copy(self._words))
        other._ranks = self._ranks
        return other

    def skip(self, token: int) -> None:
        """Add a token that only contexts of words will reach back to: `LONGEST` others follow before any question."""
        self._words.add(token)

    def add(self, token: int) -> list[int]:
        """Return contexts_K after one more token."""
        ranks = [0]
        for order, earlier in zip(self._suffixes[:-1], self._ranks, strict=False):
            ranks.append(_find(order.codes, earlier * order.base + token) if earlier >= 0 else UNKNOWN)
        self._ranks = ranks
        found = list(ranks)
        for numbers, number in zip(self._numbers, self._words.add(token), strict=True):
            found.append(UNKNOWN if number is None else _find(numbers, number >> (64 - _NUMBER_BITS)))
        return [found[number] for number in _CHAIN]


def _find(values: NDArray[np.int64], wanted: int) -> int:
    """Return where a number stands among sorted ones; `UNKNOWN` where it does not."""
    place = int(values.searchsorted(wanted))
    return place if values[place] == wanted else UNKNOWN
