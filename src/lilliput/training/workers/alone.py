"""Compute all shards of a step in this process, one after the other."""

from collections.abc import Callable

import torch
from torch import Tensor

from lilliput.data.batch import Batch
from lilliput.models import Model
from lilliput.objectives.protocol import Objective
from lilliput.recipe import Recipe
from lilliput.runtime import Runtime
from lilliput.training.compiling import compile_or_not
from lilliput.training.gradient import Scaler, accumulate


class Alone:
    """Workers without other processes."""

    processes = 1
    lost = 0

    def __init__(self, shards: int = 1) -> None:
        self.shards = shards

    def begin(
        self, recipe: Recipe, model: Model, objective: Objective, runtime: Runtime, shards: int | None = None
    ) -> int:
        """Keep the number of shards that a run started with."""
        self.shards = shards or self.shards
        return self.shards

    def compile(self, model: Model, objective: Objective, batch: Batch, parts: int, runtime: Runtime) -> str:
        """Compile the model for steps of such batches; return a line about the outcome."""
        shard = batch.split(min(self.shards, len(batch.inputs_BT)))[0]
        return compile_or_not(model, objective, shard.split(min(parts, len(shard.inputs_BT)))[0], runtime)

    def accumulate(
        self,
        model: Model,
        objective: Objective,
        batch: Batch,
        parts: int,
        seed: Callable[[int], int],
        runtime: Runtime,
        scaler: Scaler,
    ) -> Tensor:
        """Add the gradient of a batch to the parameters' and return the mean loss."""
        weight = batch.weights_BT.sum()
        loss = torch.zeros((), device=runtime.device)
        for number, shard in enumerate(batch.split(min(self.shards, len(batch.inputs_BT)))):
            torch.manual_seed(seed(number))
            loss += accumulate(model, objective, shard, parts, weight, runtime, scaler)
        return loss

    def dismiss(self) -> None:
        """Do nothing: there are no other processes."""

    def close(self) -> None:
        """Do nothing: there are no other processes."""
