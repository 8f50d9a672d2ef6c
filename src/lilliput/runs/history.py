"""The contents of `metrics.jsonl`: the steps of a run, its evaluations, and the loss spikes that made it roll back."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lilliput.rows import read_rows


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """The row of a training step. Values that the row lacks are NaN, or 0 tokens."""

    step: int
    loss: float
    """In nats per token; NaN for an objective whose loss is no likelihood."""
    learning_rate: float
    seconds: float
    """Since the start of the run."""
    tokens: int
    """Number of tokens trained on so far."""


@dataclass(frozen=True, slots=True)
class EvaluationMetrics:
    """The row of an evaluation during the training; losses are in nats per token."""

    step: int
    validation_loss: float
    network_validation_loss: float | None
    """Of the network alone, without the mixture; earlier versions did not write it."""
    network_training_loss: float | None
    exact_match: float | None
    """The share of correct answers, for a run that learns answers."""
    rhyme: float | None = None
    """The share of lines that rhyme, for a run that is tuned on verse."""


@dataclass(frozen=True, slots=True)
class History:
    """The rows of `metrics.jsonl` by kind, ordered by step."""

    steps: Sequence[StepMetrics]
    evaluations: Sequence[EvaluationMetrics]
    spikes: Sequence[int]
    """The steps with a loss spike; after each, the run was rolled back to a checkpoint."""


def read_history(metrics: Path, note: Callable[[str], None] = print) -> History:
    """Read a run's `metrics.jsonl`; a missing file has no rows.

    If a step was repeated after a continuation, its last row counts. Damaged lines are left out, with a line to
    `note`. Raises RunError if the file cannot be read.
    """
    rows = read_rows(metrics, note)
    steps = {row["step"]: _step(row) for row in rows if "loss" in row or "objective_loss" in row}
    evaluations = {row["step"]: _evaluation(row) for row in rows if "validation_loss" in row}
    spikes = [row["at_step"] for row in rows if "at_step" in row]
    return History([steps[step] for step in sorted(steps)], [evaluations[step] for step in sorted(evaluations)], spikes)


def _step(row: Mapping[str, Any]) -> StepMetrics:
    rate, seconds = row.get("learning_rate", math.nan), row.get("seconds", math.nan)
    return StepMetrics(row["step"], row.get("loss", math.nan), rate, seconds, row.get("tokens", 0))


def _evaluation(row: Mapping[str, Any]) -> EvaluationMetrics:
    network, training = row.get("network_validation_loss"), row.get("network_training_loss")
    shares = (row.get("exact_match"), row.get("lines_rhyme"))
    return EvaluationMetrics(row["step"], row["validation_loss"], network, training, *shares)
