"""What followed the last tokens where they stood before: a guess at the next token.

The longest group of tokens that ends at a position is looked for in the `MEMORY` tokens before it; where it is found,
what followed it there is the guess. So names and turns of phrase that the training text does not have are known from
the second time on (the match model of Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression",
Florida Tech CS-2005-16, 2005; for words: Merity et al. 2016, "Pointer Sentinel Mixture Models", arXiv 1609.07843).

Axes: B rows, T new positions, P positions before them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MEMORY = 1024
"""Tokens that are looked through."""
LEAST, MOST = 3, 32
"""Tokens of a group that counts as found, and from how many on it does not matter how long it is."""


class Matches:
    """The latest tokens of some rows, to which more are added.

    The latest token stands first, so that a search from the start finds the latest group first.
    """

    def __init__(self, before_BP: NDArray[Any]) -> None:
        """Begin with the tokens before the first position."""
        # So many are gone through, after which all lengths are right.
        latest = min(MOST, before_BP.shape[1])
        earlier_BP = before_BP[:, : before_BP.shape[1] - latest][:, ::-1][:, : MEMORY + 1]
        self._tokens_BP: NDArray[np.int32] = earlier_BP.astype(np.int32)
        # How many tokens up to and with each one are those up to and with the latest one.
        self._lengths_BP: NDArray[np.uint8] = np.zeros(earlier_BP.shape, dtype=np.uint8)
        self.add(before_BP[:, before_BP.shape[1] - latest :])

    def latest(self, count: int) -> NDArray[np.int32]:
        """Return the latest tokens, the last one last, or as many as there are."""
        return self._tokens_BP[:, :count][:, ::-1]

    def add(self, ids_BT: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Return for each of these positions, which follow those before, the guess and the length of its group.

        The length is 0 where there is no guess.
        """
        rows, new = ids_BT.shape
        tokens_BP = np.concatenate((ids_BT[:, ::-1].astype(np.int32), self._tokens_BP), 1)
        # Behind the oldest token stands a length of 0.
        lengths_BP = np.concatenate(
            (np.zeros((rows, new), np.uint8), self._lengths_BP, np.zeros((rows, 1), np.uint8)), 1
        )
        guesses_BT, found_BT = np.zeros((rows, new), np.int32), np.zeros((rows, new), np.uint8)
        every = np.arange(rows)
        for place in range(new - 1, -1, -1):
            first, end = place + 1, min(place + 1 + MEMORY, tokens_BP.shape[1])
            if first == end:
                continue
            same_BP = tokens_BP[:, first:end] == tokens_BP[:, place, None]
            longer_BP = np.minimum(lengths_BP[:, first + 1 : end + 1], np.uint8(MOST - 1)) + np.uint8(1)
            lengths_BP[:, first:end] = longer_BP * same_BP
            best_B = lengths_BP[:, first:end].argmax(1)
            # The token after the one at which the group ends stands before it.
            guesses_BT[:, new - 1 - place] = tokens_BP[every, place + best_B]
            found_BT[:, new - 1 - place] = lengths_BP[every, first + best_B]
        found_BT[found_BT < LEAST] = 0
        self._tokens_BP, self._lengths_BP = tokens_BP[:, : MEMORY + 1], lengths_BP[:, :-1][:, : MEMORY + 1]
        return guesses_BT, found_BT
