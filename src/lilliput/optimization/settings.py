"""The settings of optimisers and schedules; they import nothing heavy, so that a recipe is read at once."""

from typing import Annotated, Literal

from pydantic import Field

from lilliput.settings import Settings


class OptimizerSettings(Settings):
    """Which optimiser moves the weights, and how far."""

    optimizer: Literal["adamw", "adam", "sgd", "rmsprop", "muon"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    matrix_learning_rate: Annotated[float, Field(gt=0)] = 0.02
    """Muon's rate, for the matrices of the blocks; everything else moves by AdamW at `learning_rate`."""
    table_learning_rate: Annotated[float, Field(gt=0)] = 0.02
    """For the embeddings of n-grams: each of their rows is seen seldom."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.95)
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """For sgd, rmsprop and muon."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """On matrices only; gains and biases never decay."""


class ScheduleSettings(Settings):
    """How the learning rate moves over the run, as a share of its peak."""

    schedule: Literal["constant", "cosine", "linear", "wsd"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Share of the run in which the rate rises from zero to its peak."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.3
    """For wsd (warm-up, stable, decay): share of the run, at its end, in which the rate falls."""
    final: Annotated[float, Field(ge=0, le=1)] = 0.1
    """The rate at the end, as a share of the peak."""
