"""Memory that processes share: the weights, and for each process its gradients and its rows of a step.

The offset of each value follows from the model's parameters alone, so a process only needs to know the model.

Shapes: B rows, T time.
"""

import mmap
import os
from collections.abc import Sequence

import torch
from torch import Tensor

from lilliput.data.batch import Batch

_ALIGNMENT = 64
"""Bytes; PyTorch aligns its memory alike."""


def share_memory(file: int, size: int) -> mmap.mmap:
    """Resize an anonymous file and map it; other processes that map the file share the memory."""
    os.ftruncate(file, size)
    return mmap.mmap(file, size)


def values_in(memory: mmap.mmap, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return a tensor in the memory for every parameter, of its shape and in single precision."""
    offset, values = 0, []
    for parameter in parameters:
        values.append(_tensor(memory, torch.float32, offset, parameter.shape))
        offset += _aligned(parameter.numel() * 4)
    return values


def values_size(parameters: Sequence[Tensor]) -> int:
    """Return the number of bytes that `values_in` needs."""
    return sum(_aligned(parameter.numel() * 4) for parameter in parameters)


class SharedBatch:
    """Memory at `offset` for the rows of a process, with at most `positions` positions in total."""

    def __init__(self, memory: mmap.mmap, offset: int, positions: int) -> None:
        size = _aligned(positions * 8)
        self._inputs = _tensor(memory, torch.int64, offset, (positions,))
        self._targets = _tensor(memory, torch.int64, offset + size, (positions,))
        self._weights = _tensor(memory, torch.float32, offset + 2 * size, (positions,))

    @staticmethod
    def size(positions: int) -> int:
        """Return the number of bytes that a batch needs."""
        return 3 * _aligned(positions * 8)

    def put(self, batch: Batch) -> None:
        """Write the rows of a batch."""
        held = self.get(*batch.inputs_BT.shape)
        held.inputs_BT.copy_(batch.inputs_BT)
        held.targets_BT.copy_(batch.targets_BT)
        held.weights_BT.copy_(batch.weights_BT)

    def get(self, rows: int, time: int) -> Batch:
        """Return the first rows as a batch."""
        parts = (self._inputs, self._targets, self._weights)
        return Batch(*(part[: rows * time].view(rows, time) for part in parts))


def _aligned(size: int) -> int:
    return -(-max(size, 1) // _ALIGNMENT) * _ALIGNMENT


def _tensor(memory: mmap.mmap, dtype: torch.dtype, offset: int, shape: Sequence[int]) -> Tensor:
    flat = torch.frombuffer(memory, dtype=dtype, count=torch.Size(shape).numel(), offset=offset)
    return flat.view(*shape)
