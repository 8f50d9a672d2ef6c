"""How fast this machine takes the steps of a recipe: some are taken, with random tokens, which cost the same as any."""

import statistics
import sys
import time
from dataclasses import dataclass

import torch

from lilliput.data.batch import Batch
from lilliput.models import Model, build, count_multiplied, count_parameters
from lilliput.models.settings import GPTSettings
from lilliput.objectives import next_token
from lilliput.optimization.optimizers import build_optimizers
from lilliput.recipe import Recipe
from lilliput.runtime import Runtime, choose_runtime, kept_memory
from lilliput.training.budget import Costs
from lilliput.training.data.training_data import MEASURED, TrainingData
from lilliput.training.fit import fit
from lilliput.training.gradient import Scaler
from lilliput.training.workers.pool import WorkerPool

FITTING, SAMPLING = 1.5, 8_000
"""What an evaluation does beside scoring, by the targets that could be scored meanwhile: for each that something is
fitted to, and for a sample and a checkpoint. It holds until the first evaluation, which is timed."""


@dataclass(frozen=True)
class Pace:
    """What the steps of a recipe cost here; `step_seconds` are those of each step but the first."""

    model: Model
    """As it is after these steps."""
    runtime: Runtime
    tokens_per_step: int
    step_seconds: tuple[float, ...]
    note: str = ""
    """Whether the model is compiled, if that was asked for."""

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


def runtime_of(recipe: Recipe, model: torch.nn.Module, window: int) -> Runtime:
    """Return the device and the number format in which a recipe trains its model."""
    # A recurrent layer steps through time: it has no large products, which half precision is for.
    parameters = count_multiplied(model) // recipe.model.members if isinstance(recipe.model, GPTSettings) else 0
    return choose_runtime(recipe.training.precision, parameters, recipe.training.batch * window)


def measure_pace(
    recipe: Recipe, workers: WorkerPool, vocabulary: int, window: int, steps: int = 3, seconds: float = 1.0
) -> Pace:
    """Take one step of the recipe and then `steps` more, and as many as `seconds` are enough for.

    Raises RunError if the memory does not suffice for a single row.
    """
    training = recipe.training
    torch.manual_seed(recipe.seed)
    model = build(recipe.model, vocabulary, window)
    runtime = runtime_of(recipe, model, window)
    model.to(runtime.device)
    rows = training.batch * training.accumulation

    def batch_of(step: int) -> Batch:
        ids_BT = torch.randint(vocabulary, (rows, window + 1), generator=torch.Generator().manual_seed(step))
        return Batch(ids_BT[:, :-1], ids_BT[:, 1:], torch.ones(rows, window))

    with kept_memory():
        workers.begin(recipe, model, runtime)
        note = workers.compile(model, batch_of(0), training.accumulation, runtime) if training.compile else ""
        taken: list[float] = []
        clock = time.perf_counter()
        for step in fit(
            model,
            next_token,
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
    return Pace(model, runtime, rows * window, tuple(taken[1:]), note)


def measure_costs(training_data: TrainingData, model: Model, runtime: Runtime) -> Costs:
    """Time parts of an evaluation on the way and of the final one, which is in single precision; guess the rest."""
    with runtime.autocast():
        training_data.validate(model, 1)  # what is slow the first time only
        started = time.monotonic()
        scored = training_data.validate(model, MEASURED).scored
        seconds = (time.monotonic() - started) / scored
    fitting = seconds * FITTING * training_data.fitted
    return Costs(seconds, fitting + seconds * SAMPLING, training_data.report_cost(model), fitting)


def memory_held() -> int | None:
    """Return the most bytes that this process has held, None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024
