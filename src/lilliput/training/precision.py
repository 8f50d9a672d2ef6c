"""The device and the number format for the training of a recipe."""

import torch

from lilliput.models import count_multiplied
from lilliput.recipe import Recipe
from lilliput.runtime import Runtime, choose_runtime


def training_runtime(recipe: Recipe, model: torch.nn.Module, window: int) -> Runtime:
    """Return the device and the number format for the training of a recipe."""
    # A recurrent layer steps through time, so it has no large products that half precision would speed up.
    parameters = count_multiplied(model) // recipe.model.ensemble if recipe.model.half_precision else 0
    return choose_runtime(recipe.training.precision, parameters, recipe.training.batch * window)
