"""The minimum memory of a recipe, computed from its settings, to refuse impossible sizes before training.

Counted are weights, gradients and the optimiser's state, what one row leaves behind for the way back, and the rows of a
step. Norms, biases and everything else are left out: what is refused here fails, and what passes may still not fit.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lilliput.corpus import Corpus, Examples, LargeText
from lilliput.errors import RecipeError, RunError
from lilliput.models import GPTSettings, ModelSettings, build, count_parameters
from lilliput.recipe import Recipe
from lilliput.runtime import limited_memory, machine_memory
from lilliput.training.gradient import out_of_memory

_SINGLE, _ROW = 4, 12
"""Bytes of a value, and of a token of a step: its id (shared with the target before it) and its weight."""
_BLOCK = 8192
"""Bytes of a block or layer beside its weights, as Python objects."""
_OPTIMIZER_VALUES = {"sgd": 0, "rmsprop": 1, "muon": 1, "adam": 2, "adamw": 2}
"""Minimum number of values per weight."""
_MOST_TOLD = 10**15
_LONGEST_TOKEN = 16
"""Characters per token, more than any tokenizer reaches on average."""


def require_memory(recipe: Recipe, source: Corpus | Examples | LargeText) -> None:
    """Raise RecipeError if this machine has not the memory that the recipe needs at least."""
    have = machine_memory()
    window = recipe.data.window
    if not isinstance(source, LargeText):
        window = max(1, min(window, len(source.text) // _LONGEST_TOKEN))
    rows = recipe.training.batch * recipe.training.accumulation
    weights = least_weights(recipe.model, _fixed_vocabulary(recipe) or 1, window)
    values = weights * (2 + _OPTIMIZER_VALUES[recipe.training.optimizer]) + _row_values(recipe.model, window)
    blocks = recipe.model.layers * recipe.model.ensemble
    need = values * _SINGLE + blocks * _BLOCK + rows * window * _ROW
    if have is not None and need > have:
        raise RecipeError(
            f"this recipe needs {_gigabytes(need)} of memory or more ({_count(weights)} parameters, "
            f"{_count(rows)} rows a step, {_count(window)} tokens each), and this machine has {_gigabytes(have)}: "
            "lower the size of [model], training.batch, training.accumulation or data.window"
        )


@contextmanager
def memory_told(processes: int = 1) -> Iterator[None]:
    """Raise RunError in place of what an allocation that fails raises; more than is free fails at once."""
    try:
        with limited_memory(processes):
            yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not out_of_memory(error):
            raise
        raise RunError("out of memory: this model does not fit. Make [model] smaller, or free some memory") from error


def least_weights(model: ModelSettings, vocabulary: int, window: int) -> int:
    """Return the number of a model's parameters, without norms and biases."""
    width = model.width
    if isinstance(model, GPTSettings):
        attention = 2 * width * model.head_width * (model.heads + model.key_value_heads)
        feed_forward = (3 if model.activation == "swiglu" else 2) * width * model.feed_forward
        embeddings = vocabulary * (1 if model.tied else 2) + (model.ngrams - 1) * model.ngram_rows
        embeddings += window if model.positions == "learned" else 0
        return model.ensemble * (model.layers * (attention + feed_forward) + embeddings * width)
    gates = 4 if model.kind == "lstm" else 3
    layers = gates * width * (model.embedding + width + (model.layers - 1) * 2 * width)
    return model.ensemble * (layers + vocabulary * (width if model.tied else model.embedding + width))


def parameters_of(recipe: Recipe) -> int | None:
    """Return how many parameters the recipe's model has; None if the size of its vocabulary follows from the text."""
    vocabulary = _fixed_vocabulary(recipe)
    if vocabulary is None:
        return None
    with torch.device("meta"):  # nothing is allocated
        return count_parameters(build(recipe.model, vocabulary, recipe.data.window))


def _row_values(model: ModelSettings, window: int) -> int:
    """Return the minimum number of activations of one row that the backward pass needs."""
    if isinstance(model, GPTSettings):
        return model.ensemble * window * model.layers * (model.width + model.feed_forward)
    return model.ensemble * window * (model.embedding + model.layers * model.width)


def _fixed_vocabulary(recipe: Recipe) -> int | None:
    fixed = {"gpt2": 50_257, "byte": 256}
    return fixed.get(recipe.tokenizer.kind, recipe.tokenizer.vocabulary)


def _gigabytes(size: int) -> str:
    return f"{_count(size // 10**9)} GB"


def _count(number: int) -> str:
    return f"{number:,}" if number < _MOST_TOLD else f"over {_MOST_TOLD:,}"
