"""What counts make of a network's predictions for texts that go on together, row by row.

Axes: B rows, D features of the network, V vocabulary.
"""

from collections.abc import Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from lilliput.generation.backends.backend import LogitsV
from lilliput.models.mixing.steps import Before, Steps


class Mixing:
    """What stands before the next token of each row; without `steps` a network's predictions stay what they are."""

    def __init__(self, steps: Steps | None, rows: int) -> None:
        self._steps = steps
        self._before: list[Before | None] = [None] * rows

    def prefill(
        self, row: int, ids: Sequence[int], features_D: NDArray[np.float32], logits_V: NDArray[np.float32]
    ) -> LogitsV:
        """Let a row hold `ids`, after which the network gave these; return logits_V of what comes next."""
        if self._steps is None:
            return logits_V.copy()
        before = self._steps.begin(ids[:-1])
        self._before[row] = before
        return self._steps.mix(features_D, logits_V, before, ids[-1])

    def decode(
        self, tokens: Sequence[int], features_BD: NDArray[np.float32], logits_BV: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Add a token to each row; return logits_BV of what comes next."""
        if self._steps is None:
            return logits_BV.copy()
        mixed = []
        for token, features_D, logits_V, before in zip(tokens, features_BD, logits_BV, self._before, strict=True):
            assert before is not None
            mixed.append(self._steps.mix(features_D, logits_V, before, token))
        return np.stack(mixed)

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; one may be named several times."""
        self._before = [copy(self._before[row]) for row in rows]
