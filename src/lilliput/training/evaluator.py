"""Evaluation during training and at its end, and the evaluation of a finished run."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.models import Model
from lilliput.runs.folder import RunFolder
from lilliput.runtime import Runtime
from lilliput.training.budget import Costs
from lilliput.training.data.prepare import open_training_data
from lilliput.training.data.training_data import MEASURED, Sample, TrainingData, ValidationResult
from lilliput.writer import Writer

FITTING, SAMPLING = 1.5, 8_000
"""The time of an evaluation's other work, in scored targets: per target that the gate is fitted on, and for a sample
and a checkpoint. This is an estimate until the first evaluation is timed."""


class Evaluator:
    """Evaluates and samples a model during training, in the number format of the training.

    `rows` is the number of windows per batch while the gate is fitted.
    """

    def __init__(self, training_data: TrainingData, writer: Writer, runtime: Runtime, rows: int) -> None:
        self._training_data = training_data
        self._writer = writer
        self._runtime = runtime
        self._rows = rows

    def calibrate(self) -> None:
        """Fit the gate, if the model has one, on the text set aside for it."""
        model = self._writer.model
        with self._runtime.autocast():
            model.calibrate(self._training_data.aside(self._rows, model.memory))

    def validate(self, limit: int | None) -> ValidationResult:
        """Measure the model on held-out data, on about `limit` targets if given."""
        with self._runtime.autocast():
            return self._training_data.validate(self._writer.model, limit)

    def sample(self, step: int, seconds: float) -> Sample:
        """Sample from the model for about `seconds` at most."""
        with self._runtime.autocast():
            return self._training_data.sample(self._writer, step, time.monotonic() + seconds)

    def report(self, limit: int | None) -> dict[str, Any]:
        """Return the final evaluation, in single precision, on about `limit` targets if given."""
        return self._training_data.report(self._writer, limit)

    def costs(self) -> Costs:
        """Measure the seconds that evaluations take."""
        return measure_costs(self._training_data, self._writer.model, self._runtime)


def measure_costs(training_data: TrainingData, model: Model, runtime: Runtime) -> Costs:
    """Time parts of an evaluation during training and of the final one (single precision); estimate the rest."""
    with runtime.autocast():
        training_data.validate(model, 1)  # the first call is slower
        started = time.monotonic()
        scored = training_data.validate(model, MEASURED).scored
        seconds = (time.monotonic() - started) / scored
    fitting = seconds * FITTING * training_data.fitted
    return Costs(seconds, fitting + seconds * SAMPLING, training_data.report_cost(model), fitting)


def evaluate_run(
    writer: Writer,
    run: Path,
    text: str | None = None,
    settings: ReadSettings = AUTOMATIC,
    note: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Evaluate a run on all its held-out data, or on another text or file of prompts, beside the baselines.

    `settings` are used to read that text; `note` gets messages about the reading.

    Raises CorpusError if the text cannot be read or is too short, RunError if the run's files are broken.
    """
    training_data = open_training_data(RunFolder(run), writer.model.context, writer.model.settings.counts)
    return training_data.report(writer, None) if text is None else training_data.report_on(writer, text, settings, note)
