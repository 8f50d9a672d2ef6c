"""The evaluation of a run: both definitions over a whole text, beside what counting reaches on it."""

from pathlib import Path
from typing import Any

from lilliput.corpus import open_corpus
from lilliput.data.tokens import Tokens
from lilliput.errors import CorpusError
from lilliput.evaluation.floors import measure_floors
from lilliput.evaluation.loss import Definition, Score, evaluate
from lilliput.models import Model
from lilliput.runs import RunFolder
from lilliput.training.prepare import open_prepared
from lilliput.writer import Writer


def evaluate_both(
    model: Model, tokens: Tokens, window: int, facts: dict[str, Any], limit: int | None = None
) -> dict[Definition, Score]:
    """Score `tokens` in non-overlapping and in sliding windows; `facts` holds the text's characters and bytes."""
    definitions: tuple[Definition, ...] = ("separate", "sliding")
    return {
        definition: evaluate(
            model, tokens, window, definition, characters=facts["characters"], bytes=facts["bytes"], limit=limit
        )
        for definition in definitions
    }


def evaluation_report(scores: dict[Definition, Score], floors: dict[str, Any]) -> dict[str, Any]:
    """Put scores and floors into the object that `eval --json` prints; the top figures are the sliding windows'."""
    return scores["sliding"].as_dict() | {
        "windows": {definition: score.as_dict() for definition, score in scores.items()},
        "floors": floors,
    }


def evaluate_run(writer: Writer, run: Path, text: str | None = None) -> dict[str, Any]:
    """Measure a run on its whole held-out text, or on another text, with the floors that its training text sets.

    Raises CorpusError if the text cannot be read or is too short, RunError if the run's files are broken.
    """
    prepared = open_prepared(RunFolder(run))
    window = writer.model.context
    if text is None:
        scores = evaluate_both(writer.model, prepared.validation, window, prepared.facts["validation"])
        return evaluation_report(scores, prepared.facts["floors"])
    other = open_corpus([text]).text
    tokens = writer.tokenizer.encode(other)
    if len(tokens) < 2:
        raise CorpusError(f"{text}: {len(tokens)} tokens, and at least 2 are needed to measure anything")
    facts = {"characters": len(other), "bytes": len(other.encode("utf-8", "surrogatepass"))}
    # The tokens hold the training text as the tokenizer sees it, so the counts need no other copy.
    learned = writer.tokenizer.decode(prepared.training.tolist())
    floors = measure_floors(learned, writer.tokenizer.normalized(other)).as_dict()
    return evaluation_report(evaluate_both(writer.model, tokens, window, facts), floors)
