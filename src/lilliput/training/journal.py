"""The log of a run: one line of metrics.jsonl per step and per evaluation.

Losses stay on the device until a few seconds' worth is written at once, so that logging never makes a GPU wait.
"""

import math
import time
from typing import Any

import torch
from torch import Tensor

from lilliput.errors import RunError
from lilliput.runs import RunFolder

FLUSH_SECONDS = 2.0


class Journal:
    """Collects rows for metrics.jsonl and writes them in portions."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._rows: list[dict[str, Any]] = []
        self._losses: list[Tensor] = []
        self._flushed = time.monotonic()

    def step(self, row: dict[str, Any], loss: Tensor) -> None:
        """Log one step; `loss` is read later."""
        self._rows.append(row)
        self._losses.append(loss)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def evaluation(self, row: dict[str, Any]) -> None:
        """Log one evaluation."""
        self.flush()
        self._run.append_lines(self._run.metrics, [row])

    def flush(self) -> None:
        """Write what is waiting. Raises RunError at the first loss that is not a finite number."""
        if self._losses:
            for row, loss in zip(self._rows, torch.stack(self._losses).tolist(), strict=True):
                if not math.isfinite(loss):
                    raise RunError(
                        f"the training loss became {loss} at step {row['step']}; the last checkpoint is kept: "
                        "start over with --fresh and a smaller training.learning_rate"
                    )
                row["loss"] = loss
            self._run.append_lines(self._run.metrics, self._rows)
        self._rows, self._losses = [], []
        self._flushed = time.monotonic()
