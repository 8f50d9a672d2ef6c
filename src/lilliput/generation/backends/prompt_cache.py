"""The prompt cache: a prompt that shares a prefix with an earlier one is read only after that prefix.

A transformer can reuse any common prefix, since the keys and values of a position depend only on the tokens up to it.
The state of a recurrent network can be reused only if the whole earlier prompt is a prefix of the new one.

Axes: P positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 8
"""Prompts in the cache."""
ROOM = 100_000_000
"""Bytes for all prompts together; the latest prompt is kept even if it is larger."""


@dataclass(frozen=True, slots=True)
class CachedPrompt:
    """The tokens of a prompt, its keys and values or the state after it, and the outputs for the next token."""

    ids_P: NDArray[np.int64]
    caches: list[NDArray[np.float32]]
    outputs: tuple[NDArray[np.float32], ...]

    @property
    def bytes(self) -> int:
        """Return the size of all arrays."""
        return sum(array.nbytes for array in (*self.caches, *self.outputs))


class PromptCache:
    """The latest prompts, the last one first. With `positions`, their caches have an entry for each position."""

    def __init__(self, positions: bool) -> None:
        self._positions = positions
        self._prompts: list[CachedPrompt] = []

    def store(
        self, ids: Sequence[int], caches: Sequence[NDArray[np.float32]], outputs: Sequence[NDArray[np.float32]]
    ) -> None:
        """Store a copy of the caches of a row that holds `ids`, and of the outputs after them."""
        if self._positions:
            caches = [array[:, :, : len(ids)] for array in caches]
        read_P = np.array(ids, np.int64)
        new = CachedPrompt(read_P, [array.copy() for array in caches], tuple(array.copy() for array in outputs))
        # The new prompt contains the positions of those that are its prefixes.
        others = [
            old for old in self._prompts if not (self._positions and _common(old.ids_P, read_P) == len(old.ids_P))
        ]
        self._prompts = [new, *others][:MOST]
        while len(self._prompts) > 1 and sum(prompt.bytes for prompt in self._prompts) > ROOM:
            self._prompts.pop()

    def restore(
        self, ids: Sequence[int], caches: Sequence[NDArray[Any]]
    ) -> tuple[int, tuple[NDArray[np.float32], ...]]:
        """Fill the caches of a row with the longest stored prefix of `ids`; return the number of its positions.

        The second value is the outputs for the next token if the prefix is all of `ids`, else empty.
        """
        ids_P = np.array(ids, np.int64)
        best, count = None, 0
        for prompt in self._prompts:
            common = _common(prompt.ids_P, ids_P)
            whole = common == len(prompt.ids_P)
            if common == len(ids_P) and not whole:
                common -= 1  # the outputs after the last one are not stored
            if common > count and (whole or self._positions):
                best, count = prompt, common
        if best is None:
            return 0, ()
        for array, stored in zip(caches, best.caches, strict=True):
            if self._positions:
                array[:, :, :count] = stored[:, :, :count]
            else:
                array[...] = stored
        return count, best.outputs if count == len(ids_P) else ()


def _common(one_P: NDArray[np.int64], other_P: NDArray[np.int64]) -> int:
    """Return the length of the common prefix."""
    shorter = min(len(one_P), len(other_P))
    differ = np.flatnonzero(one_P[:shorter] != other_P[:shorter])
    return int(differ[0]) if len(differ) else shorter
