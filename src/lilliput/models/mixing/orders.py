"""Counts of the tokens after each group of tokens in a text, level by level, as sorted integers.

A context and the next token are coded as rank of the context * base + token; the rank of a group is the index of its
code in sorted order. Counts are interpolated with those of a less specific context (`counts`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.segments import WHOLE, Starts, segments

UNKNOWN = -1
"""The rank of a context that does not occur."""


@dataclass(frozen=True)
class Order:
    """The counts of one level; all arrays end with an entry for unknown groups, which have rank -1."""

    base: int
    """All tokens are smaller."""
    codes: NDArray[np.int64]
    """Sorted: rank of the context * base + token; the position is the rank of the group of both."""
    counts: NDArray[np.int32]
    totals: NDArray[np.int32]
    """By the rank of the context: how often any token followed it."""
    types: NDArray[np.int32]
    """By the rank of the context: how many different tokens followed it."""

    @property
    def groups(self) -> int:
        """Return the number of different groups."""
        return len(self.codes) - 1

    def find(self, contexts: NDArray[np.int32], tokens: NDArray[Any]) -> NDArray[np.int32]:
        """Return the ranks of the groups of `contexts` (ranks) and `tokens`."""
        codes = np.where(contexts >= 0, contexts * np.int64(self.base) + tokens, -1)
        positions = np.searchsorted(self.codes, codes)
        return np.where(self.codes[positions] == codes, positions, UNKNOWN).astype(np.int32)

    def followed(
        self, contexts: NDArray[np.int32], ranks: NDArray[np.int32], leave_out: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return the counts of the groups `ranks` (see `find`), and the totals and types of their contexts.

        A context that is unknown or has no next token has the total 0. With `leave_out` the groups are positions of
        the counted text, and all of them are excluded from the counts.
        """
        counts, totals, types = self.counts[ranks], self.totals[contexts], self.types[contexts]
        if leave_out:
            groups, firsts, by_group, repeats = np.unique(
                ranks, return_index=True, return_inverse=True, return_counts=True
            )
            gone = self.counts[groups] == repeats
            counts = counts - np.where(counts > 0, repeats[by_group], 0).astype(np.int32)
            distinct, by_context = np.unique(contexts, return_inverse=True)
            totals = totals - np.bincount(by_context, minlength=len(distinct)).astype(np.int32)[by_context]
            lost = np.bincount(by_context[firsts], weights=gone, minlength=len(distinct)).astype(np.int32)
            types = types - lost[by_context]
            unknown = contexts == UNKNOWN
            totals[unknown], types[unknown] = 0, 0
        return counts, totals, types


def interpolate(
    counts: NDArray[np.int32], totals: NDArray[np.int32], types: NDArray[np.int32], lower: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probabilities of a level, with a strength of 1; `lower` are those of the next less specific level."""
    return np.where(totals > 0, (counts + types * lower) / np.maximum(totals + types, 1), lower)


def count_orders(ids: NDArray[np.int32], order: int, base: int, starts: Starts = WHOLE) -> Iterator[Order]:
    """Yield the counts of the groups of 1 to `order` of the tokens `ids`, which are below `base`.

    Segments begin at `starts`; no group crosses their borders. A text shorter than `order` has fewer
    orders.
    """
    order = min(order, len(ids))
    occurring = np.flatnonzero(np.bincount(ids))
    if len(occurring).bit_length() * order <= 64:
        yield from _count_packed(ids, order, base, occurring, starts)
        return
    ranks, distinct = np.zeros(len(ids), dtype=np.int32), 1
    ends = [part.stop for part in segments(len(ids), starts)]
    # The start of each group, and the number of tokens from there to the end of the segment.
    positions = np.arange(len(ids), dtype=np.int32)
    room = np.repeat(np.array(ends, np.int32), np.diff(ends, prepend=0)) - positions
    for n in range(1, order + 1):
        fit = room >= n
        positions, room = positions[fit], room[fit]
        counted, ranks = count_followers(ranks[fit], ids[positions + (n - 1)], base, distinct)
        distinct = counted.groups
        yield counted
        del counted


def _count_packed(
    ids: NDArray[np.int32], order: int, base: int, occurring: NDArray[np.int64], starts: Starts
) -> Iterator[Order]:
    """Count a text with few different tokens: sorting its longest groups, each packed into one number, sorts all.

    A separator follows each segment; groups that contain it are not counted.
    """
    keys, distinct = np.zeros(len(ids), dtype=np.uint64), 1
    separator, bits = len(occurring), len(occurring).bit_length()
    numbers = np.zeros(occurring[-1] + 1, dtype=np.uint64)
    numbers[occurring] = np.arange(separator)
    padded = np.append(numbers[ids], np.full(order - 1, separator, dtype=np.uint64))
    for offset in range(order):
        keys <<= np.uint64(bits)
        keys |= padded[offset : offset + len(ids)]
    borders = np.array(starts[1:], dtype=np.int64)
    # The nearest border after a position comes last.
    for distance in range(order - 1, 0, -1):
        shift = bits * (order - distance)
        separators = sum(separator << bits * offset for offset in range(order - distance))
        near = borders[borders >= distance] - distance
        keys[near] = keys[near] >> np.uint64(shift) << np.uint64(shift) | np.uint64(separators)
    keys.sort()
    ranks = np.zeros(len(ids), dtype=np.int32)
    for n in range(1, order + 1):
        groups = keys >> np.uint64(bits * (order - n))
        firsts, counts = runs(groups)
        tokens = (groups[firsts] & np.uint64((1 << bits) - 1)).astype(np.int64)
        whole = tokens < separator
        codes = ranks[firsts[whole]] * np.int64(base) + occurring[tokens[whole]]
        counted = order_of(codes, counts[whole], distinct, base)
        ranks = np.repeat(np.cumsum(whole, dtype=np.int32) - 1, counts)
        distinct = counted.groups
        yield counted
        del counted


def count_followers(
    contexts: NDArray[np.int32], tokens: NDArray[np.int32], base: int, distinct: int
) -> tuple[Order, NDArray[np.int32]]:
    """Count the tokens after the contexts (ranks below `distinct`); return also the rank of each group."""
    codes = contexts.astype(np.int64)
    codes *= base
    codes += tokens
    codes, by_code = _in_order(codes, distinct * base)
    firsts, counts = runs(codes)
    ranks = np.empty(len(codes), dtype=np.int32)
    ranks[by_code] = np.repeat(np.arange(len(firsts), dtype=np.int32), counts)
    return order_of(codes[firsts], counts, distinct, base), ranks


def _in_order(codes: NDArray[np.int64], end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sorted codes, which are below `end`, and the original index of each.

    Sorting numbers takes half the time of `argsort`, so the indices go into the lowest bits if they fit.
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
    """Return the start and length of each run of equal values."""
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return starts, np.diff(starts, append=len(values)).astype(np.int32)


def order_of(codes: NDArray[np.int64], counts: NDArray[np.int32], distinct: int, base: int) -> Order:
    """Return the Order of groups with these sorted codes, whose contexts are ranks below `distinct`."""
    parents = codes // base
    totals = np.bincount(parents, weights=counts, minlength=distinct + 1).astype(np.int32)
    types = np.bincount(parents, minlength=distinct + 1).astype(np.int32)
    end = np.iinfo(np.int64).max
    return Order(base, np.append(codes, end), np.append(counts, np.int32(0)), totals, types)
