"""Windows that overlap, so that each token of a text is scored once with much context before it."""

from collections.abc import Iterator
from typing import NamedTuple


class WindowSpan(NamedTuple):
    """One window: its inputs start at `start`, and the first `skip` of its `length` targets are not scored.

    `history` is the number of tokens of its segment before it.
    """

    start: int
    length: int
    skip: int
    history: int


def sliding_stride(window: int) -> int:
    """Return the number of tokens from the start of one window to the start of the next."""
    return max(1, window // 4)


def sliding_windows(targets: range, first: int, window: int) -> Iterator[WindowSpan]:
    """Yield the windows that score each of the targets once, in a segment that begins with the token `first`.

    A target is named by the position of the token before it. Each window but the first scores its last
    `sliding_stride(window)` targets.
    """
    scored, stride = targets.start, sliding_stride(window)
    while scored < targets.stop:
        # No token stands before a segment, so its first window scores all of its targets.
        stop = min(targets.stop, max(first + window, scored + stride))
        # The last window moves back, so that the last targets have a whole window before them as well.
        start = max(first, stop - window)
        yield WindowSpan(start, stop - start, scored - start, start - first)
        scored = stop
