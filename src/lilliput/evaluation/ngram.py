"""A character n-gram count model; it takes a second or two per million characters.

The counts and their interpolation are those of `models.mixing.orders`, over characters instead of tokens. Order 0 is a
uniform distribution over the alphabet of the training text and one escape. All Unicode code points share the escape
equally, so the probabilities of all characters sum to 1 and no text is impossible.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import CorpusError
from lilliput.models.mixing.orders import Order, count_orders, interpolate
from lilliput.segments import WHOLE, Starts, segments

CODE_POINTS = 0x110000
"""The number of Unicode code points, over which the escape is uniform."""
AT_ONCE = 250_000
"""Characters that are looked up together: bounds the memory and does not change the result."""


@dataclass(frozen=True)
class NgramModel:
    """A probability model from the character n-gram counts of a text; see `fit`."""

    alphabet: NDArray[np.uint32]
    """The code points of the training text, sorted."""
    tables: tuple[Order, ...]

    @property
    def order(self) -> int:
        """The highest order n: the length of the longest n-grams."""
        return len(self.tables)

    @classmethod
    def fit(cls, text: str, order: int) -> "NgramModel":
        """Count all n-grams of 1 to `order` characters; a text shorter than `order` has fewer orders.

        Raises CorpusError for an empty text.
        """
        alphabet, tables = _count_orders(text, order)
        return cls(alphabet, tuple(tables))

    def log_probabilities(self, text: str, context: str = "") -> NDArray[np.float64]:
        """Return the natural log-probability of each character of `text`, shape (len(text),).

        `context` precedes `text` and is not scored. Without it the lower orders predict the first characters: the
        training text is no context.
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
    """Return the nats of each piece of a text under the orders 1, 2, ... of a model of `training`.

    The shape is (orders, pieces). The same as `NgramModel.fit` and `log_probabilities` for each order, with only one
    order in memory at a time; the first character of the text costs nothing. `starts` gives the segment starts of the
    training text and the text: each segment is counted, and scored, as a separate text. `progress` is called with each
    finished order.

    Raises CorpusError for an empty training text.
    """
    alphabet, tables = _count_orders(training, order, starts[0])
    text = "".join(pieces)
    parts = [
        (range(at, min(at + AT_ONCE, part.stop)), text[max(part.start, at - order) : at])
        for part in segments(len(text), starts[1])
        for at in range(part.start + 1, part.stop, AT_ONCE)
    ]
    scored = [(span, _Scored(text[span.start : span.stop], before, alphabet)) for span, before in parts]
    ends = np.cumsum([len(piece) for piece in pieces])
    costs = []
    for table in tables:
        probabilities = np.ones(len(text))
        for span, part in scored:
            part.advance(table)
            probabilities[span.start : span.stop] = part.probabilities
        nats = -np.log(probabilities)
        costs.append(np.diff(np.concatenate([[0.0], np.cumsum(nats)])[ends], prepend=0.0))
        progress(len(costs))
        del table  # free it before the next one is built
    return np.array(costs)


class _Scored:
    """The probabilities of a text's characters, updated order by order."""

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
        """The probability of each character of the text, shape (len(text),)."""
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
    """Return the alphabet of a text, and an iterator that counts its n-grams of 1 to `order` characters lazily."""
    if not text:
        raise CorpusError("the training text has no characters to count: give a text of at least one character")
    points = _code_points(text)
    alphabet = np.unique(points)
    return alphabet, count_orders(_ids(points, alphabet), order, len(alphabet) + 1, starts)


def _code_points(text: str) -> NDArray[np.uint32]:
    # A lone surrogate is a character of a Python string like any other.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _ids(points: NDArray[Any], alphabet: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Return each character's index in the alphabet; one that is not in it gets len(alphabet)."""
    table = np.full(CODE_POINTS, len(alphabet), dtype=np.int32)
    table[alphabet] = np.arange(len(alphabet))
    ids: NDArray[np.int32] = table[points]
    return ids
