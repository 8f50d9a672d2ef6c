"""A batch carries a weight per target.

What counts in the loss is data, not code: a prompt's tokens weigh 0, an answer's weigh 1.

Shapes: B rows of the batch, T time.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs, the tokens that follow them, and how much each of these counts."""

    inputs_BT: Tensor
    targets_BT: Tensor
    weights_BT: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on `device`."""
        if device.type == "cpu":
            return self
        parts = (self.inputs_BT, self.targets_BT, self.weights_BT)
        if device.type == "cuda":
            parts = tuple(part.pin_memory() for part in parts)  # type: ignore[assignment]
        return Batch(*(part.to(device, non_blocking=True) for part in parts))

    def split(self, parts: int) -> list["Batch"]:
        """Cut the rows into `parts` batches whose sizes differ by one at most; there must be as many rows."""
        if parts == 1:
            return [self]
        pieces = (piece.tensor_split(parts) for piece in (self.inputs_BT, self.targets_BT, self.weights_BT))
        return [Batch(*rows) for rows in zip(*pieces, strict=True)]
