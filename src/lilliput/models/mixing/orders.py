"""Which tokens followed which groups of tokens in a text, level by level, as sorted integers.

What follows a context is held as rank of the context * base + token; the rank of a group is its place among the sorted
ones. With the counts goes their interpolation with those of a less specific context (`counts`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.segments import WHOLE, Starts, segments

UNKNOWN = -1
"""The rank of a context that was never counted."""


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


def count_orders(ids: NDArray[np.int32], order: int, base: int, starts: Starts = WHOLE) -> Iterator[Order]:
    """Yield the counts of the groups of 1 to `order` of the tokens `ids`, which are below `base`.

    No group reaches from one segment, as they begin at `starts`, into another. A text shorter than `order` has fewer
    orders.
    """
    order = min(order, len(ids))
    occurring = np.flatnonzero(np.bincount(ids))
    if len(occurring).bit_length() * order <= 64:
        yield from _count_packed(ids, order, base, occurring, starts)
        return
    ranks, distinct = np.zeros(len(ids), dtype=np.int32), 1
    ends = [part.stop for part in segments(len(ids), starts)]
    # Where the groups begin, and how many tokens there are from there to the end of the segment.
    places = np.arange(len(ids), dtype=np.int32)
    room = np.repeat(np.array(ends, np.int32), np.diff(ends, prepend=0)) - places
    for n in range(1, order + 1):
        fit = room >= n
        places, room = places[fit], room[fit]
        counted, ranks = count_followers(ranks[fit], ids[places + (n - 1)], base, distinct)
        distinct = counted.groups
        yield counted
        del counted


def _count_packed(
    ids: NDArray[np.int32], order: int, base: int, occurring: NDArray[np.int64], starts: Starts
) -> Iterator[Order]:
    """Count few different tokens: their longest groups, as one number each, are sorted, and with them all shorter ones.

    Behind each segment stands a token of its own; what holds it is not counted.
    """
    keys, distinct = np.zeros(len(ids), dtype=np.uint64), 1
    nothing, bits = len(occurring), len(occurring).bit_length()
    numbers = np.zeros(occurring[-1] + 1, dtype=np.uint64)
    numbers[occurring] = np.arange(nothing)
    padded = np.append(numbers[ids], np.full(order - 1, nothing, dtype=np.uint64))
    for place in range(order):
        keys <<= np.uint64(bits)
        keys |= padded[place : place + len(ids)]
    borders = np.array(starts[1:], dtype=np.int64)
    # The nearest border behind a place comes last.
    for distance in range(order - 1, 0, -1):
        shift = bits * (order - distance)
        behind = sum(nothing << bits * place for place in range(order - distance))
        near = borders[borders >= distance] - distance
        keys[near] = keys[near] >> np.uint64(shift) << np.uint64(shift) | np.uint64(behind)
    keys.sort()
    ranks = np.zeros(len(ids), dtype=np.int32)
    for n in range(1, order + 1):
        groups = keys >> np.uint64(bits * (order - n))
        firsts, counts = runs(groups)
        tokens = (groups[firsts] & np.uint64((1 << bits) - 1)).astype(np.int64)
        whole = tokens < nothing
        codes = ranks[firsts[whole]] * np.int64(base) + occurring[tokens[whole]]
        counted = order_of(codes, counts[whole], distinct, base)
        ranks = np.repeat(np.cumsum(whole, dtype=np.int32) - 1, counts)
        distinct = counted.groups
        yield counted
        del counted


def count_followers(
    contexts: NDArray[np.int32], tokens: NDArray[np.int32], base: int, distinct: int
) -> tuple[Order, NDArray[np.int32]]:
    """Count what followed the contexts (ranks below `distinct`); return also the ranks of the groups of both."""
    codes = contexts.astype(np.int64)
    codes *= base
    codes += tokens
    codes, by_code = _in_order(codes, distinct * base)
    firsts, counts = runs(codes)
    ranks = np.empty(len(codes), dtype=np.int32)
    ranks[by_code] = np.repeat(np.arange(len(firsts), dtype=np.int32), counts)
    return order_of(codes[firsts], counts, distinct, base), ranks


def _in_order(codes: NDArray[np.int64], end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return codes, which are below `end`, in their order, and where each stood.

    Sorting numbers takes half the time of `argsort`, so the places go into the lowest bits where there is room.
    """
    bits = len(codes).bit_length()
    if end << bits > np.iinfo(np.int64).max:
        by_code = np.argsort(codes)
        return codes[by_code], by_code
    keys = codes << bits
    keys |= np.arange(len(codes))
    keys.sort()
    return keys >> bits, keys & ((1 << bits) - 1)


def runs(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return where runs of the same value begin, and how long each is."""
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return starts, np.diff(starts, append=len(values)).astype(np.int32)


def order_of(codes: NDArray[np.int64], counts: NDArray[np.int32], distinct: int, base: int) -> Order:
    """Return the counts of groups, told by their sorted codes, of which the contexts are ranks below `distinct`."""
    parents = codes // base
    totals = np.bincount(parents, weights=counts, minlength=distinct + 1).astype(np.int32)
    types = np.bincount(parents, minlength=distinct + 1).astype(np.int32)
    nothing = np.iinfo(np.int64).max
    return Order(base, np.append(codes, nothing), np.append(counts, np.int32(0)), totals, types)
