"""What a session measures on the way and at the end, and the evaluation of a finished run."""

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
"""What an evaluation does beside scoring, by the targets that could be scored meanwhile: for each that something is
fitted to, and for a sample and a checkpoint. It holds until the first evaluation, which is timed."""


class Evaluator:
    """Measures a model that is being trained, and lets it write, in the number format of its training.

    `rows` is how many windows go through the model at once while something is fitted beside the network.
    """

    def __init__(self, training_data: TrainingData, writer: Writer, runtime: Runtime, rows: int) -> None:
        self._training_data = training_data
        self._writer = writer
        self._runtime = runtime
        self._rows = rows

    def calibrate(self) -> None:
        """Fit what is fitted beside the network, on the part of the text that is set aside for it."""
        model = self._writer.model
        with self._runtime.autocast():
            model.calibrate(self._training_data.aside(self._rows, model.memory))

    def validate(self, limit: int | None) -> ValidationResult:
        """Measure the model on the held-out part, on about `limit` targets of it if that is given."""
        with self._runtime.autocast():
            return self._training_data.validate(self._writer.model, limit)

    def sample(self, step: int, seconds: float) -> Sample:
        """Let the model write something, which takes about `seconds` at most."""
        with self._runtime.autocast():
            return self._training_data.sample(self._writer, step, time.monotonic() + seconds)

    def report(self, limit: int | None) -> dict[str, Any]:
        """Return the final evaluation, in single precision, over about `limit` targets if that is given."""
        return self._training_data.report(self._writer, limit)

    def costs(self) -> Costs:
        """Measure what evaluations take."""
        return measure_costs(self._training_data, self._writer.model, self._runtime)


def measure_costs(training_data: TrainingData, model: Model, runtime: Runtime) -> Costs:
    """Time parts of an evaluation on the way and of the final one, which is in single precision; guess the rest."""
    with runtime.autocast():
        training_data.validate(model, 1)  # what is slow the first time only
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
    """Measure a run on all that it held out, or on another text or file of prompts, with the baselines for it.

    The other is read as `settings` say, and `note` is told how.

    Raises CorpusError if the text cannot be read or is too short, RunError if the run's files are broken.
    """
    training_data = open_training_data(RunFolder(run), writer.model.context, writer.model.settings.counts)
    return training_data.report(writer, None) if text is None else training_data.report_on(writer, text, settings, note)
