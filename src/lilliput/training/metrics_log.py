"""The log of a run: one line of metrics.jsonl per step and per evaluation.

On a GPU, losses are copied in batches every few seconds, so that logging never stalls it. A loss spike is then noticed
a little late, but still before the next checkpoint or evaluation.
"""

import math
import time
from typing import Any

import torch
from torch import Tensor

from lilliput.runs.recorder import Recorder
from lilliput.training.loss_spike import LossSpike, SpikeDetector

FLUSH_SECONDS = 2.0


class MetricsLog:
    """Collects rows for metrics.jsonl, passes them to the spike detector, and writes them in batches."""

    def __init__(self, recorder: Recorder, detector: SpikeDetector, scaled: bool, is_likelihood: bool = True) -> None:
        self._recorder = recorder
        self._detector = detector
        self._is_likelihood = is_likelihood
        self._scaled = scaled  # the loss scaler skips steps with an infinite gradient
        self._waiting: list[tuple[dict[str, Any], Tensor]] = []
        self._rows: list[dict[str, Any]] = []
        self._flushed = time.monotonic()

    def step(self, row: dict[str, Any], loss: Tensor, norm: Tensor) -> None:
        """Log a step. Raises LossSpike if it, or an earlier step that was not checked yet, is bad."""
        self._waiting.append((row, torch.stack([loss, norm])))
        if loss.device.type == "cpu":
            self._check()
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def write(self, row: dict[str, Any]) -> None:
        """Log another row, such as an evaluation."""
        self.flush()
        self._recorder.metrics([row])

    def flush(self) -> None:
        """Write the waiting rows. Raises LossSpike at the first bad step."""
        self._check()
        self._recorder.metrics(self._rows)
        self._rows = []
        self._flushed = time.monotonic()

    def _check(self) -> None:
        if not self._waiting:
            return
        values = torch.stack([value for _, value in self._waiting]).tolist()
        waiting, self._waiting = self._waiting, []
        for (row, _), (loss, norm) in zip(waiting, values, strict=True):
            reason = self._detector.check(loss, None if self._scaled else norm, self._is_likelihood)
            if reason is not None:
                # A spike, or a loss that stays too high, began some steps ago.
                raise LossSpike(row["step"] - max(0, self._detector.doubtful - 1), reason)
            row["loss" if self._is_likelihood else "objective_loss"] = loss
            row["gradient_norm"] = round(norm, 5) if math.isfinite(norm) else None
            self._rows.append(row)
