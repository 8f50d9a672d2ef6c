"""What a run learns from and is measured on, behind one face: a text (`text`), or prompts with answers (`answers`).

The session asks for batches, looks, samples and the final report, and does not know which of the two it has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from lilliput.corpus.settings import ReadSettings
from lilliput.data.batch import Batch
from lilliput.models import Model
from lilliput.tokenizers import Tokenizer
from lilliput.writer import Writer

LEARNT = 32_768
"""Targets of what is learnt that a look scores at most; it scores no more of them than of what is held out."""
MEASURED = 2048
"""Targets that are scored to find out what scoring takes."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one evaluation on the way found: the mean loss in nats per token, over `scored` targets."""

    loss: float
    scored: int
    network: float
    """Of the network alone, over the same targets: the same as `loss` where nothing is beside it."""
    learnt: float
    """Of the network alone, in the same state, over as much of what is learnt, always the same part of it."""
    exact_match: float | None = None
    """The share of the answers that are right, where there are answers."""

    def as_dict(self) -> dict[str, float]:
        """Return the figures for metrics.jsonl."""
        figures = {"validation_loss": self.loss, "network_validation_loss": self.network}
        figures["network_training_loss"] = self.learnt
        return figures if self.exact_match is None else figures | {"exact_match": self.exact_match}


@dataclass(frozen=True, slots=True)
class Sample:
    """What the model wrote: the rows for samples.jsonl, and what is shown of them."""

    rows: list[dict[str, Any]]
    prompt: str
    text: str


class Material(Protocol):
    """What a session needs of what it trains on."""

    tokenizer: Tokenizer
    facts: dict[str, Any]
    window: int
    """Positions that the model has."""
    targets: int
    """How many targets a look at the whole held-out part scores."""
    fitted: int
    """How many targets are set aside for what is fitted before a look."""

    def notes(self) -> list[str]:
        """Return what the user should know before the first step."""

    def batches(self, rows: int, seed: int) -> Callable[[int], Batch]:
        """Return the function that gives the batch of a step."""

    def aside(self, rows: int, memory: int) -> list[tuple[Tensor, Batch]]:
        """Return what is not learnt from but set aside for what is fitted, in batches of at most `rows`.

        Before each batch stand the tokens before its rows, `memory` of them at most.
        """

    def look(self, model: Model, limit: int | None) -> Look:
        """Measure the model on the held-out part, on about `limit` targets of it if that is given."""

    def sample(self, writer: Writer, step: int, deadline: float) -> Sample:
        """Let the model write something; past `deadline` (`time.monotonic`) only what is needed to see anything."""

    def report_cost(self, model: Model) -> float:
        """Measure on a part how many seconds each target takes in the final report."""

    def report(self, writer: Writer, limit: int | None) -> dict[str, Any]:
        """Return the object that `eval --json` prints, for the held-out part."""

    def report_on(
        self, writer: Writer, target: str, settings: ReadSettings, note: Callable[[str], None]
    ) -> dict[str, Any]:
        """Return the same for another text or file, read as `settings` say; `note` is told how.

        Raises CorpusError if it cannot be measured on.
        """
