"""The training loop: a generator that yields after every step.

A step is a function of (weights, optimiser state, objective state, recipe, step number): its batch and its dropout
follow from (seed, step) alone. So a continued run equals an uninterrupted one to the bit, and nothing between two
steps can change the training.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

from torch import Tensor

from lilliput.data.batch import Batch
from lilliput.errors import RunError
from lilliput.models import Model
from lilliput.objectives.protocol import Objective
from lilliput.optimization.optimizers import Optimizers
from lilliput.runtime import Runtime
from lilliput.training.gradient import Scaler, out_of_memory, step_seed, trained
from lilliput.training.workers.protocol import Workers


@dataclass(frozen=True, slots=True)
class Step:
    """The result of step `number`; `loss` is the mean over its weighted targets, in nats."""

    number: int
    loss: Tensor
    norm: Tensor
    """Norm of the gradient before clipping; not finite if the loss scaler overflowed."""
    rate_factor: float
    tokens: int
    accumulation: int
    """Micro-batches of the step: more than the recipe asks for if memory was short."""


def fit(
    model: Model,
    objective: Objective,
    batch_of: Callable[[int], Batch],
    optimizers: Optimizers,
    rate_factor: Callable[[int], float | None],
    *,
    runtime: Runtime,
    scaler: Scaler,
    workers: Workers,
    seed: int,
    first: int = 0,
    accumulation: int = 1,
    clip: float = 0.0,
    updating: Callable[[], None] = lambda: None,
) -> Iterator[Step]:
    """Train from step number `first` on, yielding after every step, until `rate_factor(step)` is None.

    `batch_of(step)` returns all rows of a step. Each of the workers' shards of them is cut into `accumulation`
    micro-batches, and from then on into smaller ones if these do not fit into memory. The loss is the sum over all
    micro-batches over the sum of all their weights. `updating` is called in each step before weights or optimiser
    state change.
    """
    parameters = trained(model)
    for step in count(first):
        factor = rate_factor(step)
        if factor is None:
            return
        model.train()
        batch = batch_of(step).to(runtime.device)
        while True:
            objective.begin_step(step)
            try:
                seeds = partial(step_seed, seed, step)
                loss = workers.accumulate(model, objective, batch, accumulation, seeds, runtime, scaler)
                break
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                optimizers.clear_gradients()
                accumulation = _more_parts(-(-len(batch.inputs_BT) // workers.shards), accumulation)
        updating()
        optimizers.set_rate(factor)
        norm = scaler.step(optimizers, parameters, clip)
        objective.finish_step()
        optimizers.clear_gradients()
        yield Step(step + 1, loss, norm.detach(), factor, batch.targets_BT.numel(), accumulation)


def _more_parts(rows: int, parts: int) -> int:
    """Return the smallest number of equal parts that is at least twice `parts`. Raises RunError if rows run out."""
    if parts >= rows:
        raise RunError("out of memory: not even one row fits. Lower data.window or the model size, or free some memory")
    return next(more for more in range(min(2 * parts, rows), rows + 1) if rows % more == 0)
