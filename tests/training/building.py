"""Small runs for the tests of training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lilliput.corpus import Corpus, Document, Example, Examples
from lilliput.corpus.examples import gather
from lilliput.recipe import Recipe, make_recipe
from lilliput.training.events import Event, Finished
from lilliput.training.train import train
from tests.conftest import made_up_text


def recipe(**settings: Any) -> Recipe:
    values = {
        "name": "small",
        "data": {"window": 16},
        "model": {"kind": "gpt", "shape": "modern", "layers": 1, "width": 16, "heads": 2, "dropout": 0.1},
        "training": {"steps": 12, "batch": 4, "evaluate_every": 4, "learning_rate": 0.01},
        "sample": {"length": 8},
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
