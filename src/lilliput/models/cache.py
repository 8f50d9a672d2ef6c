"""What the networks carry from one pass to the next.

Keys and values are written into room that is reserved once, so a step copies no history. A recurrent network carries a
state of fixed size. Left out: paging, quantised entries, rows of different lengths.

Axes: B batch, T new positions, P positions held after this pass, G key/value heads, K head width.
"""

import torch
from torch import Tensor


class KeyValueCache:
    """Keys and values of every layer for `capacity` positions.

    All layers write the positions of a pass first; `advance` then counts them, and keeps the latest tokens for a
    network that looks at several at once.
    """

    def __init__(
        self,
        layers: int,
        shape_BGTK: tuple[int, int, int, int],
        remembered: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.length = 0
        self.latest_BP = torch.zeros(shape_BGTK[0], 0, device=device, dtype=torch.long)
        """The latest tokens themselves, `remembered` of them at most."""
        self._remembered = remembered
        self.capacity = shape_BGTK[2]
        self._keys = [torch.zeros(shape_BGTK, device=device, dtype=dtype) for _ in range(layers)]
        self._values = [torch.zeros(shape_BGTK, device=device, dtype=dtype) for _ in range(layers)]

    def write(self, layer: int, keys_BGTK: Tensor, values_BGTK: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new positions of one layer and return keys_BGPK and values_BGPK up to and with them."""
        end = self.length + keys_BGTK.shape[2]
        self._keys[layer][:, :, self.length : end] = keys_BGTK
        self._values[layer][:, :, self.length : end] = values_BGTK
        return self._keys[layer][:, :, :end], self._values[layer][:, :, :end]

    def advance(self, ids_BT: Tensor) -> None:
        """Count the positions of these tokens, which every layer has written."""
        self.length += ids_BT.shape[1]
        if self._remembered:
            self.latest_BP = torch.cat((self.latest_BP, ids_BT), 1)[:, -self._remembered :]


class StateCache:
    """The carried state of a recurrent network, in the form its torch layer takes; None before the first position."""

    capacity: None = None

    def __init__(self) -> None:
        self.length = 0
        self.state: Tensor | tuple[Tensor, Tensor] | None = None
