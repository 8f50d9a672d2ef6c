"""Mix counts into the predictions of a network, for each row of a backend.

Axes: B rows, D features of the network, V vocabulary.
"""

from collections.abc import Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from lilliput.generation.backends.backend import LogitsV
from lilliput.models.mixing.steps import Before, Steps


class Mixing:
    """The contexts of all rows for the counts. Without `steps`, the logits of the network are returned unchanged."""

    def __init__(self, steps: Steps | None, rows: int) -> None:
        self._steps = steps
        self._before: list[Before | None] = [None] * rows

    def prefill(
        self, row: int, ids: Sequence[int], features_D: NDArray[np.float32], logits_V: NDArray[np.float32]
    ) -> LogitsV:
        """Replace the text of a row by `ids`; return mixed logits_V from the network's features and logits after it."""
        if self._steps is None:
            return logits_V.copy()
        before = self._steps.begin(ids[:-1])
        self._before[row] = before
        return self._steps.mix(features_D, logits_V, before, ids[-1])

    def decode(
        self, tokens: Sequence[int], features_BD: NDArray[np.float32], logits_BV: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Add a token to each row; return mixed logits_BV from the network's features and logits after it."""
        if self._steps is None:
            return logits_BV.copy()
        mixed = []
        for token, features_D, logits_V, before in zip(tokens, features_BD, logits_BV, self._before, strict=True):
            assert before is not None
            mixed.append(self._steps.mix(features_D, logits_V, before, token))
        return np.stack(mixed)

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be repeated."""
        self._before = [copy(self._before[row]) for row in rows]
