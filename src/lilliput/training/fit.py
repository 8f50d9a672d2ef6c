"""The training loop: a generator of one report per step.

A step is a function of (weights, optimiser state, recipe, step number): its batch and its dropout follow from
(seed, step) alone. So a run that was stopped and continued equals one that was not, to the bit, and nothing that
happens between two steps can change what is learnt.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn

from lilliput.data.batch import Batch
from lilliput.errors import RunError
from lilliput.objectives import Objective
from lilliput.optimization.optimizers import Optimizers
from lilliput.runtime import Runtime
from lilliput.training.compiling import Trainable


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did: `number` steps are done now; `loss` is the mean over the step's weighted targets, in nats."""

    number: int
    loss: Tensor
    norm: Tensor
    """Of the gradient before clipping; with a loss scaler that overflowed, not finite."""
    rate_factor: float
    tokens: int
    accumulation: int
    """Micro-batches of the step: more than were asked for if the memory did not suffice."""


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
        """Unscale, clip and step; a step whose gradients overflowed is left out and the scale halved.

        Returns the norm of the gradient before clipping.
        """
        for part in optimizers.parts:
            self._scaler.unscale_(part)
        norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
        # A look at the norm makes a GPU wait; on a processor it saves going through all gradients for nothing.
        if clip and (norm.device.type != "cpu" or not norm <= clip):
            nn.utils.clip_grads_with_norm_(parameters, clip, norm)
        for part in optimizers.parts:
            self._scaler.step(part)
        self._scaler.update()
        return norm

    def state(self) -> dict[str, float]:
        """Return the scaler's state as plain numbers."""
        return dict(self._scaler.state_dict())


def step_seed(seed: int, step: int) -> int:
    """Return the seed of one step's dropout."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def fit(
    model: Trainable,
    objective: Objective,
    batch_of: Callable[[int], Batch],
    optimizers: Optimizers,
    rate_factor: Callable[[int], float | None],
    *,
    runtime: Runtime,
    scaler: Scaler,
    seed: int,
    first: int = 0,
    accumulation: int = 1,
    clip: float = 0.0,
) -> Iterator[Step]:
    """Train from step number `first` on, yielding after every step, until `rate_factor(step)` is None.

    `batch_of(step)` returns all rows of a step; they are cut into `accumulation` micro-batches, and into smaller ones
    for good where the memory does not suffice for these. The loss is the sum over all micro-batches over the sum of all
    their weights.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for step in count(first):
        factor = rate_factor(step)
        if factor is None:
            return
        model.train()
        batch = batch_of(step).to(runtime.device)
        while True:
            torch.manual_seed(step_seed(seed, step))
            try:
                loss = _accumulate(model, objective, batch, accumulation, runtime, scaler)
                break
            except RuntimeError as error:
                # On a CPU there is no class of its own for it.
                if not isinstance(error, torch.OutOfMemoryError) and "DefaultCPUAllocator" not in str(error):
                    raise
                optimizers.clear_gradients()
                accumulation = _more_parts(len(batch.inputs_BT), accumulation)
        optimizers.set_rate(factor)
        norm = scaler.step(optimizers, parameters, clip)
        optimizers.clear_gradients()
        yield Step(step + 1, loss, norm.detach(), factor, batch.targets_BT.numel(), accumulation)


def _accumulate(
    model: Trainable, objective: Objective, batch: Batch, parts: int, runtime: Runtime, scaler: Scaler
) -> Tensor:
    """Add up the gradients of all micro-batches and return the loss."""
    weight = batch.weights_BT.sum()
    loss = torch.zeros((), device=runtime.device)
    for part in batch.split(parts):
        with runtime.autocast():
            part_loss = objective(model, part) / weight
        scaler.backward(part_loss)
        loss += part_loss.detach()
    return loss


def _more_parts(rows: int, parts: int) -> int:
    """Return the least number of equal parts that is at least twice as many. Raises RunError if rows run out."""
    if parts >= rows:
        raise RunError(
            "the memory does not suffice for a single row; take a smaller data.window or model, or free some memory"
        )
    return next(more for more in range(min(2 * parts, rows), rows + 1) if rows % more == 0)
