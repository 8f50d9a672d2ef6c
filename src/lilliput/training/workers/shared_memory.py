"""Memory that processes share: the weights, and for each process its gradients and its rows of a step.

Every value has a place in it that follows from the model's parameters alone, so that a process needs to be told nothing
but the model.

Shapes: B rows, T time.
"""

import mmap
import os
from collections.abc import Sequence

import torch
from torch import Tensor

from lilliput.data.batch import Batch

_ALIGNED = 64
"""Bytes, as PyTorch's own memory."""


def share_memory(file: int, size: int) -> mmap.mmap:
    """Resize an anonymous file and map it; other processes that map the file share the memory."""
    os.ftruncate(file, size)
    return mmap.mmap(file, size)


def values_in(memory: mmap.mmap, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return a tensor in the memory for every parameter, of its shape and in single precision."""
    place, values = 0, []
    for parameter in parameters:
        values.append(_tensor(memory, torch.float32, place, parameter.shape))
        place += _room(parameter.numel() * 4)
    return values


def values_size(parameters: Sequence[Tensor]) -> int:
    """Return how many bytes `values_in` needs."""
    return sum(_room(parameter.numel() * 4) for parameter in parameters)


class SharedBatch:
    """Room for the rows that a process gets, at most `positions` in all, behind `place` in a memory."""

    def __init__(self, memory: mmap.mmap, place: int, positions: int) -> None:
        room = _room(positions * 8)
        self._inputs = _tensor(memory, torch.int64, place, (positions,))
        self._targets = _tensor(memory, torch.int64, place + room, (positions,))
        self._weights = _tensor(memory, torch.float32, place + 2 * room, (positions,))

    @staticmethod
    def size(positions: int) -> int:
        """Return how many bytes they take."""
        return 3 * _room(positions * 8)

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


def _room(size: int) -> int:
    return -(-max(size, 1) // _ALIGNED) * _ALIGNED


def _tensor(memory: mmap.mmap, dtype: torch.dtype, place: int, shape: Sequence[int]) -> Tensor:
    flat = torch.frombuffer(memory, dtype=dtype, count=torch.Size(shape).numel(), offset=place)
    return flat.view(*shape)
