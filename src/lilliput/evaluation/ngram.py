"""A character n-gram count model: what counting alone makes of a text, in a second or two per million characters.

The counts and their interpolation are those of `models.counts`, over characters instead of tokens. Below order 1 stands
a uniform distribution over the alphabet of the training text and one escape; the escape is shared equally by all code
points of Unicode, so the probabilities of all characters sum to 1 and no text is impossible.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import CorpusError
from lilliput.models.orders import Order, count_orders, interpolate
from lilliput.segments import WHOLE, Starts, segments

CODE_POINTS = 0x110000
"""The number of Unicode code points, over which the escape is uniform."""
AT_ONCE = 250_000
"""Characters that are looked up at a time: bounds the memory; the result does not depend on it."""


@dataclass(frozen=True)
class NgramModel:
    """Character n-gram counts of a text, as a probability model. `fit` makes one."""

    alphabet: NDArray[np.uint32]
    """The code points of the training text, sorted."""
    tables: tuple[Order, ...]

    @property
    def order(self) -> int:
        """Return the highest order: the number of characters in an n-gram, its last included."""
        return len(self.tables)

    @classmethod
    def fit(cls, text: str, order: int) -> "NgramModel":
        """Count all n-grams of 1 to `order` characters; a text shorter than `order` gives fewer orders.

        Raises CorpusError for an empty text.
        """
        alphabet, tables = _count_orders(text, order)
        return cls(alphabet, tuple(tables))

    def log_probabilities(self, text: str, context: str = "") -> NDArray[np.float64]:
        """Return the natural logarithm of the probability of each character of `text`, shape (len(text),).

        `context` is what stands before `text`; it is not scored. Without it the text starts fresh: its first characters
        are predicted by the lower orders, and the training text does not serve as context.
        """
        scored = _Scored(text, context[max(0, len(context) - self.order + 1) :], self.alphabet)
        for table in self.tables:
            scored.advance(table)
        return np.log(scored.probabilities)


def costs_by_order(
    training: str,
    pieces: Sequence[str],
    order: int,
    progress: Callable[[int], None] = lambda order: None,
    starts: tuple[Starts, Starts] = (WHOLE, WHOLE),
) -> NDArray[np.float64]:
    """Return the nats that each piece of a text costs, for the orders 1, 2, ... of a model of `training`.

    The shape is (orders, pieces). As `NgramModel.fit` and `log_probabilities` for each order, without holding more than
    one order at a time; the first character of the text costs nothing. Where training and text have several segments,
    `starts` says where they begin: each is counted, and scored, as a text of its own. `progress` is called with each
    order that is done.

    Raises CorpusError for an empty training text.
    """
    alphabet, tables = _count_orders(training, order, starts[0])
    text = "".join(pieces)
    parts = [
        (range(at, min(at + AT_ONCE, part.stop)), text[max(part.start, at - order) : at])
        for part in segments(len(text), starts[1])
        for at in range(part.start + 1, part.stop, AT_ONCE)
    ]
    scored = [(places, _Scored(text[places.start : places.stop], before, alphabet)) for places, before in parts]
    ends = np.cumsum([len(piece) for piece in pieces])
    costs = []
    for table in tables:
        probabilities = np.ones(len(text))
        for places, part in scored:
            part.advance(table)
            probabilities[places.start : places.stop] = part.probabilities
        nats = -np.log(probabilities)
        costs.append(np.diff(np.concatenate([[0.0], np.cumsum(nats)])[ends], prepend=0.0))
        progress(len(costs))
        del table  # not to stand beside the next one
    return np.array(costs)


class _Scored:
    """A text under the orders that it was shown, one after the other."""

    def __init__(self, text: str, context: str, alphabet: NDArray[np.uint32]) -> None:
        self._ids = _ids(_code_points(context + text), alphabet)
        self._skip = len(context)
        self._size = len(alphabet)
        escape = 1 / (self._size + 1) / CODE_POINTS
        self._probabilities = np.where(self._ids < self._size, 1 / (self._size + 1) + escape, escape)
        self._ranks = np.zeros(len(self._ids) + 1, dtype=np.int32)
        self._order = 0

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Return the probability of each character of the text, shape (len(text),)."""
        return self._probabilities[self._skip :]

    def advance(self, table: Order) -> None:
        """Interpolate with the next order."""
        self._order += 1
        if len(self._ids) < self._order:
            return
        contexts = self._ranks[:-1]
        self._ranks = table.find(contexts, self._ids[self._order - 1 :])
        lower = self._probabilities[self._order - 1 :]
        lower[:] = interpolate(*table.followed(contexts, self._ranks), lower)


def _count_orders(text: str, order: int, starts: Starts = WHOLE) -> tuple[NDArray[np.uint32], Iterator[Order]]:
    """Return the alphabet of a text, and its n-grams of 1 to `order` characters, counted when they are asked for."""
    if not text:
        raise CorpusError("the training text has no characters to count: give a text of at least one character")
    points = _code_points(text)
    alphabet = np.unique(points)
    return alphabet, count_orders(_ids(points, alphabet), order, len(alphabet) + 1, starts)


def _code_points(text: str) -> NDArray[np.uint32]:
    # A lone surrogate is a character of a Python string like any other.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _ids(points: NDArray[Any], alphabet: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Number characters by their place in the alphabet; one that is not in it gets the number after the last."""
    table = np.full(CODE_POINTS, len(alphabet), dtype=np.int32)
    table[alphabet] = np.arange(len(alphabet))
    ids: NDArray[np.int32] = table[points]
    return ids
