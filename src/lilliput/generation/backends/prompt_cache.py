"""The prompt cache: a prompt that begins like an earlier one is read only from where the two differ.

For a transformer any common prefix can be reused, since the keys and values of a position follow from the tokens up to
it. The state of a recurrent network can be reused only where the whole earlier prompt is a prefix of the new one.

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
"""Bytes for all of them together; the latest prompt stays whatever it takes."""


@dataclass(frozen=True, slots=True)
class CachedPrompt:
    """A prompt: its tokens, the keys and values or the state behind it, and the outputs for the next token."""

    ids_P: NDArray[np.int64]
    caches: list[NDArray[np.float32]]
    outputs: tuple[NDArray[np.float32], ...]

    @property
    def bytes(self) -> int:
        """Return the size of all arrays."""
        return sum(array.nbytes for array in (*self.caches, *self.outputs))


class PromptCache:
    """The latest prompts, the last one first. With `positions`, their caches have one entry for each position."""

    def __init__(self, positions: bool) -> None:
        self._positions = positions
        self._held: list[CachedPrompt] = []

    def store(
        self, ids: Sequence[int], caches: Sequence[NDArray[np.float32]], outputs: Sequence[NDArray[np.float32]]
    ) -> None:
        """Keep a copy of the caches of a row that holds `ids`, and of the outputs behind them."""
        if self._positions:
            caches = [array[:, :, : len(ids)] for array in caches]
        read_P = np.array(ids, np.int64)
        new = CachedPrompt(read_P, [array.copy() for array in caches], tuple(array.copy() for array in outputs))
        # What the new text goes on from is held in it.
        others = [old for old in self._held if not (self._positions and _common(old.ids_P, read_P) == len(old.ids_P))]
        self._held = [new, *others][:MOST]
        while len(self._held) > 1 and sum(prompt.bytes for prompt in self._held) > ROOM:
            self._held.pop()

    def restore(
        self, ids: Sequence[int], caches: Sequence[NDArray[Any]]
    ) -> tuple[int, tuple[NDArray[np.float32], ...]]:
        """Fill a row's caches with the longest prefix of `ids` in the cache; return the number of its positions.

        The second part are the outputs for the next token if the prefix is all of `ids`, else it is empty.
        """
        wanted_P = np.array(ids, np.int64)
        best, count = None, 0
        for prompt in self._held:
            common = _common(prompt.ids_P, wanted_P)
            whole = common == len(prompt.ids_P)
            if common == len(wanted_P) and not whole:
                common -= 1  # what comes after the last one has to be asked for
            if common > count and (whole or self._positions):
                best, count = prompt, common
        if best is None:
            return 0, ()
        for array, held in zip(caches, best.caches, strict=True):
            if self._positions:
                array[:, :, :count] = held[:, :, :count]
            else:
                array[...] = held
        return count, best.outputs if count == len(wanted_P) else ()


def _common(one_P: NDArray[np.int64], other_P: NDArray[np.int64]) -> int:
    """Return the number of tokens with which both begin."""
    shorter = min(len(one_P), len(other_P))
    differ = np.flatnonzero(one_P[:shorter] != other_P[:shorter])
    return int(differ[0]) if len(differ) else shorter
