"""Settings of optimisers and schedules, without heavy imports, so that recipes load fast."""

from typing import Annotated, Literal

from pydantic import Field

from lilliput.settings import Settings


class OptimizerSettings(Settings):
    """The optimiser and its hyperparameters."""

    optimizer: Literal["adamw", "adam", "sgd", "rmsprop", "muon"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    matrix_learning_rate: Annotated[float, Field(gt=0)] = 0.02
    """Muon's rate, for the matrices of the blocks; AdamW updates everything else at `learning_rate`."""
    table_learning_rate: Annotated[float, Field(gt=0)] = 0.02
    """Rate of the n-gram embeddings, whose rows are rarely used."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.95)
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """For sgd, rmsprop and muon."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """For matrices only, not for gains and biases."""


class ScheduleSettings(Settings):
    """The learning rate over the run, as a share of its peak."""

    schedule: Literal["constant", "cosine", "linear", "wsd"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Share of the run with a rising rate, from zero to the peak."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.3
    """For wsd (warm-up, stable, decay): share of the run, at its end, with a falling rate."""
    final: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Final rate, as a share of the peak."""
