"""Texts in segments: several stretches of a text that did not follow one another, kept in one array.

Where the segments begin is all that has to be known; a text that is whole has one. No window, context or group of
tokens may reach from one segment into another, since what stands there never followed what stands before.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Starts = Sequence[int]
"""Where each segment begins: 0, and then ascending."""
WHOLE: Final[Starts] = (0,)
"""Of a text that is one segment."""
SAFE_CUT = re.compile(r"\S(?=[ \n])")
"""Where a text may be cut: neither normalisation nor any tokenizer looks across."""


def segments(length: int, starts: Starts = WHOLE) -> list[range]:
    """Return the places of each segment of a text of this length."""
    return [range(start, stop) for start, stop in pairwise([*starts, length])]


def starts_of(lengths: Iterable[int]) -> list[int]:
    """Return where segments of these lengths begin that stand one behind the other."""
    return [0, *accumulate(lengths)][:-1]


def starts_behind(starts: Starts, dropped: int) -> list[int]:
    """Return where the segments begin when so many places at the beginning of the text are dropped."""
    return [0, *(start - dropped for start in starts if start > dropped)]


def moved_inside(places_N: NDArray[Any], size: int, parts: Sequence[range]) -> NDArray[np.int64]:
    """Return the places moved as little as needed for the `size` places from each on to lie in one segment.

    That is the segment that holds the middle of them. The segments have at least `size` places each.
    """
    firsts, stops = (np.array(ends) for ends in zip(*((part.start, part.stop) for part in parts), strict=True))
    numbers_N = np.searchsorted(firsts, places_N + size // 2, "right") - 1
    inside_N: NDArray[np.int64] = np.clip(places_N, firsts[numbers_N], stops[numbers_N] - size)
    return inside_N
