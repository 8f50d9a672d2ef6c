"""Counts of the groups of tokens of a text, and what counting alone predicts.

Every order is interpolated with the next lower one by Witten-Bell smoothing (Witten & Bell, "The Zero-Frequency
Problem", IEEE Transactions on Information Theory 37, 1991, method C; the recursive form of Chen & Goodman, "An
Empirical Study of Smoothing Techniques for Language Modeling", TR-10-98, 1998, section 2.5):

    p_n(c | context) = (count(context c) + types(context) p_{n-1}(c | shorter context))
                       / (total(context) + types(context))

where `types` is the number of different tokens that followed the context. For a text that was itself counted, a
place can be left out of the counts (leave-one-out: Ney, Essen & Kneser, "On the Estimation of Small Probabilities by
Leaving-One-Out", IEEE TPAMI 17, 1995): then its probability is what an unseen text would get.

The groups are held as sorted integers. The code of a group of n is (rank of its first n - 1 tokens among the groups
of n - 1) * base + last token: it stays small at any order and vocabulary, and the rank is at once the index of the
context's totals. Left out: pruning, and Kneser-Ney discounts, which gain little on characters.

Axes: B rows, T time, N places, S tokens asked for at each place, K orders.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
"""The rank of a group that was never counted."""
MOST_TOKENS = 4_000_000
"""Of a longer text its end is counted, which bounds memory and time."""


@dataclass(frozen=True)
class Order:
    """The groups of one length, and the contexts that they continue."""

    base: int
    """Tokens are below it."""
    codes: NDArray[np.int64]
    """Sorted codes of the groups; the position is the rank."""
    counts: NDArray[np.int32]
    totals: NDArray[np.int32]
    """By the rank of the context: how often anything followed it."""
    types: NDArray[np.int32]
    """By the rank of the context: how many different tokens followed it."""

    def find(self, contexts: NDArray[np.int32], tokens: NDArray[Any]) -> NDArray[np.int32]:
        """Return the ranks of the groups of `contexts` (ranks of the next lower order) and `tokens`."""
        codes = np.where(contexts >= 0, contexts * np.int64(self.base) + tokens, -1)
        places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[places] == codes, places, UNKNOWN).astype(np.int32)

    def interpolate(
        self,
        contexts: NDArray[np.int32],
        ranks: NDArray[np.int32],
        lower: NDArray[np.float64],
        leave_one_out: bool = False,
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
        """Return the probabilities of this order, `lower` being those of the next lower one, and totals and types.

        `ranks` are those of the groups (`find`). A context that was never met, or met and never continued, has the
        total 0, and leaves `lower` as it is.
        """
        # A context of rank -1 was never met; one that ends the text was met and never continued.
        known = contexts >= 0
        counts = np.where(ranks >= 0, self.counts[ranks], 0)
        totals = np.where(known, self.totals[contexts], 0)
        types = np.where(known, self.types[contexts], 0)
        if leave_one_out:
            own = (counts > 0).astype(np.int32)
            types, counts, totals = types - (counts == 1), counts - own, totals - own
        higher = (counts + types * lower) / np.maximum(totals + types, 1)
        return np.where(totals > 0, higher, lower), totals, types


def count_orders(ids: NDArray[np.int32], order: int, base: int) -> Iterator[Order]:
    """Yield the counts of the groups of 1 to `order` of the tokens `ids`, which are below `base`.

    A text shorter than `order` has fewer orders.
    """
    ranks, distinct = np.zeros(len(ids), dtype=np.int32), 1
    for n in range(1, min(order, len(ids)) + 1):
        codes = ranks[: len(ids) - n + 1].astype(np.int64)
        codes *= base
        codes += ids[n - 1 :]
        by_code = np.argsort(codes)
        codes = codes[by_code]
        new = np.append(True, codes[1:] != codes[:-1])
        ranks = np.empty(len(codes), dtype=np.int32)
        ranks[by_code] = np.cumsum(new, dtype=np.int32) - 1
        del by_code
        firsts = np.flatnonzero(new)
        unique, counts = codes[firsts], np.diff(firsts, append=len(codes)).astype(np.int32)
        del codes, new, firsts
        parents = unique // base
        totals = np.bincount(parents, weights=counts, minlength=distinct).astype(np.int32)
        types = np.bincount(parents, minlength=distinct).astype(np.int32)
        distinct = len(unique)
        yield Order(base, unique, counts, totals, types)
        del unique, counts, parents, totals, types


class Predicted(NamedTuple):
    """What counting predicts at N places."""

    probabilities_NS: NDArray[np.float64]
    matched_N: NDArray[np.int32]
    """The highest order that knows the context; 0 if none does, as in an empty text."""
    totals_N: NDArray[np.int32]
    """How often that context was followed by anything."""
    types_N: NDArray[np.int32]
    """By how many different tokens."""


class Counts:
    """The counts of all orders of a text, as a model: what comes after any tokens."""

    def __init__(self, ids: NDArray[Any], longest: int, vocab_size: int) -> None:
        self.longest, self.vocab_size = longest, vocab_size
        counted = ids[-MOST_TOKENS:].astype(np.int32)
        self._orders = list(count_orders(counted, longest, vocab_size))
        # The groups that continue a context stand together: from its start to the next one's.
        self._starts = [np.append(0, np.cumsum(order.types)) for order in self._orders]
        # Below all orders. Tokens that never occur, as those that spell rare characters, share what one place weighs.
        occurs_V = np.bincount(counted, minlength=vocab_size) > 0
        absent = vocab_size - int(occurs_V.sum())
        rest = 1 / (len(counted) + 1) if absent else 0.0
        self._lowest_V = np.where(occurs_V, (1 - rest) / max(1, vocab_size - absent), rest / max(1, absent))

    def contexts(self, ids_BT: NDArray[Any], before_BP: NDArray[Any]) -> NDArray[np.int32]:
        """Return contexts_BTK: the ranks of the last 0, 1, ... `longest - 1` tokens up to and with each position.

        `before_BP` are the tokens before; those that are too far back to matter may be left out.
        """
        all_BT = np.concatenate((before_BP[:, -(self.longest - 1) :], ids_BT), 1)
        shape_BTK = (*all_BT.shape, self.longest)
        contexts_BTK = np.full(shape_BTK, UNKNOWN, dtype=np.int32)
        contexts_BTK[:, :, 0] = 0
        earlier_BT = contexts_BTK[:, :, 0]
        for n, order in enumerate(self._orders[: self.longest - 1], 1):
            contexts_BTK[:, :, n] = order.find(earlier_BT, all_BT)
            # The next longer group that ends at a position is this one, ending a position before, and one more token.
            earlier_BT = np.full(all_BT.shape, UNKNOWN, dtype=np.int32)
            earlier_BT[:, 1:] = contexts_BTK[:, :-1, n]
        return contexts_BTK[:, all_BT.shape[1] - ids_BT.shape[1] :]

    def predict(self, contexts_NK: NDArray[np.int32], tokens_N: NDArray[Any], leave_one_out: bool = False) -> Predicted:
        """Return the probability of one token after each of the contexts (S is 1).

        With `leave_one_out` the places are taken as places of the counted text itself, each followed by its token,
        and each is left out of the counts that it is predicted from.
        """
        probabilities_N = self._lowest_V[tokens_N]
        matched_N, totals_N, types_N = (np.zeros(len(tokens_N), dtype=np.int32) for _ in range(3))
        for n, order in enumerate(self._orders):
            ranks_N = order.find(contexts_NK[:, n], tokens_N)
            probabilities_N, met_N, followers_N = order.interpolate(
                contexts_NK[:, n], ranks_N, probabilities_N, leave_one_out
            )
            known_N = met_N > 0
            matched_N = np.where(known_N, np.int32(n + 1), matched_N)
            totals_N = np.where(known_N, met_N, totals_N)
            types_N = np.where(known_N, followers_N, types_N)
        return Predicted(probabilities_N[:, None], matched_N, totals_N, types_N)

    def predict_all(self, contexts_NK: NDArray[np.int32]) -> Predicted:
        """Return the probabilities of all tokens after each of the contexts (S is V); it is meant for few places."""
        probabilities_NV = np.tile(self._lowest_V, (len(contexts_NK), 1))
        matched_N, totals_N, types_N = (np.zeros(len(contexts_NK), dtype=np.int32) for _ in range(3))
        for place, contexts_K in enumerate(contexts_NK.tolist()):
            probabilities_V = probabilities_NV[place]
            for n, (order, starts) in enumerate(zip(self._orders, self._starts, strict=True)):
                context = contexts_K[n]
                if context < 0 or not order.totals[context]:
                    continue
                total, types = int(order.totals[context]), int(order.types[context])
                followers = slice(starts[context], starts[context + 1])
                tokens = order.codes[followers] - context * order.base
                probabilities_V *= types / (total + types)
                probabilities_V[tokens] += order.counts[followers] / (total + types)
                matched_N[place], totals_N[place], types_N[place] = n + 1, total, types
        return Predicted(probabilities_NV, matched_N, totals_N, types_N)
