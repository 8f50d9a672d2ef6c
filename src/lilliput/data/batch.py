"""A batch of inputs and targets, with a loss weight for each target.

The weights decide which targets count: the tokens of a prompt have weight 0, those of an answer weight 1.

Shapes: B rows of the batch, T time.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs, the tokens that follow them as targets, and the weight of each target."""

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
        """Split the rows into `parts` batches whose sizes differ by at most one; needs at least `parts` rows."""
        if parts == 1:
            return [self]
        pieces = (piece.tensor_split(parts) for piece in (self.inputs_BT, self.targets_BT, self.weights_BT))
        return [Batch(*rows) for rows in zip(*pieces, strict=True)]
