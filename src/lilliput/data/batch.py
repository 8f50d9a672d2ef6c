"""A batch carries a weight per target.

What counts in the loss is data, not code: a prompt's tokens weigh 0, an answer's weigh 1.

Shapes: B rows of the batch, T time.
"""

from collections.abc import Sequence
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

    @classmethod
    def join(cls, batches: "Sequence[Batch]") -> "Batch":
        """Return one batch with the rows of all, which have the same length."""
        return cls(*(torch.cat([getattr(batch, part) for batch in batches]) for part in cls.__slots__))

    def split(self, parts: int) -> list["Batch"]:
        """Cut the rows into `parts` batches whose sizes differ by one at most; there must be as many rows."""
        if parts == 1:
            return [self]
        pieces = (piece.tensor_split(parts) for piece in (self.inputs_BT, self.targets_BT, self.weights_BT))
        return [Batch(*rows) for rows in zip(*pieces, strict=True)]
