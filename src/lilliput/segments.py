"""Segments: stretches of a text that were not adjacent in the original, stored in one array.

An array of start positions describes them; a continuous text has one segment. No window, context or n-gram may cross
from one segment into another, because the two never followed one another.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Starts = Sequence[int]
"""The start of each segment: 0 first, then ascending."""
WHOLE: Final[Starts] = (0,)
"""The starts of a text with one segment."""
SAFE_CUT = re.compile(r"\S(?=[ \n])")
"""A position at which a text may be cut: neither normalisation nor any tokenizer looks across it."""


def segments(length: int, starts: Starts = WHOLE) -> list[range]:
    """Return the range of positions of each segment of a text of this length."""
    return [range(start, stop) for start, stop in pairwise([*starts, length])]


def starts_of(lengths: Iterable[int]) -> list[int]:
    """Return the starts of consecutive segments of these lengths."""
    return [0, *accumulate(lengths)][:-1]


def starts_behind(starts: Starts, dropped: int) -> list[int]:
    """Return the starts of the segments after `dropped` positions are removed from the beginning of the text."""
    return [0, *(start - dropped for start in starts if start > dropped)]


def moved_inside(positions_N: NDArray[Any], size: int, parts: Sequence[range]) -> NDArray[np.int64]:
    """Return the positions, each moved just enough that the `size` positions from it on lie in one segment.

    That is the segment which holds their middle. Every segment must have at least `size` positions.
    """
    firsts, stops = (np.array(ends) for ends in zip(*((part.start, part.stop) for part in parts), strict=True))
    numbers_N = np.searchsorted(firsts, positions_N + size // 2, "right") - 1
    inside_N: NDArray[np.int64] = np.clip(positions_N, firsts[numbers_N], stops[numbers_N] - size)
    return inside_N
