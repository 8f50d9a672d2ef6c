"""Workers compute the gradient of a batch, in this process or in others.

The rows of a step are cut into shards, each with its own dropout. The number of shards is part of the training; where
they are computed is not, apart from rounding.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from lilliput.data.batch import Batch
from lilliput.models import Model
from lilliput.objectives.protocol import Objective
from lilliput.recipe import Recipe
from lilliput.runtime import Runtime
from lilliput.training.gradient import Scaler


class Workers(Protocol):
    """Computes gradients, here or elsewhere."""

    shards: int
    """Number of shards of a step."""
    lost: int
    """Number of processes that ended early."""

    @property
    def processes(self) -> int:
        """Return the number of processes, including this one."""

    def begin(
        self, recipe: Recipe, model: Model, objective: Objective, runtime: Runtime, shards: int | None = None
    ) -> int:
        """Prepare to train `model`, and return the number of shards: `shards` for a run that started with them."""

    def compile(self, model: Model, objective: Objective, batch: Batch, parts: int, runtime: Runtime) -> str:
        """Compile the model for steps of such batches in `parts` micro-batches; return a line about the outcome."""

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
        """Add the gradient of a batch to the parameters' and return the mean loss.

        Each shard is cut into `parts` micro-batches; `seed` gives the seed of its dropout. Raises
        torch.OutOfMemoryError if a process is out of memory.
        """

    def dismiss(self) -> None:
        """Take all shards in this process from now on."""

    def close(self) -> None:
        """End the other processes, and wait for them."""
