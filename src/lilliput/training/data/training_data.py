"""One protocol for the data of a run: a text (`text_data`), or prompts with answers (`example_data`).

The session uses batches, validation results, samples and the final report, and does not depend on the kind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from lilliput.corpus.settings import ReadSettings
from lilliput.data.batch import Batch
from lilliput.evaluation.fine_tuning import LineMeasures
from lilliput.models import Model
from lilliput.models.protocol import CalibrationBatch
from lilliput.tokenizers import Tokenizer
from lilliput.writer import Writer

LEARNT = 32_768
"""Maximum number of training targets that `validate` scores; it never scores more than validation targets."""
MEASURED = 2048
"""Number of targets to score to measure the time of scoring."""


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """The result of one evaluation during training: the mean loss in nats per token, over `scored` targets."""

    loss: float
    scored: int
    network: float
    """Loss of the network alone, over the same targets; equal to `loss` unless the model is a mixture."""
    learnt: float
    """Loss of the network alone, in the same state, over as many training targets, always the same ones."""
    exact_match: float | None = None
    """Share of right answers; None for a text."""

    objective: float | None = None
    """What an objective other than the loss has reached; it then selects the best weights."""
    lines: LineMeasures | None = None
    """Lines after held-out prompts, for an objective that tunes a network on verse."""

    @property
    def score(self) -> float:
        """Return the score that selects the best weights: higher is better."""
        return -self.loss if self.objective is None else self.objective

    def as_dict(self) -> dict[str, float]:
        """Return the row for metrics.jsonl."""
        figures = {"validation_loss": self.loss, "network_validation_loss": self.network}
        figures["network_training_loss"] = self.learnt
        if self.lines is not None:
            figures |= {"objective": self.score} | {
                f"lines_{name}": value for name, value in self.lines.as_dict().items()
            }
        return figures if self.exact_match is None else figures | {"exact_match": self.exact_match}


@dataclass(frozen=True, slots=True)
class Sample:
    """Generated text: the rows for samples.jsonl, and the prompt and text to show."""

    rows: list[dict[str, Any]]
    prompt: str
    text: str


class TrainingData(Protocol):
    """Training and validation data of a run, as the session sees them."""

    tokenizer: Tokenizer
    facts: dict[str, Any]
    window: int
    """Context length of the model, in tokens."""
    targets: int
    """Number of validation targets."""
    fitted: int
    """Number of training targets set aside to fit the gate of a mixture."""

    def notes(self) -> list[str]:
        """Return the notes to show before the first step, one line each."""

    def batches(self, rows: int, seed: int) -> Callable[[int], Batch]:
        """Return the function that returns the batch of a step."""

    def aside(self, rows: int, memory: int) -> list[CalibrationBatch]:
        """Return the part set aside for fitting the gate; an empty list if there is none.

        A batch has at most `rows` rows, and at most `memory` tokens before each row.
        """

    def validate(self, model: Model, limit: int | None) -> ValidationResult:
        """Measure the model on the validation data, on about `limit` targets if that is given."""

    def sample(self, writer: Writer, step: int, deadline: float) -> Sample:
        """Generate a sample; past `deadline` (`time.monotonic`) a short one."""

    def report_cost(self, model: Model) -> float:
        """Return the seconds per target of the final report, measured on a part."""

    def report(self, writer: Writer, limit: int | None) -> dict[str, Any]:
        """Return the report on the validation data, the object that `eval --json` prints."""

    def report_on(
        self, writer: Writer, target: str, settings: ReadSettings, note: Callable[[str], None]
    ) -> dict[str, Any]:
        """Return the report on another text or file, read with `settings`; notes on the reading go to `note`.

        Raises CorpusError if it is too short, or not of the kind that the run learns from.
        """
