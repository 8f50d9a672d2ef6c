"""The minimum memory of a recipe, computed from its settings, to refuse impossible sizes before training.

It counts the weights, the gradients, the optimiser state, the activations of one row for the backward pass, and the
rows of a step. Norms, biases and the rest are left out: a refused recipe cannot fit, and another may still not fit.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lilliput.corpus import Corpus, Examples, LargeText
from lilliput.errors import RecipeError, RunError
from lilliput.models import build, count_parameters
from lilliput.recipe import Recipe
from lilliput.runtime import limited_memory, machine_memory
from lilliput.training.gradient import out_of_memory

_SINGLE, _ROW = 4, 12
"""Bytes of a value, and of a token of a step: its id (shared with the target before it) and its weight."""
_BLOCK = 8192
"""Bytes of a block or layer beside its weights, as Python objects."""
_OPTIMIZER_VALUES = {"sgd": 0, "rmsprop": 1, "muon": 1, "adam": 2, "adamw": 2}
"""Minimum number of values per weight."""
_MOST_SHOWN = 10**15
_LONGEST_TOKEN = 16
"""Characters per token, more than any tokenizer reaches on average."""


def require_memory(recipe: Recipe, source: Corpus | Examples | LargeText) -> None:
    """Raise RecipeError if this machine has less than the minimum memory of the recipe."""
    have = machine_memory()
    window = recipe.data.window
    if not isinstance(source, LargeText):
        window = max(1, min(window, len(source.text) // _LONGEST_TOKEN))
    rows = recipe.training.batch * recipe.training.accumulation
    model = recipe.model
    weights = model.ensemble * model.weights(_fixed_vocabulary(recipe) or 1, window)
    values = weights * (2 + _OPTIMIZER_VALUES[recipe.training.optimizer]) + model.ensemble * model.row_values(window)
    blocks = model.layers * model.ensemble
    need = values * _SINGLE + blocks * _BLOCK + rows * window * _ROW
    if have is not None and need > have:
        raise RecipeError(
            f"this recipe needs {_gigabytes(need)} of memory or more ({_count(weights)} parameters, "
            f"{_count(rows)} rows a step, {_count(window)} tokens each), and this machine has {_gigabytes(have)}: "
            "lower the size of [model], training.batch, training.accumulation or data.window"
        )


@contextmanager
def memory_errors(processes: int = 1) -> Iterator[None]:
    """Turn the errors of failed allocations into RunError; to allocate more than the free memory fails at once."""
    try:
        with limited_memory(processes):
            yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not out_of_memory(error):
            raise
        raise RunError("out of memory: this model does not fit. Make [model] smaller, or free some memory") from error


def parameters_of(recipe: Recipe) -> int | None:
    """Return the number of parameters of the recipe's model; None if its vocabulary size depends on the text."""
    vocabulary = _fixed_vocabulary(recipe)
    if vocabulary is None:
        return None
    with torch.device("meta"):  # nothing is allocated
        return count_parameters(build(recipe.model, vocabulary, recipe.data.window))


def _fixed_vocabulary(recipe: Recipe) -> int | None:
    fixed = {"gpt2": 50_257, "byte": 256}
    return fixed.get(recipe.tokenizer.kind, recipe.tokenizer.vocabulary)


def _gigabytes(size: int) -> str:
    return f"{_count(size // 10**9)} GB"


def _count(number: int) -> str:
    return f"{number:,}" if number < _MOST_SHOWN else f"over {_MOST_SHOWN:,}"
