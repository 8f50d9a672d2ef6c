"""Small runs for the tests of training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lilliput.corpus import Corpus, Document, Example, Examples
from lilliput.corpus.examples import gather
from lilliput.data.batch import Batch
from lilliput.models import Model, build
from lilliput.objectives.next_token import NextToken
from lilliput.objectives.protocol import Network, Objective
from lilliput.optimization.optimizers import build_optimizers
from lilliput.recipe import Recipe, make_recipe
from lilliput.runtime import Runtime
from lilliput.training.events import Event, Finished
from lilliput.training.fit import fit
from lilliput.training.gradient import Scaler
from lilliput.training.train import train
from lilliput.training.workers.alone import Alone
from lilliput.training.workers.protocol import Workers
from tests.conftest import made_up_text

CPU = Runtime(torch.device("cpu"), "float32", "a test")


class Scripted(Objective):
    """An objective whose loss is computed by a function."""

    def __init__(self, loss: Callable[[Network, Batch], torch.Tensor]) -> None:
        self._loss = loss

    def __call__(self, model: Network, batch: Batch) -> torch.Tensor:
        return self._loss(model, batch)


def recipe(**settings: Any) -> Recipe:
    values = {
        "name": "small",
        "data": {"window": 16},
        "model": {"kind": "gpt", "shape": "modern", "layers": 1, "width": 16, "heads": 2, "dropout": 0.1},
        "training": {"steps": 12, "batch": 4, "evaluate_every": 4, "learning_rate": 0.01},
        "sample": {"max_tokens": 8},
    }
    if "training.minutes" in settings:
        del values["training"]["steps"]
    return make_recipe(values, settings)


def corpus(characters: int = 3000, seed: int = 1) -> Corpus:
    return Corpus("made up", (Document("made up", made_up_text(characters, seed)),), ("made up for a test",))


def run(
    folder: Path,
    recipe: Recipe,
    *,
    text: Corpus | Examples | None = None,
    stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> list[Event]:
    return list(train(recipe, text or corpus(), None, folder, stop=stop, **options))


def finished(events: list[Event]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


def stop_after(steps: int) -> Callable[[], bool]:
    """Ask to stop once `steps` steps were taken (`stop` is asked once after each)."""
    asked = iter(range(1, steps + 1))
    return lambda: next(asked, steps) >= steps


def example_recipe(**settings: Any) -> Recipe:
    """A small run on prompts and answers."""
    values = {
        "name": "sums",
        "data": {"window": 16},
        "model": {"kind": "gpt", "layers": 1, "width": 16, "heads": 2, "dropout": 0.1},
        "training": {"steps": 12, "batch": 8, "evaluate_every": 4, "learning_rate": 0.01},
    }
    return make_recipe(values, settings)


def sums(numbers: int = 12) -> Examples:
    pairs = [(a, b) for a in range(numbers) for b in range(numbers)]
    return gather("made up", [Example(f"{a}+{b}=", str(a + b)) for a, b in pairs], ("made up for a test",))


def fitted(
    recipe: Recipe,
    *,
    steps: int = 3,
    runtime: Runtime = CPU,
    workers: Workers | None = None,
    between: Callable[[Model, int], None] = lambda model, step: None,
) -> tuple[Model, list[float]]:
    """Train on random tokens and return the model and the loss of every step.

    After each step `between` is called with the model and the number of steps done.
    """
    torch.manual_seed(0)
    model = build(recipe.model, 20, 16)
    workers = workers or Alone()
    workers.begin(recipe, model, NextToken(), runtime)
    rows = recipe.training.batch * recipe.training.accumulation

    def batch_of(step: int) -> Batch:
        ids_BT = torch.randint(20, (rows, 17), generator=torch.Generator().manual_seed(step))
        weights_BT = torch.rand(rows, 16, generator=torch.Generator().manual_seed(step))
        return Batch(ids_BT[:, :-1], ids_BT[:, 1:], weights_BT)

    if recipe.training.compile:
        workers.compile(model, NextToken(), batch_of(0), recipe.training.accumulation, runtime)
    loop = fit(
        model,
        NextToken(),
        batch_of,
        build_optimizers(model, recipe.training),
        lambda step: 1.0 if step < steps else None,
        runtime=runtime,
        scaler=Scaler(runtime, {}),
        workers=workers,
        seed=1,
        accumulation=recipe.training.accumulation,
        clip=recipe.training.clip,
    )
    losses = []
    try:
        for step in loop:
            losses.append(float(step.loss))
            between(model, step.number)
    finally:
        workers.close()
    return model, losses


def weights(model: Model) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
