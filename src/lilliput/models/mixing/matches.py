"""Matches in the preceding text: the token after an earlier occurrence of the latest tokens, as a guess.

The longest group of tokens that ends at a position is searched for in the `MEMORY` tokens before it; the guess is the
token that followed it there. So names and phrases that the training text lacks are predicted from their second
occurrence on (the match model of Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression", Florida
Tech CS-2005-16, 2005; for words: Merity et al. 2016, "Pointer Sentinel Mixture Models", arXiv 1609.07843).

Axes: B rows, T new positions, P positions before them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MEMORY = 1024
"""The number of tokens that are searched."""
LEAST, MOST = 3, 32
"""The shortest match in tokens, and the length at which longer matches are capped."""


class Matches:
    """The latest tokens of some rows; `add` appends more.

    The latest token comes first, so that `argmax` prefers the latest match.
    """

    def __init__(self, before_BP: NDArray[Any]) -> None:
        """Start with the tokens before the first position."""
        # Lengths are capped at MOST, so adding the last MOST tokens one by one makes all of them correct.
        latest = min(MOST, before_BP.shape[1])
        earlier_BP = before_BP[:, : before_BP.shape[1] - latest][:, ::-1][:, : MEMORY + 1]
        self._tokens_BP: NDArray[np.int32] = earlier_BP.astype(np.int32)
        # For each token, the length of the longest common suffix of the text up to it and the whole text.
        self._lengths_BP: NDArray[np.uint8] = np.zeros(earlier_BP.shape, dtype=np.uint8)
        self.add(before_BP[:, before_BP.shape[1] - latest :])

    def latest(self, count: int) -> NDArray[np.int32]:
        """Return up to `count` of the latest tokens, in text order."""
        return self._tokens_BP[:, :count][:, ::-1]

    def add(self, ids_BT: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Append tokens; return the guess after each of them and the length of its match.

        The length is 0 without a guess.
        """
        rows, new = ids_BT.shape
        tokens_BP = np.concatenate((ids_BT[:, ::-1].astype(np.int32), self._tokens_BP), 1)
        # A length of 0 follows that of the oldest token.
        lengths_BP = np.concatenate(
            (np.zeros((rows, new), np.uint8), self._lengths_BP, np.zeros((rows, 1), np.uint8)), 1
        )
        guesses_BT, matched_BT = np.zeros((rows, new), np.int32), np.zeros((rows, new), np.uint8)
        every = np.arange(rows)
        for offset in range(new - 1, -1, -1):
            first, end = offset + 1, min(offset + 1 + MEMORY, tokens_BP.shape[1])
            if first == end:
                continue
            same_BP = tokens_BP[:, first:end] == tokens_BP[:, offset, None]
            longer_BP = np.minimum(lengths_BP[:, first + 1 : end + 1], np.uint8(MOST - 1)) + np.uint8(1)
            lengths_BP[:, first:end] = longer_BP * same_BP
            best_B = lengths_BP[:, first:end].argmax(1)
            # The order is reversed: the token that followed the match has the lower index.
            guesses_BT[:, new - 1 - offset] = tokens_BP[every, offset + best_B]
            matched_BT[:, new - 1 - offset] = lengths_BP[every, first + best_B]
        matched_BT[matched_BT < LEAST] = 0
        self._tokens_BP, self._lengths_BP = tokens_BP[:, : MEMORY + 1], lengths_BP[:, :-1][:, : MEMORY + 1]
        return guesses_BT, matched_BT
