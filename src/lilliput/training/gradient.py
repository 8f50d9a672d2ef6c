"""The gradient of a shard of a step's rows, and the loss scaler that some number formats need for it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lilliput.data.batch import Batch
from lilliput.models import Model
from lilliput.objectives.protocol import Objective
from lilliput.optimization.optimizers import Optimizers
from lilliput.runtime import Runtime


class Scaler:
    """The loss scaler of float16; in other formats it does nothing."""

    def __init__(self, runtime: Runtime, state: dict[str, float]) -> None:
        self._scaler = torch.amp.GradScaler(runtime.device.type, enabled=runtime.needs_scaler)
        if state and runtime.needs_scaler:
            self._scaler.load_state_dict(state)

    def backward(self, loss: Tensor) -> None:
        """Propagate the scaled loss."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, optimizers: Optimizers, parameters: Sequence[Tensor], clip: float) -> Tensor:
        """Unscale, clip and step; where any gradient overflowed, no optimiser steps and the scale is halved.

        Returns the norm of the gradient before clipping.
        """
        for part in optimizers.parts:
            self._scaler.unscale_(part)
        norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
        # Reading the norm makes a GPU wait; on a CPU it saves a needless pass over all gradients.
        if clip and (norm.device.type != "cpu" or not norm <= clip):
            nn.utils.clip_grads_with_norm_(parameters, clip, norm)
        # Each optimiser's own check sees the overflows of its parameters only.
        if not self._scaler.is_enabled() or norm.isfinite():
            for part in optimizers.parts:
                self._scaler.step(part)
        self._scaler.update()
        return norm

    def state(self) -> dict[str, float]:
        """Return the scaler's state as plain numbers."""
        return dict(self._scaler.state_dict())


def step_seed(seed: int, step: int, shard: int = 0) -> int:
    """Return the seed of the dropout of one shard of a step."""
    entropy = [seed, step, shard] if shard else [seed, step]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


def accumulate(
    model: Model,
    objective: Objective,
    batch: Batch,
    parts: int,
    weight: Tensor | float,
    runtime: Runtime,
    scaler: Scaler,
) -> Tensor:
    """Add the gradients of all micro-batches to the parameters' and return the loss, both divided by `weight`."""
    loss = torch.zeros((), device=runtime.device)
    for part in batch.split(min(parts, len(batch.inputs_BT))):
        with runtime.autocast():
            part_loss = objective(model, part) / weight
        scaler.backward(part_loss)
        loss += part_loss.detach()
    return loss


def trained(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that have gradients, in the order of the model."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error means out of memory; on a CPU there is no separate class for it."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
