"""Windows of a long token sequence, as a pure function of (seed, step).

An epoch starts at a random offset, cuts the tokens into consecutive windows, and visits them in random order. So every
token is used equally often, no two epochs cut at the same positions, and batch `i` needs no state but `i`. A window
that would cross a segment boundary is moved into the segment that holds most of it.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from lilliput.data.batch import Batch
from lilliput.data.tokens import Tokens
from lilliput.errors import CorpusError
from lilliput.segments import WHOLE, Starts, moved_inside, segments


class Windows:
    """Random windows of `window` tokens, `rows` of them per step."""

    def __init__(self, tokens: Tokens, window: int, rows: int, seed: int, starts: Starts = WHOLE) -> None:
        self._segments = segments(len(tokens), starts)
        if (least := min(map(len, self._segments))) < window + 1:
            raise CorpusError(
                f"the training text has only {least} consecutive tokens, but a window needs {window + 1}; "
                f"use a longer text or data.window={max(1, least - 1)}"
            )
        self.window = window
        self.rows = rows
        self._tokens = tokens
        self._seed = seed
        self.per_epoch = max(1, (len(tokens) - window) // window)
        # Cache the order of the last epoch: consecutive steps mostly share it.
        self._epoch = -1
        self._starts: NDArray[np.int64] = np.empty(0, np.int64)

    def _starts_of(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            random = np.random.default_rng([self._seed, epoch])
            slack = len(self._tokens) - 1 - self.per_epoch * self.window
            offset = int(random.integers(0, min(slack, self.window - 1) + 1))
            starts = random.permutation(self.per_epoch) * self.window + offset
            self._starts = moved_inside(starts, self.window + 1, self._segments)
            self._epoch = epoch
        return self._starts

    def batch(self, step: int) -> Batch:
        """Return the batch of a step (counted from 0); every target has weight 1."""
        first = step * self.rows
        starts = np.empty(self.rows, np.int64)
        filled = 0
        while filled < self.rows:
            epoch, window = divmod(first + filled, self.per_epoch)
            part = self._starts_of(epoch)[window : window + self.rows - filled]
            starts[filled : filled + len(part)] = part
            filled += len(part)
        ids_BT = torch.from_numpy(self._tokens[starts[:, None] + np.arange(self.window + 1)].astype(np.int64))
        targets_BT = ids_BT[:, 1:]
        return Batch(ids_BT[:, :-1], targets_BT, torch.ones(targets_BT.shape))
