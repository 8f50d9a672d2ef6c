"""What was read lately, so that a text that begins like an earlier one is read only from where it differs.

Of a transformer any beginning of what was read can be taken up, since the keys and values of a position follow from the
tokens up to it; of a state only what was read as a whole.

Axes: P positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 8
"""Texts that are held."""
ROOM = 100_000_000
"""Bytes that they take together; the latest is held whatever it takes."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A text that was read: its tokens, what the network carries, and what it said of the next token."""

    ids_P: NDArray[np.int64]
    caches: list[NDArray[np.float32]]
    outputs: tuple[NDArray[np.float32], ...]

    @property
    def bytes(self) -> int:
        """Return the room that it takes."""
        return sum(array.nbytes for array in (*self.caches, *self.outputs))


class Prefixes:
    """The latest texts, the last one first. With `positions` their caches have one entry for each position."""

    def __init__(self, positions: bool) -> None:
        self._positions = positions
        self._held: list[Prefix] = []

    def put(
        self, ids: Sequence[int], caches: Sequence[NDArray[np.float32]], outputs: Sequence[NDArray[np.float32]]
    ) -> None:
        """Hold a copy of what a row carries after it has read `ids`, and of what came out."""
        if self._positions:
            caches = [array[:, :, : len(ids)] for array in caches]
        read_P = np.array(ids, np.int64)
        new = Prefix(read_P, [array.copy() for array in caches], tuple(array.copy() for array in outputs))
        # What the new text goes on from is held in it.
        others = [old for old in self._held if not (self._positions and _common(old.ids_P, read_P) == len(old.ids_P))]
        self._held = [new, *others][:MOST]
        while len(self._held) > 1 and sum(prefix.bytes for prefix in self._held) > ROOM:
            self._held.pop()

    def take(self, ids: Sequence[int], caches: Sequence[NDArray[Any]]) -> tuple[int, tuple[NDArray[np.float32], ...]]:
        """Put into a row's caches what is held of the longest beginning of `ids`; return the number of its positions.

        With it, if these are all, comes what was said of the next token.
        """
        wanted_P = np.array(ids, np.int64)
        best, count = None, 0
        for prefix in self._held:
            common = _common(prefix.ids_P, wanted_P)
            whole = common == len(prefix.ids_P)
            if common == len(wanted_P) and not whole:
                common -= 1  # what comes after the last one has to be asked for
            if common > count and (whole or self._positions):
                best, count = prefix, common
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
