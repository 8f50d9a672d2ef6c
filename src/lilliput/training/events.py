"""The events of a training run, in order.

There are no callbacks: console, plots and trackers are the body of the caller's loop over the events.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lilliput.models import Model, count_parameters
from lilliput.runs.checkpoint import Progress
from lilliput.training.budget import Budget
from lilliput.training.data.training_data import TrainingData, ValidationResult


@dataclass(frozen=True, slots=True)
class Note:
    """One line for the reader."""

    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """Preparation has ended; training starts, or continues after `step` steps."""

    folder: Path
    step: int
    steps: int | None
    minutes: float | None
    parameters: int
    vocab_size: int
    context: int
    training_tokens: int
    validation_tokens: int
    baselines: dict[str, Any]
    characters_per_token: float | None
    training_problems: int | None = None
    """Number of prompts with answers; None for a run on a text."""
    validation_problems: int | None = None


def started(folder: Path, model: Model, training_data: TrainingData, step: int, budget: Budget) -> Started:
    """Return the event of a run that starts, or continues after `step` steps."""
    facts = training_data.facts
    return Started(
        folder=folder,
        step=step,
        steps=budget.steps,
        minutes=None if budget.seconds is None else budget.seconds / 60,
        parameters=count_parameters(model),
        vocab_size=model.vocab_size,
        context=model.context,
        training_tokens=facts["training"]["tokens"],
        validation_tokens=facts["validation"]["tokens"],
        baselines=facts["baselines"],
        characters_per_token=facts.get("characters_per_token"),
        training_problems=facts["training"].get("problems"),
        validation_problems=facts["validation"].get("problems"),
    )


@dataclass(frozen=True, slots=True)
class Stepped:
    """One optimiser step was taken. `loss` is a tensor: reading it may wait for the device."""

    step: int
    progress: float
    loss: Tensor
    learning_rate: float
    tokens_per_second: float
    seconds_left: float | None
    steps: int
    """Number of steps of the whole run at the current speed."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The model was evaluated on a `share` of the validation data; losses are in nats per token.

    For answers, the loss is over their tokens, and `exact_match` is the share of right answers. `network_loss` is the
    loss of the network alone over the same tokens, `network_training_loss` that over a part of the training data. The
    two can be compared.
    """

    step: int
    validation_loss: float
    bits_per_character: float | None
    best: bool
    best_loss: float
    best_step: int
    share: float
    exact_match: float | None = None
    rhyme: float | None = None
    """Share of rhymed lines, for an objective that tunes a network on verse."""
    network_loss: float | None = None
    network_training_loss: float | None = None


def evaluated(progress: Progress, result: ValidationResult, training_data: TrainingData) -> Evaluated:
    """Return the event of an evaluation; `progress` includes it already."""
    characters = training_data.facts.get("characters_per_token")
    return Evaluated(
        step=progress.step,
        validation_loss=result.loss,
        bits_per_character=None if characters is None else result.loss / characters / math.log(2),
        best=progress.best_step == progress.step,
        best_loss=result.loss if progress.best_loss is None else progress.best_loss,
        best_step=progress.best_step,
        share=result.scored / training_data.targets,
        exact_match=result.exact_match,
        rhyme=None if result.lines is None else result.lines.rhyme,
        network_loss=result.network,
        network_training_loss=result.learnt,
    )


@dataclass(frozen=True, slots=True)
class Sampled:
    """The model wrote a sample, or answered some held-out prompts (then `prompt` is empty)."""

    step: int
    prompt: str
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Training ended: it is complete, was stopped early, or was interrupted (then nothing is evaluated)."""

    reason: str
    interrupted: bool
    folder: Path
    step: int
    best_step: int
    seconds: float
    parameters: int
    evaluation: dict[str, Any] | None


Event = Note | Started | Stepped | Evaluated | Sampled | Finished
