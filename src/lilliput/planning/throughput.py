"""Training throughput of this machine: the steps of a recipe, and one block compared with the reference machine.

The steps use random tokens, which take as long as any others. Plans by minutes were measured on a reference machine
(two cores with bfloat16); a machine three times as fast does in one minute what the reference does in three.
"""

import statistics
import time
from dataclasses import dataclass
from functools import cache

import torch

from lilliput.data.batch import Batch
from lilliput.models import Model, build, count_parameters
from lilliput.models.layers import Block, rotary_tables
from lilliput.models.settings import GPTSettings
from lilliput.objectives.building import build_objective
from lilliput.objectives.protocol import Objective
from lilliput.optimization.optimizers import build_optimizers
from lilliput.recipe import Recipe
from lilliput.runtime import Runtime, choose_runtime, kept_memory
from lilliput.training.fit import fit
from lilliput.training.gradient import Scaler
from lilliput.training.precision import training_runtime
from lilliput.training.workers.protocol import Workers

_ROWS, _WINDOW = 12, 256
_PARAMETERS = 600_000
_WARMING, _TURNS = 3, 5
REFERENCE_SECONDS = 0.050
"""For a forward and backward pass of the block below on the reference machine (`docs/log.md`)."""


@dataclass(frozen=True)
class Throughput:
    """The throughput of a recipe on this machine; `step_seconds` has every step but the first."""

    model: Model
    """The model after these steps."""
    runtime: Runtime
    tokens_per_step: int
    step_seconds: tuple[float, ...]
    note: str = ""
    """The outcome of compiling, if the recipe asks for it."""

    @property
    def parameters(self) -> int:
        """Return how many parameters the model has."""
        return count_parameters(self.model)

    @property
    def seconds_per_step(self) -> float:
        """Return the median."""
        return statistics.median(self.step_seconds)

    @property
    def tokens_per_second(self) -> float:
        """Return how many tokens are learnt from in a second."""
        return self.tokens_per_step / self.seconds_per_step


def measure_throughput(
    recipe: Recipe,
    workers: Workers,
    vocabulary: int,
    window: int,
    steps: int = 3,
    seconds: float = 1.0,
    objective: Objective | None = None,
) -> Throughput:
    """Take one step of the recipe, then at least `steps` more, for at least `seconds`.

    `objective` may be one that knows the training data, by default a new one of the recipe.

    Raises RunError if not even one row fits into memory.
    """
    training = recipe.training
    torch.manual_seed(recipe.seed)
    model = build(recipe.model, vocabulary, window)
    runtime = training_runtime(recipe, model, window)
    model.to(runtime.device)
    objective = objective or build_objective(recipe.objective)
    rows = training.batch * training.accumulation

    def batch_of(step: int) -> Batch:
        ids_BT = torch.randint(vocabulary, (rows, window + 1), generator=torch.Generator().manual_seed(step))
        return Batch(ids_BT[:, :-1], ids_BT[:, 1:], torch.ones(rows, window))

    with kept_memory():
        workers.begin(recipe, model, objective, runtime)
        note = (
            workers.compile(model, objective, batch_of(0), training.accumulation, runtime) if training.compile else ""
        )
        taken: list[float] = []
        clock = time.perf_counter()
        for step in fit(
            model,
            objective,
            batch_of,
            build_optimizers(model, training),
            lambda step: 1.0 if step <= steps or sum(taken) < seconds else None,
            runtime=runtime,
            scaler=Scaler(runtime, {}),
            workers=workers,
            seed=recipe.seed,
            accumulation=training.accumulation,
            clip=training.clip,
        ):
            float(step.loss)  # waits for the device
            taken.append(time.perf_counter() - clock)
            clock = time.perf_counter()
    return Throughput(model, runtime, rows * window, tuple(taken[1:]), note)


@cache
def machine_speed() -> float:
    """Return the speed of this machine as a multiple of the reference machine; takes half a second."""
    return REFERENCE_SECONDS / block_seconds()


def block_seconds() -> float:
    """Return the median seconds of a forward and backward pass of one block of a planned model."""
    settings = GPTSettings(shape="modern", layers=1)
    runtime = choose_runtime("auto", _PARAMETERS, _ROWS * _WINDOW)
    block = Block(settings, 0).to(runtime.device).train()
    rotary = tuple(table.to(runtime.device) for table in rotary_tables(_WINDOW, settings.head_width, 1024.0))
    x_BTD = torch.randn(_ROWS, _WINDOW, settings.width, generator=torch.Generator().manual_seed(0)).to(runtime.device)
    taken = []
    with kept_memory():
        for _ in range(_WARMING + _TURNS):
            clock = time.perf_counter()
            with runtime.autocast():
                loss = block(x_BTD, (rotary[0], rotary[1]), None).float().square().mean()
            loss.backward()
            gradient = block.feed_forward.down.weight.grad
            assert gradient is not None
            float(gradient.sum())  # waits for the device
            block.zero_grad()
            taken.append(time.perf_counter() - clock)
    return statistics.median(taken[_WARMING:])
